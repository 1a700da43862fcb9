"""Run a sweep in W&B: register its file there, start agents on this machine, and show the trials. W&B chooses the settings.

W&B refuses sweeps offline, so this needs a key; `common.sweep.run` does without.
"""

import contextlib
import io
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core import signals, terminal
from common.core.errors import UserError
from common.core.files import read_json, root, shown, write_json
from common.core.launch import WITH_PARENT
from common.core.messages import cut
from common.core.signals import Interrupted
from common.core.text_table import text_table
from common.core.threads import limit_threads, share_of_cores
from common.runs import wandb_mode
from common.runs.wandb_mode import error_line, tracking_mode
from common.sweep import gpus
from common.sweep.gpus import Lent
from common.sweep.sweep_file import SweepFile
from common.sweep.table import number, short_names, value_text
from common.sweep.trial import PRIVATE

log = logging.getLogger(__name__)
MARKER = "wandb.json"
"""File of the sweep's folder that says which sweep of W&B it is."""
PROJECT = "korean-dialogue-summarization"
SCORED = ("finished", "killed")
"""States of trials that have a score; W&B calls those killed that hyperband ended early."""
_LOOK = 15.0
"""Seconds between two looks at the trials in W&B."""
_TICK = 0.2
_ALL = 100_000


@dataclass(frozen=True)
class Registered:
    """A sweep in W&B."""

    entity: str
    project: str
    id: str
    url: str

    @property
    def path(self) -> str:
        """The name that W&B's tools take."""
        return f"{self.entity}/{self.project}/{self.id}"


@dataclass(frozen=True)
class WandbTrial:
    """A trial as W&B shows it."""

    run: str
    """Name of its run; its folder may be on another machine."""
    state: str
    """running, finished, killed, failed or crashed."""
    value: float | None
    """The metric of its best checkpoint, or its newest while it runs."""
    settings: dict[str, Any]
    """Dotted name → value of the searched settings."""


def for_wandb(sweep: SweepFile, competition: str, fixed: Mapping[str, Any], each: int) -> dict[str, Any]:
    """Return the sweep in W&B's own format, with the command that starts a trial in a clone of this repository.

    `fixed`: settings of every trial beside those of the file. `each`: number of GPUs for each trial.
    Names are the full dotted ones, nested parameters too, because that is what a training records.
    """
    module = ["common.core.launch", f"experiments.{sweep.experiment}.train"]
    if each > 1:
        module = ["common.core.torchrun", f"--nproc-per-node={each}", "--standalone", "-m", "--", *module]
    python = ".venv/bin/python" if (root() / ".venv" / "bin" / "python").exists() else "python"
    command = [python, "-m", *module, f"--competition={competition}", "--track=online", "${args}"]
    parameters = {name: {"value": value} for name, value in fixed.items()}
    parameters |= {one.name: one.for_wandb() for one in sweep.parameters}
    metric: dict[str, Any] = {"name": sweep.metric, "goal": sweep.goal}
    metric |= {"target": sweep.target} if sweep.target is not None else {}
    metric |= {"impute": sweep.impute} if sweep.impute is not None else {}
    found: dict[str, Any] = {
        "name": sweep.name,
        "method": sweep.method,
        "metric": metric,
        "command": command,
        "parameters": parameters,
    }
    if sweep.run_cap is not None:
        found["run_cap"] = sweep.run_cap
    if (band := sweep.early_terminate) is not None:
        bounds = (
            {"min_iter": band.min_iter}
            if band.min_iter is not None
            else {"max_iter": band.max_iter, "s": band.s}
        )
        found["early_terminate"] = {"type": "hyperband", "eta": band.eta, **bounds}
    return found


