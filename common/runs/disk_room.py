"""Check whether a folder can be written and its disk has enough room, before anything is written there."""

import os
import shutil
from pathlib import Path

from common.core.errors import UserError
from common.core.files import existing_parent, shown
from common.core.messages import size_text

LEAST_BYTES = 2**23
"""Room that every run needs: its record, candidates and predictions."""
LEAST_SMOKE_BYTES = 2**20


def require_writable(folder: Path) -> None:
    """Raise UserError when a folder, which need not exist, certainly cannot be made or written."""
    try:
        there = existing_parent(folder)
    except OSError as error:
        raise UserError(
            f"{shown(folder)}: cannot be written ({error.strerror}); make it writable."
        ) from error
    if not there.is_dir():
        raise UserError(f"{shown(there)}: is not a folder; move it away.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{shown(there)}: cannot be written (Permission denied); make it writable.")


def require_free(folder: Path, wanted: int, advice: str = "") -> None:
    """Raise UserError when the disk of a folder, which need not exist, has fewer than `wanted` bytes free."""
    free = shutil.disk_usage(existing_parent(folder)).free
    if free < wanted:
        raise UserError(
            f"{shown(folder)}: needs about {size_text(wanted)}, but only {size_text(free)} are free on that disk; "
            f"make room{advice}."
        )
