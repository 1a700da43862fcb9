"""Send SIGTERM, SIGINT and SIGHUP at random instants: exit code 128 + n, one line, and the same command goes on."""

import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults import kills_files, kills_training, worlds
from tests.faults.answering import endpoint
from tests.faults.bench import Command
from tests.faults.outcome import Ended, Outcome, fault, success
from tests.faults.tries import Context, Try
from tests.faults.worlds import TRAININGS, Undisturbed, difference

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
COUNTS = {"training": 8, "training, two processes": 4, "infer": 6, "API client": 6, "submit and ledger": 4,
          "make data": 3}  # fmt: skip
"""Tries of each signal; a third of them in a new interpreter, while it imports or later."""
AT_MOST = 30.0
"""Seconds from the signal to the end of the command; the project promises ten, and the machine may be busy."""
STARTING = 0.5
"""Seconds in which an interpreter starts and cannot handle a signal yet."""
AGAIN = ("again", "resume", "same command", "nothing was", "make ")
"""Words of a line that says how to go on."""


@dataclass(frozen=True)
class Interrupted:
    """A command to interrupt."""

    name: str
    template: Callable[[Context], Path]
    command: Command
    launched: Command
    """The same command as make starts it."""
    result: Callable[[Path], dict[str, str]]
    expected: Undisturbed
    group: bool = False
    """Whether all its processes get the signal, as from a terminal or a batch system."""


def tries(context: Context) -> list[Try]:
    """Return the tries."""
    return [
        Try("signals", f"{signal.Signals(number).name}, {group}", str(count), signalled, (group, number))
        for group, most in COUNTS.items()
        for number in SIGNALS
        for count in range((1 if group in ("training", "infer") else 0) if context.short else most)
    ]


def signalled(context: Context, this: Try, rng: random.Random) -> Outcome:
    """Send one signal, judge the end, run the same command again, and compare with an undisturbed run."""
    group, number = this.given
    with endpoint(context.bench.folder / "endpoint") as served:
        if group.startswith("training"):
            name = "two processes" if group.endswith("processes") else "moving average, R-Drop"
            chosen = _training(context, name)
        else:
            chosen = _work(context, group, served.url)
        return _signalled(context, chosen, number, rng, int(this.name) % 3 == 2 or chosen.group)


def _training(context: Context, name: str) -> Interrupted:
    training = TRAININGS[name]
    expected = kills_training.undisturbed(context, name)
    kept = ("best/", "metrics.jsonl")
    weights = {path: sha for path, sha in expected.result.items() if path.startswith(kept)}

    def result(root: Path) -> dict[str, str]:
        found = worlds.training_result(training.folder(root))
        return {path: sha for path, sha in found.items() if path.startswith(kept)}

    return Interrupted(
        name, lambda c: worlds.base(c.work), training.train(), training.launched(), result,
        Undisturbed(weights, expected.seconds, 0), training.processes > 1,
    )  # fmt: skip


def _work(context: Context, group: str, url: str) -> Interrupted:
    work = next(work for work in kills_files.WORKS if work.name == group)
    command = work.command(url)

    def measure(folder: Path) -> Undisturbed:
        return worlds.measured(context.bench, work.template(context), command, work.result)(folder)

    expected = worlds.undisturbed(context.bench, context.work, f"{work.name}, signals", measure)
    return Interrupted(f"{work.name}, signals", work.template, command, command, work.result, expected)


def _signalled(context: Context, chosen: Interrupted, number: int, rng: random.Random, cold: bool) -> Outcome:
    bench = context.bench
    template = chosen.template(context)
    if cold:
        longest = worlds.cold_seconds(bench, context.work, chosen.name, template, chosen.launched)
        instant = rng.uniform(min(STARTING, longest / 2), longest)
    else:
        instant = rng.uniform(0.15, 0.95) * chosen.expected.seconds
    root = bench.repository(template)
    started = bench.start(root, chosen.launched if cold else chosen.command, cold=cold)
    hit = started.sleep_until(instant)
    if hit:
        started.send(number, group=chosen.group and rng.random() < 0.5)
    ended = started.wait(AT_MOST if hit else 120)
    done = not difference(chosen.expected.result, chosen.result(root))
    again = bench.run(root, chosen.launched if chosen.group else chosen.command, cold=chosen.group)
    if hit and (problem := _ending(ended, number, done or (cold and instant < STARTING))):
        return problem
    if problem := success(again):
        return Outcome(problem.kind, f"afterwards: {problem.detail}", int(hit))
    if changed := difference(chosen.expected.result, chosen.result(root)):
        return Outcome("wrong", f"differs from the undisturbed run: {changed}", int(hit))
    return Outcome("ok", ended.tail() if hit else "it ended before the signal", int(hit))


def _ending(ended: Ended, number: int, python: bool) -> Outcome | None:
    """Return what is wrong with the end after a signal; None for 128 + n and one line, or when it was just finished.

    `python`: Python itself may have been starting or ending, where it has no handlers.
    """
    if problem := fault(ended):
        return Outcome(problem.kind, problem.detail, 1)
    if ended.code == 0:
        return None
    if ended.code == -number and python:
        return None
    last = next((line for line in reversed(ended.stderr.splitlines()) if line.strip()), "")
    if ended.code != 128 + number:
        return Outcome("unclear", f"exit code {ended.code}, wanted {128 + number}: {ended.tail()}", 1)
    if not any(word in last for word in AGAIN):
        return Outcome("unclear", f"the last line does not say how to go on: {last[-200:]}", 1)
    return None