def register(sweep: SweepFile, config: Mapping[str, Any], folder: Path, again: str) -> Registered:
    """Register a sweep (`for_wandb`), or return the one that an earlier call registered.

    `folder`: the sweep's own folder. `again`: the settings that begin another sweep, for a message.
    Raises UserError when the earlier one was another sweep, and when W&B does not take it.
    """
    marker = folder / MARKER
    if marker.exists():
        before = read_json(marker)
        if changed := [
            name for name in {**before["config"], **config} if before["config"].get(name) != config.get(name)
        ]:
            raise UserError(
                f"{shown(sweep.path)}: {', '.join(changed)} changed since this sweep was registered in W&B as {before['id']}; change "
                f"it back, or begin another one: {again}"
            )
        return Registered(*(before[name] for name in ("entity", "project", "id", "url")))
    project = sweep.project or os.environ.get("WANDB_PROJECT") or PROJECT
    output = io.StringIO()
    try:
        wandb = wandb_mode.wandb()
        with contextlib.redirect_stdout(output):
            found = wandb.sweep(dict(config), entity=sweep.entity, project=project)
        entity = sweep.entity or os.environ.get("WANDB_ENTITY") or wandb.Api().default_entity
    except Exception as error:
        raise UserError(
            f"W&B did not register the sweep ({cut(error_line(error), 300)}); check the key, project= and entity= in "
            f"{shown(sweep.path)}, or leave out track=online: the same file then runs here."
        ) from error
    url = re.search(r"https?://\S+", output.getvalue())
    made = Registered(entity, os.environ.get("WANDB_PROJECT") or project, found, url[0] if url else "")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        marker,
        {"entity": made.entity, "project": made.project, "id": made.id, "url": made.url, "config": config},
    )
    return made


def trials(sweep: SweepFile, registered: Registered) -> list[WandbTrial]:
    """Return the trials of a sweep on all machines, as W&B knows them. Raises UserError when it does not answer."""
    try:
        api = wandb_mode.wandb().Api()
        api.sweep(registered.path)  # fails when it was deleted
        project = f"{registered.entity}/{registered.project}"
        runs = api.runs(project, {"sweep": registered.id}, per_page=500, lazy=False)
        return [
            WandbTrial(
                f"{sweep.experiment}-{run.id.lower()}",
                run.state,
                value if isinstance(value := run.summary_metrics.get(sweep.metric), int | float) else None,
                {one.name: run.config.get(one.name) for one in sweep.chosen},
            )
            for run in runs
        ]
    except Exception as error:
        raise UserError(
            f"W&B does not show sweep {registered.path} ({cut(error_line(error), 300)}); check the network and the key. If the sweep "
            "was deleted there, use another name=."
        ) from error


def scored(found: list[WandbTrial]) -> list[WandbTrial]:
    """Return the trials that ended with a score."""
    return [one for one in found if one.state in SCORED and one.value is not None]


def trial_table(sweep: SweepFile, found: list[WandbTrial]) -> str:
    """Return the trials as a table, the best first; those without a score come last."""
    names = short_names([one.name for one in sweep.chosen])
    sign = -1.0 if sweep.goal == "maximize" else 1.0
    ordered = sorted(found, key=lambda one: (one.value is None, sign * (one.value or 0.0)))
    rows = [["run", "state", sweep.metric, *names.values()]]
    for one in ordered:
        cells = (value_text(one.settings.get(name, "–")) for name in names)
        rows.append([one.run, one.state, number(one.value), *cells])
    return text_table(rows)


def require_online() -> None:
    """Raise UserError as `tracking_mode` does, and when the environment switches W&B off."""
    if tracking_mode("online") != "online":
        raise UserError("track=online: WANDB_MODE or WANDB_DISABLED switch W&B off; unset them.")


