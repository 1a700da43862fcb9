"""Lock a folder, so that one process writes and every other one stops with a message."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from common.core.errors import UserError
from common.core.files import shown


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's lock inside this context; create the folder first if necessary.

    Raises UserError when another process holds the lock or the folder cannot be written.
    """
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock.acquire(timeout=0):
            yield
    except Timeout as error:
        raise UserError(
            f"{shown(folder)} is in use by another process; wait for it, or choose another name=."
        ) from error
    except OSError as error:
        raise UserError(
            f"{shown(folder)}: cannot be written ({error.strerror}); make it writable or free some space."
        ) from error
