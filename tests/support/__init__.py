"""Helpers for tests of several rooms: repositories, models, servers and processes made for a test."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
REAL_DATA = REPOSITORY.parent / "shared" / "data"
"""The organisers' files; the folder need not exist."""
