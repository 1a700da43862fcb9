"""Undo a start that failed before it made anything: the run's folder is then as it was before."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import atomic_path, shown
from common.runs.run import Run

RECORD = "run.json"
Contents = dict[str, tuple[int, int]]


@contextmanager
def undone_if_nothing_is_made(run: Run[Any]) -> Iterator[None]:
    """Put back the record, and the run that restart=1 moved aside, when an error or a signal leaves nothing new in the folder.

    A start that fails would otherwise replace the record of a finished stage, or of a training that can be resumed.
    """
    record = run.folder / RECORD
    before = _content(record)
    there, answers = contents(run.folder), _answers()
    try:
        yield
    except BaseException:
        with suppress(OSError):  # the error that is on its way says more
            if run.aside is not None:
                if not contents(run.folder):
                    _bring_back(run.folder, run.aside)
            elif contents(run.folder) == there and _answers() == answers:
                _restore(record, before)
        raise


def contents(folder: Path) -> Contents:
    """Return size and time of each file in the folder except the record."""
    found = {}
    for path in folder.rglob("*") if folder.is_dir() else ():
        if path.is_file() and path != folder / RECORD:
            about = path.stat()
            found[str(path.relative_to(folder))] = (about.st_size, about.st_mtime_ns)
    return found


def _answers() -> int:
    """Return how many paid answers are kept; they lie outside the run's folder."""
    if "common.llm.cache" not in sys.modules:  # nothing is asked
        return 0
    from common.llm.cache import default_path, number_kept

    return number_kept(default_path())


def _content(record: Path) -> bytes | None:
    """Return the bytes of a record, which may be damaged; None when there is none. Raises UserError when it cannot be read."""
    try:
        return record.read_bytes() if record.is_file() else None
    except OSError as error:
        raise UserError(f"{shown(record)}: cannot be read ({error.strerror}); make it readable.") from error


def _restore(record: Path, before: bytes | None) -> None:
    if before is None:
        record.unlink(missing_ok=True)
    elif not record.is_file() or record.read_bytes() != before:
        with atomic_path(record) as path:
            path.write_bytes(before)


def _bring_back(folder: Path, aside: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    with suppress(OSError):  # other runs may lie there
        aside.parent.rmdir()
