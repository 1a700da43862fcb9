"""Manage a run: its command line, folder, record, scores and tracking."""
