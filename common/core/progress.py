"""Show progress bars on a terminal, and only rare lines in a log file."""

import sys
from typing import Any

from tqdm import tqdm

from common.core.language import translated


def progress(total: int, description: str, unit: str, initial: int = 0) -> Any:
    """Return a tqdm bar with rate and ETA; in a log file it prints at most one line every 30 seconds."""
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        initial=initial,
        desc=translated(description),
        unit=unit,
        mininterval=0.2 if terminal else 30.0,
        maxinterval=30.0,
        dynamic_ncols=terminal,
        file=sys.stderr,
    )


def brief_progress(total: int, description: str, unit: str) -> Any:
    """Return a tqdm bar for work of seconds to minutes: it disappears at the end, and a log file shows nothing."""
    return tqdm(
        total=total,
        desc=translated(description),
        unit=unit,
        disable=not sys.stderr.isatty(),
        leave=False,
        mininterval=0.2,
        dynamic_ncols=True,
        file=sys.stderr,
    )
