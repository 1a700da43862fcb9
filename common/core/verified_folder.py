"""Save folders atomically (stage, hash, fsync, rename), verify them, and find the newest intact checkpoint."""

import logging
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from common.core.errors import UserError
from common.core.files import fsync_folder, read_json, sha256_file, shown, write_json

MANIFEST = "manifest.json"
log = logging.getLogger(__name__)


def save(folder: Path, write: Callable[[Path], None]) -> str:
    """Let `write` fill a staging folder, rename it to `folder`, and return the sha256 of its manifest.

    An older `folder` is replaced only after the new one is complete on disk.
    Raises UserError when the disk is full or refuses to write; the older folder then stays.
    """
    staging = staging_folder(folder)
    shutil.rmtree(staging, ignore_errors=True)
    _restore_interrupted(folder)  # the old folder may be the only complete one until the new one is
    try:
        staging.mkdir(parents=True)
        write(staging)
        manifest = {}
        for path in sorted(p for p in staging.rglob("*") if p.is_file()):
            manifest[str(path.relative_to(staging))] = sha256_file(path)
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
        write_json(staging / MANIFEST, manifest)
        for inner in [*(p for p in staging.rglob("*") if p.is_dir()), staging]:
            fsync_folder(inner)
        fingerprint = sha256_file(staging / MANIFEST)
        old = folder.with_name(f".old-{folder.name}")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        staging.rename(folder)
        fsync_folder(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    except Exception as error:
        shutil.rmtree(staging, ignore_errors=True)
        # On a full disk, files and copies raise OSError, torch.save RuntimeError and safetensors SafetensorError.
        may_be_disk = (
            isinstance(error, OSError | RuntimeError | UserError) or type(error).__name__ == "SafetensorError"
        )
        if not may_be_disk:
            raise
        free = shutil.disk_usage(folder.parent).free // 2**20 if folder.parent.exists() else 0
        raise UserError(
            f"{shown(folder)}: saving failed ({error}); {free} MB are free there. "
            "The previous checkpoint is intact: make room and run the same command again."
        ) from error
    return fingerprint


def staging_folder(folder: Path) -> Path:
    """Return the path of the staging folder that `save` fills before renaming it to `folder`."""
    return folder.with_name(f".staging-{folder.name}")


def _restore_interrupted(folder: Path) -> None:
    """Undo a replacement that a crash interrupted between its two renames."""
    old = folder.with_name(f".old-{folder.name}")
    if old.exists() and not folder.exists():
        old.rename(folder)


def problem(folder: Path) -> str | None:
    """Return what is wrong with a saved folder (a missing, extra or changed file), or None when it is intact."""
    try:
        manifest = read_json(folder / MANIFEST)
    except UserError as error:
        return str(error)
    for name, expected in manifest.items():
        path = folder / name
        if not path.is_file():
            return f"{shown(path)} is missing"
        if sha256_file(path) != expected:
            return f"{shown(path)} has changed since it was saved"
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = str(path.relative_to(folder))
        if name not in manifest and name != MANIFEST:
            return f"{shown(path)} was added after it was saved"
    return None


def fingerprint(folder: Path) -> str:
    """Return the sha256 of an intact folder's manifest, which covers every file in it. Raises UserError when damaged."""
    _restore_interrupted(folder)
    damage = problem(folder)
    if damage:
        raise UserError(f"{shown(folder)} cannot be used: {damage}. Train again to replace it.")
    return sha256_file(folder / MANIFEST)


def step_folder(parent: Path, step: int) -> Path:
    """Return the path of the checkpoint of an optimizer step."""
    return parent / f"step-{step:08d}"


def steps(parent: Path) -> list[Path]:
    """Return the checkpoint folders of a run, oldest first, intact or not."""
    if not parent.exists():
        return []
    return sorted(p for p in parent.iterdir() if re.fullmatch(r"step-\d{8}", p.name))


def newest_intact(parent: Path) -> Path | None:
    """Return the newest checkpoint whose files all match its manifest, or None; log a warning for each damaged one."""
    for path in reversed(steps(parent)):
        damage = problem(path)
        if damage is None:
            return path
        log.warning("skipping checkpoint %s: %s", path.name, damage)
    return None


def prune(parent: Path, newest: Path, keep: int) -> None:
    """Delete all checkpoints except `newest` and the `keep` - 1 before it.

    Checkpoints later than `newest` are deleted too: they must be damaged, or training would have resumed from them.
    The remains of interrupted saves are also deleted.
    """
    kept = [path for path in steps(parent) if path.name <= newest.name][-max(keep, 1) :]
    for path in steps(parent):
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)
    for left in [*parent.glob(".staging-*"), *parent.glob(".old-*")]:
        shutil.rmtree(left, ignore_errors=True)
