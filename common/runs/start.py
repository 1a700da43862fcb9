"""Check a command line, the data and the machine before a stage starts: before torch is imported or anything is written."""

import argparse
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from common.core.config import override, plain
from common.core.errors import UserError
from common.core.files import root, shown
from common.core.messages import brief
from common.core.paths import RUN_NAME, outputs
from common.core.secrets import require_no_secrets
from common.data.competition import Competition
from common.data.competition_file import active_competition, load_competition
from common.data.competition_rules import require_allowed
from common.data.rows import SplitName, read_split
from common.runs.catalogue import is_running
from common.runs.imported import require_startable_here
from common.runs.record import (
    INFER_ONLY,
    changed_settings,
    made_nothing,
    make_settings,
    read_record,
    require_not_archived,
    stale_training,
    to_arguments,
)
from common.runs.requirements import Start, require_start
from common.runs.wandb_mode import sweep_run, tracking_mode

NEEDED: tuple[SplitName, ...] = ("train", "dev", "test")
"""Files that every stage of every experiment may read."""
OPTIONS = ("competition", "run", "smoke", "restart", "renew", "dry_run", "track", "predict")
"""Options of every stage, which are no settings."""
HELP = "--help"
"""Option of a stage that lists the settings of its experiment and starts nothing."""


def read_arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the common options and the other arguments. Raises UserError for a secret and for an option without its value."""
    require_no_secrets(argv)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--competition")
    parser.add_argument("--run")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--renew", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--track", default="auto")
    parser.add_argument("--predict", help=argparse.SUPPRESS)
    try:
        return parser.parse_known_args(argv)
    except argparse.ArgumentError as error:
        raise UserError(f"{error.argument_name}: {error.message}.") from None


def asks_help(argv: Sequence[str]) -> bool:
    """Return whether a command line asks for the list of settings; --help as the value of an option does not."""
    return HELP in read_arguments(argv)[1]


def run_name(experiment: str, asked: str | None) -> str:
    """Return the name of the run: `asked`, that of a sweep's trial, or the experiment's. Raises UserError for an invalid one."""
    name = (sweep_run(experiment) or experiment) if asked is None else asked
    if not RUN_NAME.fullmatch(name) or not name.startswith(experiment):
        raise UserError(
            f"run={brief(name)}: wanted {experiment} or {experiment}-something, with at most 80 characters after the hyphen, "
            "each a small letter, a digit, _ or ."
        )
    return name


def require_data(competition: Competition) -> None:
    """Raise UserError, which names every missing file and how to get it, unless all files that a stage reads are there."""
    paths = [competition.path(kind) for kind in NEEDED if kind in competition.files]
    missing = [shown(path) for path in paths if not path.is_file()]
    if missing:
        raise UserError(
            f"{', '.join(missing)}: not there; every stage needs {', '.join(NEEDED)}. Get the data with: "
            f"{competition.obtain}"
        )


def opening(stage: str, experiment: str, arguments: Sequence[str]) -> str:
    """Return the first line of a stage, shown while its libraries are imported; "" for a dry run."""
    options, _ = read_arguments(arguments)
    competition = active_competition() if options.competition is None else options.competition
    folder = shown(outputs(competition, smoke=options.smoke) / run_name(experiment, options.run))
    if options.dry_run:
        return ""
    if options.predict is not None:
        return f"{experiment}: summarizing with {folder}; loading libraries …"
    if stage == "train":
        return f"{experiment}: training on {competition} in {folder}; loading libraries …"
    return f"{experiment}: predicting for {competition} in {folder}; loading libraries …"


def config_of(experiment: str) -> Any:
    """Return an experiment's module config.py, which defines Config and SMOKE; importing it does not import torch."""
    if str(root()) not in sys.path:
        sys.path.insert(0, str(root()))
    return import_module(f"experiments.{experiment}.config")


def settings_command(experiment: str) -> str:
    """Return the command that lists the settings of an experiment."""
    return f"make settings exp={experiment}"


def require_readable_data(competition: Competition) -> None:
    """Raise UserError as `require_data` does, and as `read_split` does for a file that is not as declared."""
    require_data(competition)
    for split in NEEDED:
        if split in competition.files:
            read_split(competition, split)


def require_training(
    experiment: str, folder: Path, competition: Competition, *, smoke: bool = False
) -> dict[str, Any]:
    """Return the record of the run's finished training. Raises UserError, with the command to run, when it has not finished."""
    before: dict[str, Any] = read_record(folder).get("train", {})
    if before.get("status") != "finished":
        command = f"make exp={experiment} train{make_settings(folder.name, competition.name)}{' smoke=1' if smoke else ''}"
        if before:
            raise UserError(f"{shown(folder)} was interrupted; first run: {command}")
        raise UserError(f"{shown(folder)} has not been trained; first run: {command}")
    return before


