"""Recognize a run that was imported from another machine, and refuse what only its own machine can do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import read_json, shown

MARKER = "imported.json"
"""Name of the file of a run's folder that says that the run was imported."""


@dataclass(frozen=True)
class Imported:
    """What an imported run's marker says."""

    run: str
    """Name of the run on the machine that made it."""
    weights: bool
    """Whether its best checkpoint came with it."""
    inferred: str
    """Time when the imported inference began; a later one was made here."""


def is_imported(folder: Path) -> bool:
    """Return whether the run in this folder came from another machine."""
    return (folder / MARKER).exists()


def read_marker(folder: Path) -> Imported | None:
    """Return what is known of an imported run; None for a run of this machine. Raises UserError for a damaged marker."""
    path = folder / MARKER
    if not path.exists():
        return None
    content: Any = read_json(path)
    found = content if isinstance(content, dict) else {}
    run, weights, inferred = (found.get(name) for name in ("run", "weights", "inferred"))
    if not (isinstance(run, str) and isinstance(weights, bool) and isinstance(inferred, str)):
        raise UserError(
            f"{shown(path)}: not what make import writes; remove {shown(folder)} and import the run again."
        )
    return Imported(run, weights, inferred)


def require_weights(folder: Path) -> None:
    """Raise UserError when the run was imported without its weights."""
    found = read_marker(folder)
    if found is not None and not found.weights:
        raise UserError(
            f"{shown(folder)} was imported without its weights; score, compare and submit use the predictions that came with it. "
            "For more, ask for a file of make export weights=1, and import that one under another name."
        )


def require_startable_here(folder: Path, stage: str) -> None:
    """Raise UserError when the run was imported and the stage is train, or infer without weights."""
    found = read_marker(folder)
    if found is None:
        return
    if stage == "train":
        experiment = folder.name.partition("-")[0]
        raise UserError(
            f"{shown(folder)} was imported from another machine and is never trained here; train a run of your own under another "
            f"name: make exp={experiment} train run={experiment}-NAME"
        )
    require_weights(folder)
