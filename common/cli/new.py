"""The command that creates an experiment: a copy of another, or the settings of a trial as a recipe."""

import shutil
from datetime import date
from importlib import import_module
from pathlib import Path

import click

from common.cli.options import COMPETITION
from common.core import terminal
from common.core.config import plain
from common.core.errors import UserError
from common.core.files import root, shown
from common.core.messages import brief
from common.core.paths import EXPERIMENT
from common.core.temporary import temporary_folder
from common.data.competition_file import active_competition, load_competition
from common.runs.experiments import require_experiment


@click.command()
@click.argument("experiment", metavar="NEW")
@click.option("--from", "source", help="The experiment to copy.")
@click.option(
    "--from-trial", "trial", help="The run, such as a trial of a sweep, whose settings become the defaults."
)
@COMPETITION
def new(experiment: str, source: str | None, trial: str | None, name: str | None) -> None:
    """Create an experiment: a copy of another, or one with the settings of a trial."""
    if source is not None and trial is not None:
        raise UserError("from= and from-trial= cannot be combined: leave one of them out.")
    if source is None and trial is None:
        raise UserError(
            "from= is missing; wanted the experiment to copy, as in make new exp=exp015 from=exp002, or a trial: "
            "from-trial=exp002-sweep_007"
        )
    if source is not None and name is not None:
        raise UserError(
            "comp= chooses the competition of a trial; add from-trial= in the place of from=, or leave out comp=."
        )
    if source is not None:
        require_experiment(source)
    if not EXPERIMENT.fullmatch(experiment):
        raise UserError(f"experiment {brief(experiment)}: wanted exp and three digits, as in exp015.")
    folder = root() / "experiments" / experiment
    if folder.exists():
        raise UserError(f"{shown(folder)} already exists; choose another number.")
    if trial is not None:
        _from_trial(folder, trial, load_competition(name or active_competition()).name)
        return
    assert source is not None
    _copy(folder, source, {})
    terminal.say(
        f"{shown(folder)} is a copy of {source}. Next: change its config.py and README.md, then: make smoke exp={experiment}"
    )


def _from_trial(folder: Path, trial: str, competition: str) -> None:
    """Create the experiment with a trial's settings as its defaults; its README.md says where they come from."""
    from common.sweep.recipe import require_reads_so, trial_changes, with_defaults

    found = trial_changes(competition, trial)
    own = folder.with_name(found.experiment)
    path = own / "config.py"
    code = path.read_text(encoding="utf-8").replace(found.experiment, folder.name)
    code = with_defaults(code, {name: value for name, (_, value) in found.changes.items()}, shown(path))
    recipe = plain(import_module(f"experiments.{found.experiment}.config").Config())
    values = {name: value for name, (_, value) in found.changes.items()}
    require_reads_so(code, folder / "config.py", recipe | values)
    origin = (
        f"**Settings.** Those of {trial}, a run of {found.experiment} on {competition}, copied on {date.today().isoformat()}: "
        f"{found.text}. What follows was written about {found.experiment}.\n"
    )
    readme = own / "README.md"
    files = {"config.py": code}
    if readme.is_file():
        title, rest = (
            readme.read_text(encoding="utf-8").replace(found.experiment, folder.name) + "\n"
        ).split("\n", 1)
        origin = origin.replace("\n", "")
        files["README.md"] = f"{title}\n\n{origin}\n{rest}"
    _copy(folder, found.experiment, files)
    terminal.say(
        f"{shown(folder)} is {found.experiment} with the settings of {trial}: {found.text}. Next: read its config.py and README.md, "
        f"then: make exp={folder.name} train"
    )


def _copy(folder: Path, source: str, files: dict[str, str]) -> None:
    """Copy an experiment under a new name, whole or not at all; `files` replace those of the same name."""
    try:
        staging = temporary_folder(folder)
        try:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(folder.with_name(source), staging, ignore=ignored, dirs_exist_ok=True)
            for path in [path for kind in ("py", "md", "yaml") for path in staging.rglob(f"*.{kind}")]:
                path.write_text(
                    path.read_text(encoding="utf-8").replace(source, folder.name), encoding="utf-8"
                )
            for file, text in files.items():
                (staging / file).write_text(text, encoding="utf-8")
            staging.rename(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"{shown(folder)}: cannot be written ({error.strerror}); make it writable or free some space."
        ) from error
