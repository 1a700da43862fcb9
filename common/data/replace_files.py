"""Replace all data files of a competition at once: a kill at any moment leaves all the old files or all the new ones.

The new files are staged in a folder that holds the other files of `data/` too, and the two folders are exchanged in
one step (renameat2 on Linux). Where that is impossible (a mount point, a file system or system without that call), the
new files are completed in `data/.ready` first and then renamed one by one; a kill meanwhile leaves the rest to
`finish_import`, which every command calls before it uses the competition.
"""

import ctypes
import errno
import fcntl
import filecmp
import logging
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from common.core.errors import UserError
from common.core.files import fsync_folder, shown
from common.core.temporary import sweep, temporary_folder
from common.data.competition import Competition

READY = ".ready"
"""Folder under data/: complete new files that are being put in place."""
IMPORTED = ".imported"
"""Marker under data/: these files have just been imported, so their competition is the active one."""
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2
_HERE = -100  # AT_FDCWD: relative paths start at the working directory
log = logging.getLogger(__name__)


@contextmanager
def staging_folder(competition: Competition) -> Iterator[Path]:
    """Yield an empty folder for new data files and remove it at the end; only one import runs at a time.

    Raises UserError when another import is running or the folder of the data cannot be written.
    """
    data = competition.folder / "data"
    with _locked(competition.folder, wait=False):
        if data.exists() and not data.is_dir():
            raise unwritable(data, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
        _finish(competition.folder)
        sweep(data)
        try:
            staging = temporary_folder(data.resolve())
        except OSError:  # only the data folder itself may be written, for example a mounted one
            try:
                staging = temporary_folder(data / "data")
            except OSError as error:
                raise unwritable(data, error) from error
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def unwritable(path: Path, error: OSError) -> UserError:
    """Return the error for a data folder that cannot be written."""
    return UserError(
        f"{shown(path)}: cannot be written ({error.strerror}); nothing was changed. "
        "Make the folder writable or free some space, then run make data again."
    )


def put_in_place(competition: Competition, staging: Path, paths: Sequence[str]) -> None:
    """Replace the data files by the staged ones, all at once; other files in the data folder stay.

    `paths` are relative to the competition's folder and to `staging`. From this moment the competition is the active
    one. Raises UserError when that fails; then nothing has changed, or the next command completes it.
    """
    home, new = (competition.folder / "data").resolve(), staging / "data"
    declared = [Path(path).relative_to("data") for path in paths]
    old = [competition.folder / path for path in paths]
    if all(
        p.is_file() and filecmp.cmp(p, staging / q, shallow=False) for p, q in zip(old, paths, strict=True)
    ):
        return
    try:
        for path in paths:
            (staging / path).chmod(0o644)
        (new / IMPORTED).touch()
        if not home.exists():
            _sync(new)
            new.rename(home)
        elif not _exchanged(home, new, declared):
            _make_ready(home, new, [*declared, Path(IMPORTED)])
            _finish(competition.folder)
        fsync_folder(home.parent)
    except OSError as error:
        raise unwritable(competition.folder / "data", error) from error


def finish_import(folder: Path) -> None:
    """Put the rest of the files in place when an import of this competition folder was interrupted meanwhile.

    Raises UserError when the folder cannot be written.
    """
    if (folder / "data" / READY).is_dir():
        with _locked(folder, wait=True):
            _finish(folder)


@contextmanager
def _locked(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of a competition's folder: it stays the same folder when `data` is replaced."""
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"{shown(folder / 'data')}: another make data is running there; wait for it to end."
            ) from error
        except OSError as error:
            raise UserError(
                f"{shown(folder)}: cannot be locked ({error.strerror}; a network disk?); put the repository on a disk that "
                "can lock folders."
            ) from error
        yield
    finally:
        os.close(lock)


def _exchanged(home: Path, new: Path, declared: Collection[Path]) -> bool:
    """Exchange the two folders in one step and return True; return False when that is impossible here."""
    if new.is_relative_to(home):
        return False
    try:
        shutil.copymode(home, new)
        _link_others(home, new)
        _sync(new)
        _exchange(home, new)
    except OSError as error:
        log.debug("%s: not exchanged (%s); renaming the files one by one", home, error)
        return False
    # What was written to the old folder between the two steps above.
    for path in _files(new):
        if path not in declared and path.parts[0] != IMPORTED:
            (home / path.parent).mkdir(parents=True, exist_ok=True)
            (new / path).replace(home / path)
    return True


def _exchange(a: Path, b: Path) -> None:
    """Exchange two paths in one step. Raises OSError where the system or the file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError(0, "no renameat2")
    if rename(_HERE, os.fsencode(a), _HERE, os.fsencode(b), _EXCHANGE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _link_others(home: Path, new: Path) -> None:
    """Link the other files of the data folder into the new one. Raises OSError where links are impossible."""
    for parent, subfolders, _ in os.walk(home):
        for folder in (Path(parent) / name for name in subfolders):
            if not folder.is_symlink():
                (new / folder.relative_to(home)).mkdir(exist_ok=True)
                shutil.copymode(folder, new / folder.relative_to(home))
    for path in _files(home):
        if path.parts[0] != IMPORTED and not os.path.lexists(new / path):
            os.link(home / path, new / path, follow_symlinks=False)


def _files(folder: Path) -> list[Path]:
    """Return the files below a folder and the links to folders, relative to it."""
    found = []
    for parent, subfolders, names in os.walk(folder):
        links = [name for name in subfolders if (Path(parent) / name).is_symlink()]
        found += [(Path(parent) / name).relative_to(folder) for name in [*names, *links]]
    return found


def _make_ready(home: Path, new: Path, paths: Sequence[Path]) -> None:
    """Copy the new files to data/.ready, complete and on disk before it gets that name."""
    copied = temporary_folder(home / READY)
    try:
        for path in paths:
            (copied / path.parent).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new / path, copied / path)
            with (copied / path).open("rb") as handle:
                os.fsync(handle.fileno())
        _sync(copied)
        copied.rename(home / READY)
        fsync_folder(home)
    except BaseException:
        shutil.rmtree(copied, ignore_errors=True)
        raise


def _finish(folder: Path) -> None:
    """Rename what is in data/.ready into place; the caller holds the lock."""
    data = folder / "data"
    ready = data / READY
    if not ready.is_dir():
        return
    try:
        for path in sorted(_files(ready)):
            (data / path.parent).mkdir(parents=True, exist_ok=True)
            (ready / path).replace(data / path)
        for changed in {data, *(data / path.parent for path in _files(data))}:
            fsync_folder(changed)
        shutil.rmtree(ready)
    except OSError as error:
        raise UserError(
            f"{shown(data)}: an import was interrupted while its files were put in place, and cannot be completed "
            f"({error.strerror}). Make the folder writable or free some space, then run the command again."
        ) from error


def _sync(folder: Path) -> None:
    """Make the names inside a folder durable."""
    for parent, _, _ in os.walk(folder):
        fsync_folder(Path(parent))
