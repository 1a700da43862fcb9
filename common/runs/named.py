"""Find the predictions and the settings of a run by its name, where a file may be given too."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import kind_of, root, shown, user_path
from common.core.messages import brief, cut, listed
from common.core.mistyped import did_you_mean
from common.core.paths import RUN_NAME, archived_folder, outputs, run_folder, wanted_run
from common.data.competition_file import comp_setting
from common.data.rows import SplitName
from common.runs.catalogue import run_folders
from common.runs.experiments import require_experiment
from common.runs.record import read_record, stage_command, unfinished

log = logging.getLogger(__name__)


def run_of_experiment(experiment: str, run: str | None) -> str:
    """Return the name of a run of the experiment; default: the experiment's own. Raises UserError for a run of another one."""
    run = experiment if run is None else run
    if run.split("-")[0] != experiment:
        raise UserError(
            f"run {brief(run)} does not belong to {experiment}; wanted {experiment} or {experiment}-NAME."
        )
    return run


def predictions_path(text: str, competition: str, split: SplitName, members: Sequence[str] = ()) -> Path:
    """Return the predictions file that a user named by its path or by a run: exp002, exp002-seed2.

    A file of that name wins. An archived run counts. A warning is logged when the run's inference has not finished. `members`:
    other names that the user may have meant.
    Raises UserError with the command that makes the predictions when the run has none, and for an unknown experiment.
    """
    path = user_path(text)
    try:
        is_file = kind_of(path) not in ("", "folder")
    except OSError:
        is_file = True  # reading it says what is wrong
    if is_file or not RUN_NAME.fullmatch(text):
        if not is_file and not kind_of(path) and "/" not in text and not path.suffix:
            problem = f"{cut(text)}: not there, and neither the name of a recipe's member nor of a run: {wanted_run(text)}"
            raise UserError(f"{problem}.{did_you_mean(text, [*_runs(outputs(competition)), *members])}")
        return path
    folder, archived = run_folder(competition, text), archived_folder(competition, text)
    if not folder.is_dir() and archived.is_dir():
        folder = archived
    found = folder / split / "predictions.csv"
    if not found.exists():
        raise UserError(_no_predictions(folder, competition, split))
    if unfinished(folder):
        log.warning(
            "%s: its last inference has not finished; these predictions are from an earlier one.",
            shown(folder),
        )
    return found


def _no_predictions(folder: Path, competition: str, split: SplitName) -> str:
    run = folder.name
    if not folder.is_dir():
        require_experiment(run.split("-")[0])
    comp = comp_setting(competition)
    commands = [stage_command(run, stage, folder, comp) for stage in ("train", "infer")]
    if read_record(folder).get("train", {}).get("status") == "finished":
        commands.pop(0)
    make = " && ".join(commands)
    if folder.is_dir():
        return f"run {run} of {competition} has no {split} predictions; make them with: {make}"
    others = _runs(folder.parent)
    return (
        f"{run} is neither a file nor a run of {competition} (runs: {listed(others) or 'none'})."
        f"{did_you_mean(run, others)} Make its predictions with: {make}"
    )


def _runs(folder: Path) -> list[str]:
    return [path.name for path in run_folders(folder)]


def run_of(path: Path) -> Path | None:
    """Return the run folder that a predictions file belongs to; None for a file from elsewhere."""
    folder = path.resolve().parent.parent
    inside = root() / "outputs" in folder.parents and RUN_NAME.fullmatch(folder.name)
    return folder if inside and (folder / "run.json").is_file() else None


def run_settings(folder: Path) -> dict[str, Any]:
    """Return the settings that a run's predictions were made with, by dotted name, and its experiment.

    Raises UserError when its record cannot be read.
    """
    stages = read_record(folder)
    settings = {
        name: value
        for stage in ("train", "infer")
        for name, value in stages.get(stage, {}).get("config", {}).items()
    }
    return {"experiment": folder.name.split("-")[0], **settings}


def different_settings(first: Path, second: Path) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ between the runs of two folders: name → the two values, None where one lacks it."""
    a, b = run_settings(first), run_settings(second)
    return {name: (a.get(name), b.get(name)) for name in {**a, **b} if a.get(name) != b.get(name)}


def settings_table(different: dict[str, tuple[Any, Any]]) -> Sequence[Sequence[str]]:
    """Return a header and a row for each setting that differs."""

    def cell(value: Any) -> str:
        return (
            "–"
            if value is None
            else value
            if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False)
        )

    return [["setting", "a", "b"], *([name, cell(a), cell(b)] for name, (a, b) in different.items())]
