"""Manage a run: its command line, folder, record, scores and tracking."""

from common.runs.run import Run
from common.runs.stage import main

__all__ = ["Run", "main"]
