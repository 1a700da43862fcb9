"""Hold the folder of a run, so that no other process works in it."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from common.core.errors import UserError
from common.core.files import shown
from common.core.signals import Interrupted
from common.runs.undo import contents


@contextlib.contextmanager
def locked_run(
    folder: Path, advice: str = "wait for it to end, or give this run another name with run=."
) -> Iterator[None]:
    """Hold the folder's lock inside this context; create the folder first if necessary.

    When the code inside fails or is interrupted, a new lock is removed, and a new folder in which nothing was made.
    Raises UserError, which ends in `advice`, when another process holds the lock; and when the folder cannot be written.
    """
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    first = not Path(lock.lock_file).exists()
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=1)  # children of a process that was just killed may hold it for a moment
        folder.mkdir(exist_ok=True)  # the process that held the lock may have removed it at its end
    except Timeout as error:
        raise UserError(f"{shown(folder)} is in use by another process; {advice}") from error
    except OSError as error:
        raise UserError(
            f"{shown(folder)}: cannot be written ({error.strerror}); make it writable."
        ) from error
    try:
        yield
    except (Exception, Interrupted):
        if first:  # filelock notices that a file it waited for was removed
            Path(lock.lock_file).unlink(missing_ok=True)
        if new and not contents(folder):
            shutil.rmtree(folder)
            with contextlib.suppress(OSError):  # another run may have begun in a parent
                for path in new[1:]:
                    path.rmdir()
        raise
    finally:
        lock.release()
