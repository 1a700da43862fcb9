"""Check a command line and the data before a stage starts: before torch is imported, and before anything is written."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from common.core.config import override
from common.core.errors import UserError
from common.core.files import root, shown
from common.core.messages import brief
from common.core.paths import RUN_NAME, outputs
from common.core.secrets import require_no_secrets
from common.data.competition import Competition
from common.data.competition_file import active_competition, load_competition
from common.runs.wandb_mode import require_choice, sweep_run

NEEDED = ("train", "dev", "test")
"""Files that every stage of every experiment may read."""
OPTIONS = ("competition", "run", "smoke", "restart", "renew", "dry_run", "track")
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
    try:
        return parser.parse_known_args(argv)
    except argparse.ArgumentError as error:
        raise UserError(f"{error.argument_name}: {error.message}.") from None


def require_data(competition: Competition) -> None:
    """Raise UserError, which names every missing file and how to get it, unless all rows that a stage reads are there."""
    paths = [competition.path(kind) for kind in NEEDED if kind in competition.files]
    missing = [shown(path) for path in paths if not path.is_file()]
    if missing:
        raise UserError(
            f"{', '.join(missing)}: not there; every stage needs {', '.join(NEEDED)}. Get the data with: "
            f"{competition.obtain}"
        )


def run_name(experiment: str, asked: str | None) -> str:
    """Return the name of the run: the one asked for, else that of the sweep's trial, else the experiment's.

    Raises UserError for a name that does not begin with the experiment's.
    """
    name = (sweep_run(experiment) or experiment) if asked is None else asked
    if not RUN_NAME.fullmatch(name) or not name.startswith(experiment):
        raise UserError(
            f"--run {brief(name)}: wanted {experiment} or {experiment}-something, with at most 80 characters after the hyphen."
        )
    return name


def opening(stage: str, experiment: str, arguments: Sequence[str]) -> str:
    """Return the first line of a stage, shown while its libraries are imported; "" for a dry run."""
    options, _ = read_arguments(arguments)
    competition = active_competition() if options.competition is None else options.competition
    folder = shown(outputs(competition, smoke=options.smoke) / run_name(experiment, options.run))
    if options.dry_run:
        return ""
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


def check_start(stage: str, experiment: str, arguments: Sequence[str]) -> None:
    """Raise UserError for what the stage itself would refuse: options, settings, the competition and missing data.

    It imports only the experiment's config.py, so the answer comes before torch is loaded.
    """
    options, rest = read_arguments(arguments)
    run_name(experiment, options.run)
    require_choice(options.track)
    config = config_of(experiment)
    override(
        config.SMOKE if options.smoke else config.Config(),
        rest,
        complete=stage == "train",
        listing=settings_command(experiment),
        options=OPTIONS,
    )
    require_data(
        load_competition(active_competition() if options.competition is None else options.competition)
    )
