"""Move a run into the archive of its competition and back, whole and verified; write a run's note."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from common.core.errors import UserError
from common.core.files import fsync_folder, read_json, sha256_file, shown, write_json, write_text
from common.core.messages import brief, listed
from common.core.mistyped import did_you_mean
from common.core.paths import archived_folder, run_folder
from common.core.progress import brief_progress, waiting
from common.core.verified_folder import remove, staging_folder
from common.runs.catalogue import NOTE, run_folders

LONGEST_NOTE = 500


def archive(competition: str, run: str) -> Path:
    """Move a run's folder to `archived/` beside it, and return the new path.

    The hash of every file is kept beside it, so that `restore` can tell whether one has changed. Raises UserError when
    the run is in use, not there, or already archived, or when a file cannot be moved; the run then stays as it was.
    """
    folder, target = run_folder(competition, run), archived_folder(competition, run)
    require_run(folder)
    with locked(folder):
        _require_free(target, "restore or rename that one first")
        hashes = _hashes(folder)
        write_json(
            _manifest(target), {"archived": datetime.now(UTC).isoformat(timespec="seconds"), "files": hashes}
        )
        try:
            _move(folder, target, hashes)
        except BaseException:
            if not target.exists():
                _manifest(target).unlink(missing_ok=True)
            raise
    return target


def restore(competition: str, run: str) -> Path:
    """Move an archived run back to its folder, and return that path.

    Raises UserError when it is not archived, when its folder exists, or when a file has changed since it was archived;
    nothing is moved then.
    """
    folder, source = run_folder(competition, run), archived_folder(competition, run)
    if not source.is_dir():
        there = [path.name for path in run_folders(source.parent)]
        raise UserError(
            f"run {run} is not archived. Archived runs of {competition}: {listed(there) or 'none'}.{did_you_mean(run, there)}"
        )
    with locked(folder):
        _require_free(folder, "archive or rename that one first")
        expected, hashes = _archived_hashes(source), _hashes(source)
        changed = [name for name in {**expected, **hashes} if expected.get(name) != hashes.get(name)]
        if changed := [name for name in changed if name != NOTE]:
            raise UserError(
                f"{shown(source)}: {len(changed)} of its files changed since the run was archived ({listed(changed, 3)}); "
                f"nothing was moved. Bring them back from a copy, or, to use the run as it is: mv {shown(source)} {shown(folder)}"
            )
        _move(source, folder, hashes)
        _manifest(source).unlink(missing_ok=True)
    return folder


def note(competition: str, run: str, text: str) -> Path:
    """Write the note of a run, or remove it when the text is blank; return the path of the note.

    Raises UserError for a text that is no line of at most LONGEST_NOTE printable characters, and for an unknown run.
    """
    text = text.strip()
    wanted = f"wanted one line of at most {LONGEST_NOTE} printable characters"
    if len(text) > LONGEST_NOTE:
        raise UserError(f"text {brief(text, 40)}: found {len(text)} characters, {wanted}.")
    if not text.isprintable():  # a lone surrogate is not printable either
        raise UserError(
            f"text {brief(text, 40)}: found a line break or a character that is not shown, {wanted}."
        )
    folder, archived = run_folder(competition, run), archived_folder(competition, run)
    if not folder.is_dir() and archived.is_dir():
        folder = archived
    require_run(folder)
    path = folder / NOTE
    if text:
        write_text(path, text + "\n")
    else:
        path.unlink(missing_ok=True)
    return path


def require_run(folder: Path) -> None:
    """Raise UserError, which lists the runs, when a run has no folder of its own."""
    if folder.is_symlink() or not folder.is_dir():
        there = [path.name for path in run_folders(folder.parent)]
        kind = "a link, wanted a folder" if folder.is_symlink() else "not there"
        hint = did_you_mean(folder.name, there)
        raise UserError(
            f"{shown(folder.parent)}/{folder.name}: {kind}. Runs there: {listed(there) or 'none'}.{hint}"
        )


def _require_free(path: Path, advice: str) -> None:
    if path.exists() or path.is_symlink():
        raise UserError(f"{shown(path)} already exists; {advice}. Nothing was moved.")


@contextmanager
def locked(folder: Path, undone: str = "Nothing was moved.") -> Iterator[None]:
    """Hold the lock that `make train` and `make infer` of this run take. Raises UserError when one of them runs.

    `undone`: the end of that message.
    """
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(
            f"{shown(folder)} is running; wait for it to end, or stop it first. {undone}"
        ) from error
    except OSError as error:
        raise UserError(
            f"{shown(folder)}: cannot be locked ({error.strerror}); make {shown(folder.parent)} writable."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _manifest(archived: Path) -> Path:
    return archived.with_name(f".{archived.name}.json")


def _archived_hashes(archived: Path) -> dict[str, Any]:
    """Return path → hash as written when the run was archived. Raises UserError when that list cannot be read."""
    content = read_json(_manifest(archived))
    if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
        raise UserError(
            f"{shown(_manifest(archived))}: not a list of hashes; bring it back from a copy, or move the folder by hand."
        )
    found: dict[str, Any] = content["files"]
    return found


def _hashes(folder: Path) -> dict[str, str]:
    """Return path → SHA-256 of every file below a folder; of a link, "-> " and its target.

    Raises UserError when something cannot be read or is no regular file.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()]
    bar, found = brief_progress(len(paths), f"check {folder.name}", "file", even=False), {}
    try:
        for path in paths:
            link = path.is_symlink()
            found[str(path.relative_to(folder))] = f"-> {path.readlink()}" if link else sha256_file(path)
            bar.update()
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be read ({error.strerror}); nothing was moved.") from error
    finally:
        bar.close()
    return found


def _move(source: Path, target: Path, hashes: dict[str, str]) -> None:
    """Rename a folder; on another disk, copy it, verify the copy against the hashes, and only then remove the source.

    Raises UserError when that fails; the source is then complete.
    """
    staging = staging_folder(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            source.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            remove(staging)
            with waiting(f"copy {source.name} to another disk"):
                shutil.copytree(source, staging, symlinks=True)
            if _hashes(staging) != hashes:
                raise OSError(errno.EIO, "the copy differs from the original") from error
            flush(staging)
            staging.rename(target)
            fsync_folder(target.parent)
            old = source.with_name(f".old-{source.name}")  # no half-removed run if this process is killed
            source.rename(old)
            remove(old)
        fsync_folder(target.parent)
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or "some files cannot be copied"
        raise UserError(
            f"{shown(source)}: cannot be moved to {shown(target)} ({reason}); the run stays where it was."
        ) from error
    finally:
        remove(staging)


def flush(folder: Path) -> None:
    """Make every file and folder below a folder durable. Raises OSError when that fails."""
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir() and not path.is_symlink():
            fsync_folder(path)
        elif not path.is_symlink():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
