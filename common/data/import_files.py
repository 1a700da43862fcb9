"""Import the organisers' files (`make data`): check all of them in a staging folder, then move them into place."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from common.core.errors import UserError
from common.core.files import fsync_folder, shown
from common.data import checks
from common.data.checks import check_same_ids
from common.data.competition import Competition
from common.data.sources import Found, choose, opened, parts


def import_data(competition: Competition, source: Path) -> list[str]:
    """Check the declared files of `source`, move them into place, and return one report line for each file.

    `source` is a folder or a .zip; the files may be in subfolders. A report line gives the rows and the warnings.
    Raises UserError when a file is missing, invalid or found twice, when the archive is damaged or has paths outside
    its root, or when writing fails; then nothing has changed.
    """
    with opened(source) as found:
        chosen = choose(competition, source, found)
        with _staging(competition) as staging:
            for path, item in chosen.items():
                _copy(item, staging / path)
            report = _check(competition, chosen, staging)
            _move(competition, staging, list(chosen))
    return report


@contextmanager
def _staging(competition: Competition) -> Iterator[Path]:
    """Yield an empty folder on the same disk as the data and remove it at the end; only one import runs at a time."""
    data = competition.folder / "data"
    new = not data.exists()
    try:
        data.mkdir(exist_ok=True)
        lock = os.open(data, os.O_RDONLY)
    except OSError as error:
        raise _unwritable(data, error) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(
                f"{shown(data)}: another make data is running there; wait for it to end."
            ) from error
        try:
            for left in data.glob(".staging-*"):  # left by an import that was killed
                shutil.rmtree(left, ignore_errors=True)
            staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=data))
        except OSError as error:
            raise _unwritable(data, error) from error
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    finally:
        if new and not any(data.iterdir()):
            data.rmdir()
        os.close(lock)


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{shown(path)}: cannot be written ({error.strerror}); nothing was changed. "
        "Make the folder writable or free some space, then run make data again."
    )


def _copy(item: Found, target: Path) -> None:
    """Copy one file; reading an archive entry to its end also verifies its checksum."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as copy:
            for part in parts(item):
                copy.write(part)
            copy.flush()
            os.fsync(copy.fileno())
    except OSError as error:
        raise UserError(
            f"{item.label}: cannot be copied ({error.strerror}); nothing was changed. Free some space, or make the "
            "competition's folder writable."
        ) from error


def _check(competition: Competition, chosen: Mapping[str, Found], staging: Path) -> list[str]:
    """Check every staged file, compare sample and solution with test, and return the report lines."""
    checked = {
        kind: checks.check(competition, kind, staging / spec.path, chosen[spec.path].label)
        for kind, spec in competition.files.items()
    }
    for kind in ("sample", "solution"):
        if kind in checked:
            check_same_ids(competition, kind, checked[kind], checked["test"])
    report = []
    for path in chosen:
        kinds = [kind for kind, spec in competition.files.items() if spec.path == path]
        notes = {
            name: f"{count} × {checked[kind].examples[name]}"
            for kind in kinds
            for name, count in checked[kind].warnings.items()
        }
        count = len(checked[kinds[0]].table.records)
        report.append(f"{path}: {count} rows, {'; '.join(notes.values()) or 'no warnings'}")
    return report


def _move(competition: Competition, staging: Path, paths: list[str]) -> None:
    """Rename the staged files into place; when one rename fails, restore the previous files."""
    done: list[tuple[Path, Path | None]] = []
    try:
        for path in paths:
            target, old = competition.folder / path, staging / f"{path}.old"
            target.parent.mkdir(parents=True, exist_ok=True)
            (staging / path).chmod(0o644)
            existed = target.exists()
            if existed:
                shutil.copyfile(target, old)
            (staging / path).replace(target)
            done.append((target, old if existed else None))
        for folder in {target.parent for target, _ in done}:
            fsync_folder(folder)
    except BaseException as error:  # also after Ctrl-C: either all files are replaced or none
        for target, before in reversed(done):
            if before is None:
                target.unlink()
            else:
                before.replace(target)
        if isinstance(error, OSError):
            raise _unwritable(competition.folder / "data", error) from error
        raise
