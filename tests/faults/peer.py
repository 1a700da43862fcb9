"""Kill the Trainer of transformers in the same way, on a model of the same size that saves as often."""

import random
import signal
from pathlib import Path

from tests.faults import worlds
from tests.faults.bench import Command, die_at_write
from tests.faults.outcome import Outcome, fault
from tests.faults.tries import Context, Try
from tests.faults.worlds import Undisturbed, difference, hashes

COUNT = 30
FAMILY = "peer"
TRAIN = Command("tests.faults.peer_trainer", ("run",))


def tries(context: Context) -> list[Try]:
    """Return the tries. They say nothing of this project, so their outcomes do not fail a run."""
    return [Try(FAMILY, "transformers", str(n), killed) for n in range(0 if context.short else COUNT)]


def _result(root: Path) -> dict[str, str]:
    return hashes(root / "run" / "best", lambda name: name.endswith(".safetensors"))


def killed(context: Context, this: Try, rng: random.Random) -> Outcome:
    """Kill once, resume from the newest checkpoint, and compare the final weights."""
    bench = context.bench
    empty = worlds.template(context.work, "peer", lambda folder: (folder / "run").mkdir(parents=True))

    def measure(folder: Path) -> Undisturbed:
        return worlds.measured(bench, empty, TRAIN, _result)(folder)

    expected = worlds.undisturbed(bench, context.work, "peer", measure)
    root = bench.repository(empty)
    if rng.random() < 0.5:
        started = bench.start(root, TRAIN)
        if started.sleep_until(rng.uniform(0.2, 1.0) * expected.seconds):
            started.send(signal.SIGKILL)
    else:
        started = bench.start(root, TRAIN, prepare=die_at_write(root, rng.randint(1, expected.writes)))
    reached = int(started.wait().code == -signal.SIGKILL)
    ended = bench.run(root, TRAIN)
    if problem := fault(ended):
        last = (ended.stderr.splitlines() or [problem.detail])[-1]
        return Outcome(problem.kind, f"cannot resume: {last}"[:300], reached)
    if changed := difference(expected.result, _result(root)):
        return Outcome("wrong", f"other weights: {changed}", reached)
    return Outcome("ok", "", reached)
