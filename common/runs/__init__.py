"""Manage a run: its command line, folder, record, scores and tracking."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.runs.run import Run
    from common.runs.stage import main

__all__ = ["Run", "main"]


def __getattr__(name: str) -> Any:
    """Import `Run` and `main` when they are first asked for: most commands need neither, and start sooner."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("common.runs.run" if name == "Run" else "common.runs.stage"), name)
