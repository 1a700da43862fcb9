"""Provide what every other package builds on: files written whole, settings, paths, locks and processes."""
