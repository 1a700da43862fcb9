"""Find a training's newest intact step checkpoint, and delete old ones."""

import logging
import re
from pathlib import Path

from common.core.errors import UserError
from common.core.files import shown
from common.core.verified_folder import problem, remove

log = logging.getLogger(__name__)
MOST_SAVING = 0.05
"""Largest share of the time that saving checkpoints may take."""


def step_folder(parent: Path, step: int) -> Path:
    """Return the path of the checkpoint of an optimizer step."""
    return parent / f"step-{step:08d}"


def steps(parent: Path) -> list[Path]:
    """Return the checkpoint folders of a run, oldest first, intact or not.

    Raises UserError when `parent` is not a folder or cannot be read.
    """
    try:
        return sorted(p for p in parent.iterdir() if re.fullmatch(r"step-\d{8}", p.name))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(
            f"{shown(parent)}: wanted a folder of checkpoints ({error.strerror}); move it away, or run again with restart=1."
        ) from error


def newest_intact(parent: Path) -> Path | None:
    """Return the newest checkpoint whose files all match its manifest, or None.

    Log a warning for each damaged one, for other names that start with "step", and when no checkpoint is intact.
    Raises UserError as `steps` does.
    """
    found = steps(parent)
    for name in sorted(p.name for p in parent.glob("step*") if p not in found):
        log.warning("ignoring %s: checkpoints are named step- and eight digits", name)
    for path in reversed(found):
        damage = problem(path)
        if damage is None:
            return path
        log.warning("skipping checkpoint %s: %s", path.name, damage)
    if found:
        log.warning("no checkpoint in %s is intact: training begins from the start", shown(parent))
    return None


def pause(minutes: float, saving: float) -> float:
    """Return the seconds of training between two checkpoints: `minutes`, or more so that saving stays below MOST_SAVING.

    `saving`: seconds that the last checkpoint took. With 0 minutes there is a checkpoint after each step.
    """
    return max(60 * minutes, saving * (1 / MOST_SAVING - 1)) if minutes else 0.0


def tell_of_pause(minutes: float, before: float, saving: float) -> None:
    """Log that checkpoints come less often than every `minutes`, when the last one is the first for which this holds."""
    if pause(minutes, saving) > 60 * minutes >= pause(minutes, before):
        log.info(
            "a checkpoint took %.0f seconds: the next ones are at least %.0f minutes apart, so that saving takes at most "
            "5%% of the time", saving, pause(minutes, saving) / 60,
        )  # fmt: skip


def prune(parent: Path, newest: Path, keep: int) -> None:
    """Delete all checkpoints except `newest` and the `keep` - 1 before it.

    Checkpoints later than `newest` are deleted too: they must be damaged, or training would have resumed from them.
    The remains of interrupted saves are also deleted.
    """
    kept = [path for path in steps(parent) if path.name <= newest.name][-max(keep, 1) :]
    later = [path for path in steps(parent) if path not in kept]
    for path in [*later, *parent.glob(".staging-*"), *parent.glob(".old-*")]:
        remove(path)
