"""Begin a sweep, or go on with one: judge everything first, then run it and say what came out."""

import json
import re
import shlex
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from common.core import terminal
from common.core.config import plain
from common.core.errors import UserError
from common.core.files import read_json, shown, write_json
from common.core.messages import brief
from common.data.competition import Competition
from common.data.competition_file import comp_setting
from common.data.rows import read_split
from common.runs.planned import Planned, require_startable
from common.runs.start import config_of
from common.runs.wandb_mode import require_choice
from common.sweep import report, report_text, table, version, wandb_sweep
from common.sweep.gpus import require_enough
from common.sweep.report import SweepView
from common.sweep.rescore import rescored
from common.sweep.run import Loop, run
from common.sweep.storage import (
    FILE,
    Storage,
    StorageDownError,
    open_storage,
    reachable,
    require_optuna,
    storage_url,
    sweep_folder,
)
from common.sweep.study import Study
from common.sweep.sweep_file import SweepFile, read_sweep, sweep_path, trial_arguments
from common.sweep.trial import How
from common.sweep.unseen import dev_rows_of_trials
from common.sweep.workers import Worker

NAME = re.compile(r"[a-z0-9][a-z0-9.]{0,39}")
MARKER = "sweep.json"
"""File of the sweep's folder that says where its study is."""


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    experiment: str
    competition: Competition
    name: str = "sweep"
    source: Path | None = None
    count: int | None = None
    jobs: int = 1
    gpus: int | None = None
    storage: str | None = None
    stale: bool = False
    track: str = "off"
    beat: float = 15.0

    @property
    def folder(self) -> Path:
        """The sweep's own folder."""
        return sweep_folder(self.competition.name, self.experiment, self.name)

    @property
    def title(self) -> str:
        """What messages call the sweep."""
        return (
            f"sweep of {self.experiment}"
            if self.name == "sweep"
            else f"sweep {self.name} of {self.experiment}"
        )

    @property
    def make_settings(self) -> str:
        """The settings that a make command for this sweep needs besides the target."""
        named = f" name={self.name}" if self.name != "sweep" else ""
        return f"exp={self.experiment}{named}{comp_setting(self.competition.name)}"

    @property
    def again(self) -> str:
        """The make command that begins this sweep, or goes on with it."""
        source = f" from={shlex.quote(shown(self.source))}" if self.source else ""
        return f"make {self.make_settings} sweep{source}"


def _file(asked: Asked) -> tuple[SweepFile, Any]:
    """Return the sweep file and the recipe's settings. Raises UserError for any wrong word of the command line, too."""
    if not NAME.fullmatch(asked.name):
        raise UserError(
            f"name={brief(asked.name)}: wanted at most 40 lower-case letters, digits and dots, as in name=lr.2"
        )
    require_choice(asked.track)
    storage_url(asked.storage)
    if asked.source and not asked.source.is_file():
        raise UserError(
            f"from={shown(asked.source)}: not there; wanted a sweep file, such as experiments/exp002/sweep.yaml."
        )
    config = config_of(asked.experiment).Config()
    path = asked.source or sweep_path(asked.experiment)
    return read_sweep(path, asked.experiment, config), config


def _open(asked: Asked, sweep: SweepFile, *, create: bool) -> Study:
    """Return the study. Raises UserError when it is elsewhere than the last call said, or there is none."""
    url = storage_url(asked.storage)
    if (asked.folder / wandb_sweep.MARKER).exists():
        raise UserError(
            f"{asked.title} is in W&B; go on with track=online and look at it there, or begin another one with name=."
        )
    marker = asked.folder / MARKER
    before = read_json(marker)["storage"] if marker.exists() else None
    if not create and before is None and not url:
        raise UserError(
            f"{shown(asked.folder)}: there is no sweep with this name here; begin it with: {asked.again}"
        )
    if before is not None and (before == FILE) == bool(url):
        wanted = "storage=postgresql://…, as before" if before != FILE else f"storage={FILE}"
        raise UserError(f"{asked.title} is stored in {before}; use {wanted}, or another name=.")
    storage = open_storage(url, asked.folder)
    if before not in (None, FILE, storage.name):
        raise UserError(
            f"{asked.title} is stored in {before}, not in {storage.name}; use that one, or another name=."
        )
    study = Study(storage, sweep, asked.competition.name, asked.name, Worker(asked.beat))
    if not study.open(create=create):
        raise UserError(f"{storage.name}: there is no study {study.full_name}; begin it with: {asked.again}")
    if before is None:
        _mark(marker, storage)
    return study


def _mark(marker: Path, storage: Storage) -> None:
    marker.parent.mkdir(parents=True, exist_ok=True)
    write_json(marker, {"storage": storage.name if storage.several else FILE})


