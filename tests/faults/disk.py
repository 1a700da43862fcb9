"""Fill a disk of 40 MB at every stage, and make it read-only: one line, nothing torn, and it goes on once there is room."""

import errno
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults import kills_files, worlds
from tests.faults.answering import endpoint
from tests.faults.bench import Bench, Command, common
from tests.faults.outcome import Outcome, fault, message_fault, refusal, success
from tests.faults.tries import Context, Try
from tests.faults.worlds import COMPETITION, TRAININGS, Undisturbed, difference, hashes

MEGABYTES = 40
SHORT = ("training", "submit and ledger")
FULL = {
    "training": 16,
    "LoRA": 8,
    "infer": 8,
    "API client": 8,
    "submit and ledger": 8,
    "make data": 8,
    "make augment": 4,
}


@dataclass(frozen=True)
class Stage:
    """A command that writes."""

    template: Callable[[Context], Path]
    command: Command
    result: Callable[[Path], dict[str, str]]
    halfway: Callable[[Path, Path], str]


def tries(context: Context) -> list[Try]:
    """Return the tries."""
    found = []
    for group, count in dict.fromkeys(SHORT, 1).items() if context.short else FULL.items():
        for number in range(count):
            found.append(Try("disk", f"full, {group}", str(number), full, group))
        found.append(Try("disk", f"read-only, {group}", "0", read_only, group))
    return found


def _stage(context: Context, group: str, url: str) -> Stage:
    if group in ("training", "LoRA"):
        training = TRAININGS["full, seq2seq" if group == "training" else "LoRA, causal"]
        return Stage(lambda c: worlds.base(c.work), training.train(),
                     lambda root: worlds.training_result(training.folder(root)), kills_files.nothing_to_see)  # fmt: skip
    if group == "make augment":
        command = common("augment", "--method", "turn_drop", "--competition", COMPETITION, "--parents", "20")
        return Stage(lambda c: worlds.base(c.work), Command("common.augment", command.arguments[1:]), _augmented,
                     kills_files.nothing_to_see)  # fmt: skip
    work = next(work for work in kills_files.WORKS if work.name == group)
    return Stage(work.template, work.command(url), work.result, work.halfway)


def _augmented(root: Path) -> dict[str, str]:
    return hashes(root / "outputs" / COMPETITION / "augmented", lambda name: name.endswith(".csv"))


def _undisturbed(context: Context, group: str, stage: Stage) -> Undisturbed:
    bench = context.bench

    def measure(folder: Path) -> Undisturbed:
        return worlds.measured(bench, stage.template(context), stage.command, stage.result)(folder)

    return worlds.undisturbed(bench, context.work, f"disk {group}", measure)


def full(context: Context, this: Try, rng: random.Random) -> Outcome:
    """Run a stage on a disk that fills up, then make room and run it again."""
    if not context.mounts:
        return Outcome("skipped", "only root can mount a tmpfs")
    bench, group = context.bench, this.given
    with endpoint(bench.folder / "endpoint") as served:
        stage = _stage(context, group, served.url)
        expected = _undisturbed(context, group, stage)
        template = stage.template(context)
        with _Mounted(bench) as disk:
            root = disk.repository(template)
            disk.fill(
                rng.randrange(max(4096, expected.grown * 5 // 4))
            )  # more for what is removed on the way
            ended = bench.run(root, stage.command)
            torn = stage.halfway(template, root)
            disk.empty()
            again = bench.run(root, stage.command)
            found = stage.result(root) if again.code == 0 else {}
            left = worlds.left_over(root)
    if problem := fault(ended):
        return problem
    if ended.code == 0 and "No space left" not in ended.stderr:
        return Outcome("ok", "there was room enough") if not torn else Outcome("torn", torn)
    if ended.code not in (0, 1):
        return Outcome("unclear", f"exit code {ended.code}: {ended.tail()}")
    if ended.code and (said := message_fault(ended.stderr)):
        return Outcome("unclear", f"{said}: {ended.tail()}")
    if torn:
        return Outcome("torn", torn)
    if problem := success(again):
        return Outcome(problem.kind, f"with room again: {problem.detail}")
    if changed := difference(expected.result, found):
        return Outcome("wrong", f"with room again, another result: {changed}")
    if left:
        return Outcome("torn", f"left behind: {', '.join(left[:3])}")
    return Outcome("ok", ended.tail())


def read_only(context: Context, this: Try, rng: random.Random) -> Outcome:
    """Run a stage on a disk that cannot be written, then on the same disk writable."""
    if not context.mounts:
        return Outcome("skipped", "only root can mount a tmpfs")
    bench, group = context.bench, this.given
    with endpoint(bench.folder / "endpoint") as served:
        stage = _stage(context, group, served.url)
        expected = _undisturbed(context, group, stage)
        with _Mounted(bench) as disk:
            root = disk.repository(stage.template(context))
            disk.remount("ro")
            judged = refusal(bench.run(root, stage.command), codes=(1,))
            disk.remount("rw")
            again = bench.run(root, stage.command)
            found = stage.result(root) if again.code == 0 else {}
    if judged.kind != "ok":
        return judged
    if problem := success(again):
        return Outcome(problem.kind, f"writable again: {problem.detail}")
    if changed := difference(expected.result, found):
        return Outcome("wrong", f"writable again, another result: {changed}")
    return judged


class _Mounted:
    """A tmpfs in the bench's folder, unmounted at the end."""

    def __init__(self, bench: Bench) -> None:
        self.folder = bench.folder / "disk"
        self.filler = self.folder / "filler"

    def __enter__(self) -> "_Mounted":
        self.folder.mkdir(parents=True, exist_ok=True)
        options = ["-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(self.folder)]
        subprocess.run(["mount", *options], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)

    def repository(self, template: Path) -> Path:
        """Return a copy of the template on this disk."""
        shutil.copytree(template, self.folder / "repository", symlinks=True)
        return self.folder / "repository"

    def fill(self, free: int) -> None:
        """Leave so many bytes free, in whole pages of 4096."""
        with self.filler.open("wb") as handle:
            try:
                while True:
                    handle.write(bytes(1 << 16))
                    handle.flush()
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        os.truncate(self.filler, max(0, self.filler.stat().st_size - free))

    def empty(self) -> None:
        """Make room."""
        self.filler.unlink()

    def remount(self, mode: str) -> None:
        """Make the disk read-only ("ro") or writable ("rw")."""
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.folder)], check=True)