def run_agents(
    sweep: SweepFile, registered: Registered, folder: Path, *, jobs: int, each: int, count: int
) -> list[WandbTrial]:
    """Run trials with `jobs` agents at the same time until `count` of the whole sweep are scored; return all of its trials.

    `each`: GPUs of an agent. A line tells of every trial that ends.
    Raises Interrupted after a signal, when every running trial has saved its state; UserError as `trials` does, when no GPU is
    free, and when trials failed, so that fewer are scored.
    """
    found = trials(sweep, registered)
    told = {one.run for one in found if one.state != "running"}
    before, done = -1, len(scored(found))
    while before < done < count:  # failed trials are replaced, as long as others succeed
        shares = [(count - done + place) // jobs for place in range(jobs)]
        _round(sweep, registered, folder, each, [share for share in shares if share], told, count)
        found = trials(sweep, registered)
        _tell(sweep, found, told, count)
        before, done = done, len(scored(found))
    if done < count:
        raise UserError(
            f"{done} of {count} trials are scored, and the agents have ended: {_reason(folder, jobs)} Then run the same command "
            "again: it goes on."
        )
    return found


def _round(
    sweep: SweepFile,
    registered: Registered,
    folder: Path,
    each: int,
    shares: list[int],
    told: set[str],
    count: int,
) -> None:
    """Run one agent for each of the shares, which are numbers of trials, until all have ended."""
    agents: list[tuple[subprocess.Popen[bytes], Lent]] = []
    with signals.noted():
        try:
            for place, share in enumerate(shares):
                agents.append(_agent(registered, folder, place, each, share, len(shares)))
            looked = time.monotonic()
            while any(process.poll() is None for process, _ in agents) and signals.pending() is None:
                time.sleep(_TICK)
                if time.monotonic() - looked > _LOOK:
                    looked = time.monotonic()
                    with contextlib.suppress(UserError):  # the network may be back at the next look
                        _tell(sweep, trials(sweep, registered), told, count)
        finally:
            for process, _ in agents:
                if process.poll() is None:
                    process.terminate()
            for process, lent in agents:
                process.wait()
                lent.give_back()
        if stop := signals.pending():
            raise Interrupted(stop, "each running trial saved its state, and W&B marks it as failed")


def _agent(
    registered: Registered, folder: Path, number: int, each: int, count: int, jobs: int
) -> "tuple[subprocess.Popen[bytes], Lent]":
    lent = gpus.lend(each)
    if lent is None:
        raise gpus.no_gpu_left(each)
    environment = {name: value for name, value in os.environ.items() if name not in PRIVATE}
    environment |= {
        "WANDB_DIR": str(folder.resolve()),
        "PYTHONUNBUFFERED": "1",
        WITH_PARENT: str(os.getpid()),
    }
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    if jobs > 1:
        limit_threads(environment, share_of_cores(jobs))
    if lent.names:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(lent.names)
    with (folder / f"agent-{number}.log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "common.sweep.wandb_agent", registered.path, str(count)],
            cwd=root(), env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            pass_fds=lent.locks, start_new_session=True,  # Ctrl-C is for the sweep, which stops its agents
        )  # fmt: skip
    return process, lent


def _tell(sweep: SweepFile, found: list[WandbTrial], told: set[str], count: int) -> None:
    """Print a line for each trial that has ended since the last look."""
    for one in found:
        if one.state != "running" and one.run not in told:
            told.add(one.run)
            value = "–" if one.value is None else f"{one.value:.2f}"
            terminal.say(
                f"{one.run}: {one.state}, {sweep.metric} {value} ({len(scored(found))} of {count} scored)"
            )


def _reason(folder: Path, agents: int) -> str:
    """Return the last error in the output of the agents and their trials, and what to do."""
    for place in range(agents):
        path = folder / f"agent-{place}.log"
        text = path.read_bytes()[-50_000:].decode("utf-8", "replace") if path.exists() else ""
        if found := re.findall(r"(?m)^(?:wandb: )?(?:error: |ERROR )(.+)$", text):
            return f"{cut(found[-1].rstrip('.'), 300)} ({shown(path)}). Fix the cause."
    return f"their output is in {shown(folder)}/agent-*.log. Find the cause there."