def begin(asked: Asked) -> None:
    """Run trials until enough are scored, and print the result.

    Raises UserError for whatever would make all trials fail, before anything is written.
    """
    sweep, config = _file(asked)
    if asked.track == "online":
        wandb_sweep.require_online()
    else:
        require_optuna()
    count = _count(asked, sweep)
    gpus = require_enough(asked.jobs, asked.gpus)
    fixed = _dev_rows(asked, sweep, config)
    middle = {**fixed, **{one.name: one.at(0.5) for one in sweep.parameters}}
    words = ["--competition", asked.competition.name, "--run", f"{asked.experiment}-{asked.name}_check"]
    words += ["--track", asked.track, *trial_arguments(middle)]
    require_startable(
        [Planned(f"a trial of {shown(sweep.path)}", "train", asked.experiment, words, gpus or 1)]
    )
    if asked.track == "online":
        _in_wandb(asked, sweep, fixed, count, gpus)
        return
    study = _open(asked, sweep, create=True)
    study.fixed.update(fixed)
    with reachable(study.storage.name), study.storage.locked():
        version.require_same(study, version.recipe(sweep, config, asked.competition), stale=asked.stale)
    how = How(sweep, asked.competition.name, asked.folder, asked.jobs, gpus, asked.track, plain(config))
    asked.folder.mkdir(parents=True, exist_ok=True)
    live = table.Live(asked.title)
    written: list[SweepView] = []

    def show(loop: Loop) -> None:
        if not live.due():
            return
        now = report.view(study, count)
        if not written or written[-1] != now:
            report.write(asked.folder, now)
            written[:] = [now]
        live.update(now, {one.claim.number: one.minutes for one in loop.trials})

    live.begin(report.view(study, count), f"the output of each trial is in {shown(asked.folder)}")
    try:
        run(study, how, count, show, live.tell)
    finally:
        with suppress(StorageDownError):  # the error on its way says it
            last = report.view(study, count)
            report.write(asked.folder, last)
            live.update(last, {})
        live.clear()
    _tell(asked, _finished(asked, study, count))


def _in_wandb(asked: Asked, sweep: SweepFile, fixed: dict[str, int], count: int, gpus: int) -> None:
    """Run the sweep in W&B, and print its trials."""
    if asked.storage and storage_url(asked.storage):
        raise UserError("track=online: W&B itself stores the sweep; leave out storage=, or leave out track=.")
    if (asked.folder / MARKER).exists():
        raise UserError(
            f"{asked.title} was begun without W&B; go on without track=online, or begin another one with name=."
        )
    config = wandb_sweep.for_wandb(sweep, asked.competition.name, fixed, gpus)
    again = f"{asked.again} name=NAME track=online"
    registered = wandb_sweep.register(sweep, config, asked.folder, again)
    terminal.say(f"{asked.title} in W&B: {registered.url or registered.path}")
    found = wandb_sweep.run_agents(sweep, registered, asked.folder, jobs=asked.jobs, each=gpus, count=count)
    terminal.say(f"{len(wandb_sweep.scored(found))} trials are scored, the best first:")
    click.echo(wandb_sweep.trial_table(sweep, found))
    terminal.say(
        f"Next: look at {registered.url or registered.path}, or run more trials: {asked.again} count={count + 10} "
        f"track=online. On another machine, for each GPU: WANDB_DIR=outputs .venv/bin/wandb agent {registered.path}"
    )


def _dev_rows(asked: Asked, sweep: SweepFile, config: Any) -> dict[str, int]:
    """Return the setting that keeps half of dev from the sweep; {} when its file says how many rows trials are scored on."""
    if not hasattr(config, "dev_rows") or any(one.name == "dev_rows" for one in sweep.parameters):
        return {}
    rows = len(read_split(asked.competition, "dev").rows)
    least = dev_rows_of_trials(config.dev_rows, rows)
    return {"dev_rows": least} if least != config.dev_rows else {}


def _count(asked: Asked, sweep: SweepFile) -> int:
    """Return the number of scored trials to reach. Raises UserError when neither the command line nor the file says it."""
    most = sweep.grid_size if sweep.method == "grid" else None
    count = asked.count or sweep.run_cap or most
    if count is None:
        raise UserError(
            f"count= is missing, and {shown(sweep.path)} has no run_cap; for example: {asked.again} count=20"
        )
    if sweep.run_cap and count > sweep.run_cap:
        raise UserError(
            f"count={count}: {shown(sweep.path)} allows at most {sweep.run_cap} trials (run_cap); change one of them."
        )
    return min(count, most) if most else count


def _finished(asked: Asked, study: Study, count: int | None) -> SweepView:
    """Return and write the view with the importance of the settings."""
    found = report.view(study, count, mixed=version.mixed(study))
    found = replace(found, importance=report.importance(study))
    report.write(asked.folder, found)
    return found


def _tell(asked: Asked, view: SweepView) -> None:
    terminal.say(f"{asked.title} on {view.competition}: {table.summary(view)}.")
    failed = [one for one in view.trials if one.state == "failed"]
    click.echo(table.trial_table(view, [*view.ranked(), *failed]))
    if view.mixed:
        terminal.say(view.mixed)
    terminal.say(f"Next: make {asked.make_settings} sweep-report")


def show_report(asked: Asked, top: int, *, as_json: bool) -> None:
    """Print the best trials, the importance of the settings, the winner's settings and how much it flatters itself."""
    sweep, config = _file(asked)
    study = _open(asked, sweep, create=False)
    study.sweep, searched = version.as_begun(study)
    found = replace(_finished(asked, study, None), searched=searched)
    found, lines = rescored(found, asked.competition, config, asked.folder, top)
    report.write(asked.folder, found)
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False))
        return
    terminal.say(f"{asked.title} on {found.competition}: {table.summary(found)}.")
    click.echo(report_text.trials(found, max(top, 1)))
    for line in [*lines, *([found.mixed] if found.mixed else [])]:
        terminal.say(line)
    for part in (report_text.importance(found), report_text.winner(found, plain(config))):
        if part:
            click.echo(f"\n{part}")
    click.echo()
    terminal.say(report_text.flattery(found))
    best = next((one for one in found.trials if one.number == found.best), None)
    if best and best.state == "complete":
        terminal.say(
            f"Next: make exp={asked.experiment} infer run={best.run}{comp_setting(found.competition)}"
        )
    else:
        terminal.say_next(f"make {asked.make_settings} sweep")
