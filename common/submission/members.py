"""Check that the members of a blend are present and up to date; train and infer the others on request."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from common.core.errors import UserError
from common.core.files import root
from common.core.messages import some
from common.core.paths import run_folder
from common.core.progress import brief_progress
from common.core.signals import Interrupted
from common.core.terminal import fitted
from common.core.threads import limit_threads, share_of_cores
from common.data.competition import Competition
from common.data.competition_file import comp_setting
from common.data.rows import read_references, sample_ids
from common.ensemble.recipe import Recipe
from common.runs import record
from common.runs.experiments import require_experiment
from common.runs.imported import is_imported
from common.runs.planned import Planned, require_startable
from common.runs.record import (
    MADE_ELSEWHERE,
    needs_training,
    read_record,
    require_not_archived,
    stage_command,
    stale_reasons,
    stale_training,
    to_arguments,
)
from common.submission import ledger

log = logging.getLogger(__name__)


def require_fresh(
    recipe: Recipe, competition: Competition, missing: str, *, allow_stale: bool, jobs: int
) -> dict[str, list[str]]:
    """Return the reasons why members are stale, by run; {} when all are up to date.

    With `missing="train"` missing and stale members are trained and inferred first, `jobs` at a time. Raises
    UserError with the commands to run when a member is archived or still missing, or is stale and `allow_stale` is false.
    """
    folders = {run: run_folder(competition.name, run) for run in recipe.runs}
    for folder in folders.values():
        require_not_archived(folder)
    if missing == "train":
        own = [run for run, folder in folders.items() if not is_imported(folder)]
        train_and_infer([run for run in own if stale_reasons(folders[run])], competition, jobs)
    stale = {}
    bar = brief_progress(len(folders), "check members", "member", even=False)
    for run, folder in folders.items():
        if reasons := stale_reasons(folder):
            stale[run] = reasons
        bar.update()
    bar.close()
    unfinished = {run for run in stale if record.unfinished(run_folder(competition.name, run))}
    if stale and (unfinished or not allow_stale):
        raise UserError(_stale_message(recipe, stale, unfinished))
    return stale


def _stale_message(recipe: Recipe, stale: Mapping[str, list[str]], unfinished: set[str]) -> str:
    lines = [
        f"submissions/{recipe.name}.toml: {len(stale)} of {len(recipe.members)} members cannot be blended:"
    ]
    comp = comp_setting(recipe.competition)
    for run, reasons in stale.items():
        folder = run_folder(recipe.competition, run)
        train, infer = (stage_command(run, stage, folder, comp) for stage in ("train", "infer"))
        train += " restart=1" if stale_training(folder) else ""
        lines.append(f"  {run}: {some(reasons)}")
        if is_imported(folder):
            lines.append(
                "    it was imported, so it is never trained here: import a newer export of it under another name"
            )
            continue
        lines.append(f"    run: {f'{train} && ' if needs_training(folder) else ''}{infer}")
        if not needs_training(folder) and any("/config.py " in reason for reason in reasons):
            lines.append(f"    or, if a training setting was changed: {train} restart=1 && {infer}")
    if all(is_imported(run_folder(recipe.competition, run)) for run in stale):
        return "\n".join([*lines, *([] if unfinished else ["or accept them with: stale=ok"])])
    lines.append(
        f"or run them all with: make submit{comp} blend={recipe.name} missing=train"
        + ("" if unfinished else ", or accept them with: stale=ok")
    )
    return "\n".join(lines)


def _renewing(run: str, competition: Competition) -> list[list[str]]:
    """Return the commands that train a run, unless that is up to date, and infer it, with its recorded settings.

    The number of processes is the recorded one, too: with fewer processes the batch size would be smaller.
    """
    experiment = run.split("-")[0]
    require_experiment(experiment)
    before = read_record(run_folder(competition.name, run))
    if run != experiment and not before:
        raise UserError(
            f"{run}: no record of its settings, so it cannot be trained automatically; run: "
            f'make exp={experiment} train run={run} args="…" && make exp={experiment} infer run={run}'
        )

    def command(stage: str, *more: str) -> list[str]:
        last = before.get(stage, {})
        arguments = [
            "--competition",
            competition.name,
            "--run",
            run,
            *more,
            *to_arguments(last.get("overrides", {})),
        ]
        several = ["--gpus", str(last.get("processes", 1))]
        return [sys.executable, "-m", "common", stage, *several, experiment, *arguments]

    if MADE_ELSEWHERE in before.get("train", {}).get("notes", {}):
        if needs_training(run_folder(competition.name, run)):
            raise UserError(
                f"{run}: its adapter was trained elsewhere, so missing=train cannot repeat it; archive the run and import the "
                "adapter again with make import-adapter, or accept the run with: stale=ok."
            )
        return [command("infer")]
    return [command("train", "--renew"), command("infer")]


def _require_inputs(competition: Competition) -> None:
    """Raise UserError when a file that the blend needs after hours of training is missing or invalid."""
    sample_ids(competition)
    read_references(competition, "dev")
    if "solution" in competition.files:
        read_references(competition, "test")
    ledger.entries()


def _planned(run: str, commands: Sequence[Sequence[str]], competition: Competition) -> Iterator[Planned]:
    """Yield the stages that the commands of `_renewing` will start."""
    folder = run_folder(competition.name, run)
    train = needs_training(folder)
    for command in commands:
        stage, _, processes, experiment, *arguments = command[3:]
        if train or stage == "infer":
            yield Planned(run, stage, experiment, arguments, int(processes), trained=not train)


@dataclass(frozen=True)
class _Running:
    """The processes of `train_and_infer`, which several threads start."""

    threads: int | None
    """Number of CPU threads of each process; None leaves it to the process."""
    processes: list["subprocess.Popen[str]"] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def interrupt(self, number: int) -> None:
        """Pass a signal on to the processes and start no others; a process saves its state before it ends."""
        self.stop.set()
        for process in list(self.processes):
            process.send_signal(number)


def _run_all(commands: Sequence[Sequence[str]], name: str, running: _Running) -> None:
    """Run commands one after the other and print their output with the run's name before each line."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if running.threads:
        limit_threads(environment, running.threads)
    for command in commands:
        if running.stop.is_set():
            return
        with subprocess.Popen(command, cwd=root(), env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:  # fmt: skip
            running.processes.append(process)
            assert process.stdout is not None
            for line in process.stdout:  # text mode also splits at the carriage returns of a progress bar
                if line.strip():
                    print(fitted(f"{name}  {line.rstrip()}", sys.stderr), file=sys.stderr, flush=True)  # noqa: T201
        if process.returncode != 0:
            raise UserError(
                f"{name}: {command[3]} failed (see above); fix the cause and run make submit again."
            )


def train_and_infer(names: Sequence[str], competition: Competition, jobs: int) -> None:
    """Train and infer runs, `jobs` at a time; the CPU cores are divided among them unless OMP_NUM_THREADS is set.

    A signal is passed on to the running processes, and no others are started.
    Raises the UserError of the first run that failed, after the other runs have ended.
    """
    plans = {name: _renewing(name, competition) for name in names}
    if plans:
        _require_inputs(competition)
        require_startable([one for name in names for one in _planned(name, plans[name], competition)])
    threads = share_of_cores(jobs) if jobs > 1 else None
    if plans and threads and "OMP_NUM_THREADS" not in os.environ:
        log.warning(
            "jobs=%d: CPU threads of each run: %d. On a CPU its weights differ in the last digits from those of make train "
            "with another number; OMP_NUM_THREADS=%d make train gives the same.", jobs, threads, threads,
        )  # fmt: skip
    running = _Running(threads)
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(_run_all, commands, name, running) for name, commands in plans.items()]
        try:
            for done in waiting:
                done.result()
        except Interrupted as stop:
            running.interrupt(stop.number)
            raise
