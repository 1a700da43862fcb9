"""What tests of several rooms share: repositories, models, servers and processes made for a test."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
REAL_DATA = REPOSITORY.parent / "shared" / "data"
"""The organisers' files, where this machine has them."""
