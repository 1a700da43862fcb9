"""Find a training's newest intact step checkpoint, and delete old ones."""

import logging
import re
import shutil
from pathlib import Path

from common.core.verified_folder import problem

log = logging.getLogger(__name__)


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
