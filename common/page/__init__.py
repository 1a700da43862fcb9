"""Gather what the HTML page shows, and write the page: one file without a network."""