def require_same_settings(
    experiment: str, folder: Path, competition: Competition, settings: Any, before: dict[str, Any]
) -> None:
    """Raise UserError when the recorded training had other settings than these."""
    if changed := changed_settings(settings, before):
        again = f"make exp={experiment} train{make_settings(folder.name, competition.name)} restart=1"
        raise UserError(
            f"{shown(folder)} was trained with other settings: {'; '.join(changed)}. Use the same settings, train again "
            f"({again}), or keep both with another run={experiment}-NAME."
        )


def settings_of_infer(folder: Path) -> dict[str, Any]:
    """Return the settings that only decoding reads and with which a run's finished inference was started, by dotted name."""
    given = finished_infer(folder).get("overrides", {})
    return {name: value for name, value in given.items() if name.startswith(INFER_ONLY)}


def finished_infer(folder: Path) -> dict[str, Any]:
    """Return the record of a run's finished inference with its present checkpoint; {} when there is none."""
    stages = read_record(folder)
    infer: dict[str, Any] = stages.get("infer", {})
    train = stages.get("train", {})
    finished = infer.get("status") == "finished" == train.get("status")
    return infer if finished and infer["checkpoint"] == train["checkpoint"] else {}


def _require_unused(folder: Path) -> None:
    """Raise UserError when another process uses the run; children of one that was just killed may do so for a moment."""
    until = time.monotonic() + 1
    while is_running(folder):
        if time.monotonic() > until:
            raise UserError(
                f"{shown(folder)} is in use by another process; wait for it to end (make runs shows it), or choose another run=."
            )
        time.sleep(0.05)


def _require_resumable(
    options: argparse.Namespace, experiment: str, folder: Path, competition: Competition, settings: Any
) -> None:
    """Raise UserError when a training would go on in the folder, but with other settings."""
    before = read_record(folder).get("train")
    anew = options.restart or options.smoke or options.renew or options.dry_run
    if before and not anew and (before["status"] == "finished" or not made_nothing(folder)):
        require_same_settings(experiment, folder, competition, settings, before)


def _nothing_to_do(options: argparse.Namespace, folder: Path, settings: Any) -> bool:
    """Return whether the training has finished and will not be repeated, so that it needs no GPU, key or room."""
    before = {} if options.restart else read_record(folder).get("train", {})
    if before.get("status") != "finished":
        return False
    return not (options.renew and (changed_settings(settings, before) or stale_training(folder)))


def check_start(
    stage: str,
    experiment: str,
    arguments: Sequence[str],
    *,
    processes: int = 1,
    trained: bool = True,
    alone: bool = False,
) -> None:
    """Raise UserError for what the stage itself would refuse: options, settings, data, and what the machine lacks.

    It imports only the experiment's config.py, so the answer comes before torch is loaded.
    `trained`: whether infer needs a finished training now; otherwise one comes first. `alone`: whether the stage starts
    next and in one place, so that no other process may use the run, and its training must have these settings.
    """
    options, rest = read_arguments(arguments)
    config = config_of(experiment)
    settings, overrides = override(
        config.SMOKE if options.smoke else config.Config(),
        rest,
        complete=stage == "train",
        listing=settings_command(experiment),
        options=OPTIONS,
    )
    name = run_name(experiment, options.run)
    competition = load_competition(
        active_competition() if options.competition is None else options.competition
    )
    require_readable_data(competition)
    if options.track != "auto":
        tracking_mode(options.track, smoke=options.smoke)
    folder = outputs(competition.name, smoke=options.smoke) / name
    require_not_archived(folder)
    if not options.smoke:
        require_startable_here(folder, stage)
    if alone and not options.dry_run and options.predict is None:
        _require_unused(folder)
    if stage == "infer" and trained and not options.dry_run:
        before = require_training(experiment, folder, competition, smoke=options.smoke)
        decoding = {} if options.predict is None else settings_of_infer(folder)
        given = {**before.get("overrides", {}), **decoding, **overrides}
        settings, _ = override(settings, to_arguments(given))
        if alone:
            require_same_settings(experiment, folder, competition, settings, before)
    require_allowed(competition, f"{experiment} on {competition.name}", plain(settings), {})
    if stage == "train":
        _require_resumable(options, experiment, folder, competition, settings)
    done = stage == "train" and not options.smoke and _nothing_to_do(options, folder, settings)
    if not (options.dry_run or done):  # neither trains, decodes or asks anything
        require_start(Start(stage, settings, competition, folder, processes, options.smoke))
