"""Lock a folder, so that one process writes and every other one stops with a message."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from common.core.errors import UserError
from common.core.files import shown


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's lock inside this context; create the folder first if necessary.

    When the code inside fails and leaves a new folder empty, the folder and its lock are removed.
    Raises UserError when another process holds the lock or the folder cannot be written.
    """
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock.acquire(timeout=0):
            try:
                yield
            except BaseException:
                if new and not any(folder.iterdir()):
                    Path(lock.lock_file).unlink(missing_ok=True)  # a process that waits for it notices
                    with suppress(OSError):  # another process may use a parent
                        for path in new:
                            path.rmdir()
                raise
    except Timeout as error:
        raise UserError(
            f"{shown(folder)} is in use by another process; wait for it, or choose another name=."
        ) from error
    except OSError as error:
        raise UserError(
            f"{shown(folder)}: cannot be written ({error.strerror}); make it writable or free some space."
        ) from error


@contextmanager
def removed_on_failure(lock: FileLock, *, new: bool) -> Iterator[None]:
    """Remove the file of a held lock when the code inside fails and the file is new; release the lock in any case.

    Another process that waits for the lock notices that its file was removed.
    """
    try:
        yield
    except BaseException:
        if new:
            Path(lock.lock_file).unlink(missing_ok=True)
        raise
    finally:
        lock.release()
