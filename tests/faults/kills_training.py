"""Kill trainings at random instants and at random writes, resume them, and compare every bit with an undisturbed run."""

import random
import signal
import socket
from pathlib import Path

from tests.faults import worlds
from tests.faults.bench import Bench, Command, Started, die_at_write
from tests.faults.outcome import Outcome, success
from tests.faults.tries import Context, Try
from tests.faults.worlds import TRAININGS, Training, Undisturbed, training_result

COUNTS = {"full, seq2seq": 30, "full, causal": 25, "LoRA, seq2seq": 25, "LoRA, causal": 25,
          "moving average, R-Drop": 25, "two processes": 30}  # fmt: skip
SHORT = ("full, seq2seq", "LoRA, causal", "two processes")
COLD = 5
"""Of so many tries one is killed in a new interpreter, at any instant from its start, imports included."""


def tries(context: Context) -> list[Try]:
    """Return the tries."""
    counts = dict.fromkeys(SHORT, 1) if context.short else COUNTS
    return [Try("kills of training", group, str(number), killed)
            for group, count in counts.items() for number in range(count)]  # fmt: skip


def undisturbed(context: Context, group: str) -> Undisturbed:
    """Return the result, the duration and the number of writes of an undisturbed training, inferred afterwards."""
    bench, work, training = context.bench, context.work, TRAININGS[group]

    def measure(folder: Path) -> Undisturbed:
        command = training.train()
        if training.processes == 1:
            found = worlds.measured(bench, worlds.base(work), command, lambda _: {})(folder)
        else:
            root = bench.repository(worlds.base(work), "undisturbed")
            group_ = start_group(bench, root, training)
            ends = [process.wait() for process in group_]
            if problem := next(filter(None, map(success, ends)), None):
                raise RuntimeError(f"{command}: {problem}")
            found = Undisturbed({}, max(ended.seconds for ended in ends), 0)
        root = bench.folder / "undisturbed"
        if problem := success(bench.run(root, training.infer())):
            raise RuntimeError(f"{training.infer()}: {problem}")
        return Undisturbed(training_result(training.folder(root)), found.seconds, found.writes)

    return worlds.undisturbed(bench, work, f"training {group}", measure)


def start_group(bench: Bench, root: Path, training: Training) -> list[Started]:
    """Start the processes of a training, as torchrun does, in forks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(training.processes):
        environment = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(training.processes),
                       "LOCAL_WORLD_SIZE": str(training.processes), "MASTER_ADDR": "127.0.0.1",
                       "MASTER_PORT": str(port)}  # fmt: skip
        command = training.train()
        started.append(bench.start(root, Command(command.module, command.arguments, environment)))
    return started


def killed(context: Context, this: Try, rng: random.Random) -> Outcome:
    """Kill once to three times, resume to the end, infer, and compare."""
    bench, training = context.bench, TRAININGS[this.group]
    expected = undisturbed(context, this.group)
    root = bench.repository(worlds.base(context.work))
    reached = 0
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        cold = int(this.name) % COLD == COLD - 1
        if training.processes > 1 and not cold:
            reached += _kill_group(bench, root, training, expected, rng)
        elif cold:
            longest = worlds.cold_seconds(
                bench, context.work, this.group, worlds.base(context.work), training.launched()
            )
            started = bench.start(root, training.launched(), cold=True)
            if started.sleep_until(rng.uniform(0.05, longest)):
                started.send(signal.SIGKILL, group=training.processes > 1)
            reached += started.wait().code == -signal.SIGKILL
        elif rng.random() < 0.5:
            started = bench.start(root, training.train())
            if started.sleep_until(rng.uniform(0, expected.seconds)):
                started.send(signal.SIGKILL)
            reached += started.wait().code == -signal.SIGKILL
        else:
            number = rng.randint(1, expected.writes)
            ended = bench.start(root, training.train(), prepare=die_at_write(root, number)).wait()
            reached += ended.code == -signal.SIGKILL
    return resumed(context, root, training, expected, reached)


def _kill_group(
    bench: Bench, root: Path, training: Training, expected: Undisturbed, rng: random.Random
) -> bool:
    """Kill all processes at once, or one, after which the others are ended, as torchrun does. Return whether it hit."""
    group = start_group(bench, root, training)
    first = rng.choice(group)
    hit = first.sleep_until(rng.uniform(0, expected.seconds))
    if hit and rng.random() < 0.5:
        first.send(signal.SIGKILL)
        for other in group:
            other.send(signal.SIGTERM)
            other.sleep_until(other.began + 3 - first.began + expected.seconds)
    if hit:
        for other in group:
            other.send(signal.SIGKILL)
    for other in group:
        other.wait()
    return hit


def resumed(context: Context, root: Path, training: Training, expected: Undisturbed, reached: int) -> Outcome:
    """Run the same command to its end, infer, and compare with the undisturbed result."""
    bench = context.bench
    if training.processes > 1:
        ends = [process.wait() for process in start_group(bench, root, training)]
    else:
        ends = [bench.run(root, training.train())]
    ends.append(bench.run(root, training.infer()))
    for ended in ends:
        if problem := success(ended):
            return Outcome(problem.kind, problem.detail, reached)
    folder = training.folder(root)
    if changed := worlds.difference(expected.result, training_result(folder)):
        return Outcome("wrong", f"differs from the undisturbed run: {changed}", reached)
    if left := worlds.left_over(root / "outputs"):
        return Outcome("torn", f"left behind: {', '.join(left[:3])}", reached)
    return Outcome("ok", "", reached)
