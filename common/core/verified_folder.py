"""Write folders atomically and verify them later.

`save` lets a function fill a staging folder, hashes its files into a manifest, flushes them to disk and renames the
folder. `problem` and `fingerprint` compare a folder with its manifest; `build_once` writes a folder only when it is
missing or damaged.
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from common.core.errors import UserError, first_line
from common.core.files import (
    existing_parent,
    fsync_folder,
    read_json,
    sha256_file,
    sha256_files,
    shown,
    write_json,
)
from common.core.messages import size_text
from common.core.progress import waiting

MANIFEST = "manifest.json"
log = logging.getLogger(__name__)


def save(folder: Path, write: Callable[[Path], None]) -> str:
    """Let `write` fill a staging folder, rename it to `folder`, and return the sha256 of its manifest.

    An older `folder` is replaced only after the new one is complete on disk.
    Raises UserError when the disk is full or refuses to write; the older folder then stays.
    """
    staging = staging_folder(folder)
    remove(staging)
    restore_interrupted(folder)  # the old folder may be the only complete one until the new one is
    try:
        staging.mkdir(parents=True)
        write(staging)
        written = sorted(p for p in staging.rglob("*") if p.is_file())
        hashes = sha256_files(written)
        for path in written:
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
        names = [str(path.relative_to(staging)) for path in written]
        write_json(staging / MANIFEST, dict(zip(names, hashes, strict=True)))
        for inner in [*(p for p in staging.rglob("*") if p.is_dir()), staging]:
            fsync_folder(inner)
        fingerprint = sha256_file(staging / MANIFEST)
        old = folder.with_name(f".old-{folder.name}")
        remove(old)
        if folder.exists():
            folder.rename(old)
        staging.rename(folder)
        fsync_folder(folder.parent)
        remove(old)
    except Exception as error:
        remove(staging)
        # On a full disk, files and copies raise OSError, torch.save RuntimeError, safetensors SafetensorError, and
        # tokenizers a bare Exception: "No space left on device (os error 28)".
        may_be_disk = (
            isinstance(error, OSError | RuntimeError | UserError)
            or type(error).__name__ == "SafetensorError"
            or "(os error " in str(error)
        )
        if not may_be_disk:
            raise
        restore_interrupted(folder)
        free = shutil.disk_usage(folder.parent).free if folder.parent.exists() else 0
        kept = "What was there before is unchanged" if folder.exists() else "No incomplete files are left"
        raise UserError(
            f"{shown(folder)}: saving failed ({error}); {size_text(free)} are free there. "
            f"{kept}: make room and run the same command again."
        ) from error
    except BaseException:  # a signal
        remove(staging)
        raise
    return fingerprint


def build_once(folder: Path, write: Callable[[Path], None]) -> Path:
    """Return `folder`, verified; when it is missing or damaged, let `write` fill it first, in one process at a time.

    Raises the UserError of `write`, or one that names the free disk space when writing fails.
    """
    if folder.exists() and problem(folder) is None:
        return folder

    def fill(staging: Path) -> None:
        write(staging)
        for path in staging.iterdir():
            path.chmod(0o644)  # safetensors creates files that other users cannot read

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            _sweep(folder)
            damage = problem(folder) if folder.exists() else ""
            if damage is None:  # another process was faster
                return folder
            if damage:
                log.warning("%s: %s; converting the model again", shown(folder), damage)
            save(folder, fill)
    except (OSError, UserError) as error:
        cause = error.__cause__
        if isinstance(cause, UserError) and not isinstance(cause.__cause__, OSError):
            raise cause from None  # not a disk error, but something that `write` found wrong with the model
        free = shutil.disk_usage(existing_parent(folder)).free
        raise UserError(
            f"{shown(folder)}: converting the model failed ({first_line(cause or error)}); {size_text(free)} are free there. "
            "No incomplete files are left: make room, or set KDS_MODEL_CACHE to a folder on another disk, and run "
            "the same command again."
        ) from error
    return folder


def _sweep(folder: Path) -> None:
    """Remove what killed processes left of other folders beside `folder`: the folders whose lock nobody holds."""
    for left in [*folder.parent.glob(".staging-*"), *folder.parent.glob(".old-*")]:
        name = left.name.partition("-")[2]
        target = folder.with_name(name)
        if name == folder.name or (left.name.startswith(".old-") and not target.exists()):
            continue  # `save` handles its own, and an old folder may be the only complete one
        with contextlib.suppress(Timeout), FileLock(folder.with_name(f".{name}.lock")).acquire(timeout=0):
            shutil.rmtree(left, ignore_errors=True)


def problem(folder: Path) -> str | None:
    """Return the damage of a saved folder (a missing, extra or changed file) as one line; None when it is intact."""
    try:
        return _damage(folder)
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"{shown(Path(error.filename or folder))} cannot be read ({error.strerror})"


def _damage(folder: Path) -> str | None:
    if folder.exists() and not folder.is_dir():
        return f"{shown(folder)} is not a folder"
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or not all(isinstance(value, str) for value in manifest.values()):
        return f"{shown(folder / MANIFEST)} is not a table of files and their hashes"
    there = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if not path.is_dir()}
    regular = [name for name in manifest if name in there and there[name].is_file()]
    hashes = dict(zip(regular, sha256_files([there[name] for name in regular]), strict=True))
    for name, expected in manifest.items():
        if name not in there:
            return f"{shown(folder / name)} is missing"
        if hashes.get(name) != expected:
            return f"{shown(there[name])} has changed since it was saved"
    for name, path in there.items():
        if name not in manifest and name != MANIFEST:
            return f"{shown(path)} was added after it was saved"
    return None


def fingerprint(folder: Path) -> str:
    """Return the sha256 of an intact folder's manifest, which covers every file in it. Raises UserError when damaged."""
    restore_interrupted(folder)
    with waiting(f"check {shown(folder)}"):  # some weights take seconds to read
        damage = problem(folder)
    if damage:
        raise UserError(f"{shown(folder)} cannot be used: {damage}. Train again to replace it.")
    return sha256_file(folder / MANIFEST)


def staging_folder(folder: Path) -> Path:
    """Return the path of the staging folder that `save` fills before renaming it to `folder`."""
    return folder.with_name(f".staging-{folder.name}")


def remove(path: Path) -> None:
    """Delete a folder, a file or a link, if it is there; what cannot be deleted stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def restore_interrupted(folder: Path) -> None:
    """Undo a replacement that a crash interrupted between its two renames."""
    old = folder.with_name(f".old-{folder.name}")
    if old.exists() and not folder.exists():
        old.rename(folder)
