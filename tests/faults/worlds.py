"""Make the repositories that tries copy, and describe the small trainings that they disturb."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.faults.bench import Bench, Command, common, count_writes, stage
from tests.faults.outcome import success
from tests.support import REPOSITORY, tiny

COMPETITION = "daily_talk"
SMALL = (f"--competition={COMPETITION}", "--dev-rows=3", "--precision=no", "--evaluate-every=0.5",
         "--checkpoint-minutes=0", "--candidates=2", "--decoding.beams=2", "--decoding.samples=1",
         "--max-new-tokens=8", "--learning-rate=0.003")  # fmt: skip
FROM_SCRATCH = ("--vocabulary=400", "--width=64", "--layers=1", "--feed-forward=64", "--dropout=0.1")
LOCKS = (".lock",)


@dataclass(frozen=True)
class Training:
    """A training of seconds that evaluates and saves several times."""

    experiment: str
    settings: tuple[str, ...]
    processes: int = 1

    def train(self) -> Command:
        """Return the command that trains or resumes."""
        return stage(self.experiment, "train", *SMALL, *self.settings)

    def infer(self) -> Command:
        """Return the command that infers."""
        return stage(self.experiment, "infer", f"--competition={COMPETITION}")

    def launched(self) -> Command:
        """Return the same training as `make train` starts it, torchrun included."""
        gpus = ("--gpus", str(self.processes)) if self.processes > 1 else ()
        return common("train", *gpus, self.experiment, *SMALL, *self.settings)

    def folder(self, root: Path) -> Path:
        """Return the run's folder."""
        return root / "outputs" / COMPETITION / self.experiment


TRAININGS = {
    "full, seq2seq": Training("exp002", ("--epochs=3", "--tokens-per-batch=1024", *FROM_SCRATCH)),
    "full, causal": Training("exp011", ("--epochs=3", "--tokens-per-batch=1024", *FROM_SCRATCH)),
    "LoRA, seq2seq": Training("exp004", ("--model=tiny:mbart", "--rank=2", "--epochs=3", "--tokens-per-batch=1024",
                                         "--accumulation=1")),
    "LoRA, causal": Training("exp010", ("--model=tiny:gemma3", "--rank=2", "--epochs=2", "--tokens-per-batch=2048")),
    "moving average, R-Drop": Training("exp009", ("--model=tiny:bart", "--ema=0.9", "--epochs=3",
                                                  "--tokens-per-batch=1024")),
    "two processes": Training("exp002", ("--epochs=3", "--tokens-per-batch=512", *FROM_SCRATCH), processes=2),
}  # fmt: skip


@dataclass(frozen=True)
class Undisturbed:
    """What a command does when nothing disturbs it."""

    result: dict[str, str]
    seconds: float
    writes: int
    """Number of changes to files."""
    answers: int = 0
    """Number of answers that an endpoint charged for."""
    grown: int = 0
    """Bytes that its files take on disk, in whole pages."""


def base(work: Path) -> Path:
    """Return a repository with experiments and a few rows, in which nothing was run."""

    def build(root: Path) -> None:
        tiny.repository(root, 48, 5)
        shutil.rmtree(root / "common")  # commands use the checkout's
        (root / ".active-competition").write_text(f"{COMPETITION}\n", encoding="utf-8")
        recipes_only = shutil.ignore_patterns(
            "*.jsonl", "*.csv", "registered", ".*"
        )  # whose ledger is of real runs
        shutil.copytree(REPOSITORY / "submissions", root / "submissions", ignore=recipes_only)

    return template(work, "base", build)


def template(work: Path, name: str, build: Callable[[Path], None]) -> Path:
    """Return the template `name`; `build` fills it once, whichever process comes first."""
    folder = work / "templates" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{name}.lock")):
        if not folder.exists():
            staging = folder.with_name(f"{name}.new")
            shutil.rmtree(staging, ignore_errors=True)
            build(staging)
            staging.rename(folder)
    return folder


def grown(bench: Bench, work: Path, name: str, parent: Path, *commands: Command) -> Path:
    """Return the template `name`: a copy of `parent` in which the commands were run."""

    def build(root: Path) -> None:
        shutil.copytree(parent, root, symlinks=True)
        for command in commands:
            ended = bench.run(root, command)
            if problem := success(ended):
                raise RuntimeError(f"{name}: {command}: {problem}")

    return template(work, name, build)


def trained(bench: Bench, work: Path, name: str) -> Path:
    """Return a repository in which a training of TRAININGS is finished."""
    return grown(bench, work, f"trained {name}", base(work), TRAININGS[name].train())


def inferred(bench: Bench, work: Path, name: str) -> Path:
    """Return a repository in which a training of TRAININGS is finished and inferred."""
    return grown(bench, work, f"inferred {name}", trained(bench, work, name), TRAININGS[name].infer())


def undisturbed(bench: Bench, work: Path, name: str, measure: Callable[[Path], Undisturbed]) -> Undisturbed:
    """Return what `measure` returned once in a folder of its own; kept for all processes."""

    def build(folder: Path) -> None:
        folder.mkdir()
        found = measure(folder)
        (folder / "undisturbed.json").write_text(json.dumps(found.__dict__), encoding="utf-8")

    kept = template(work, f"undisturbed {name}", build) / "undisturbed.json"
    return Undisturbed(**json.loads(kept.read_text(encoding="utf-8")))


def measured(
    bench: Bench, parent: Path, command: Command, result: Callable[[Path], dict[str, str]]
) -> Callable[[Path], Undisturbed]:
    """Return a `measure`: run the command in a copy of `parent`, and return its result, duration and changes of files."""

    def measure(folder: Path) -> Undisturbed:
        root = bench.repository(parent, "undisturbed")
        counter = folder / "writes"
        ended = bench.start(root, command, prepare=count_writes(root, counter)).wait()
        if problem := success(ended):
            raise RuntimeError(f"{command}: {problem}")
        counted = int(counter.read_text() or 0) if counter.exists() else 0
        return Undisturbed(result(root), ended.seconds, counted, grown=size(root) - size(parent))

    return measure


def cold_seconds(bench: Bench, work: Path, name: str, parent: Path, command: Command) -> float:
    """Return the duration of the command in a new interpreter, imports included."""

    def measure(_: Path) -> Undisturbed:
        ended = bench.run(bench.repository(parent, "undisturbed"), command, cold=True)
        if problem := success(ended):
            raise RuntimeError(f"{command}: {problem}")
        return Undisturbed({}, ended.seconds, 0)

    return undisturbed(bench, work, f"{name}, new interpreter", measure).seconds


def size(folder: Path) -> int:
    """Return the bytes that the files below take on disk, in whole pages of 4096."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


def hashes(folder: Path, keep: Callable[[str], bool] = lambda name: True) -> dict[str, str]:
    """Return the relative path of every file below → its SHA-256; locks are left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and path.suffix not in LOCKS and keep(name):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def training_result(folder: Path) -> dict[str, str]:
    """Return hashes of what a training and its inference leave: weights, metrics, predictions, candidates."""
    wanted = ("best/", "metrics.jsonl", "dev/predictions.csv", "test/predictions.csv")
    found = hashes(folder, lambda name: name.startswith(wanted))
    for split in ("dev", "test"):
        path = folder / split / "candidates.jsonl"
        if path.exists():
            text = path.read_text(encoding="utf-8")
            found[f"{split}/candidates"] = hashlib.sha256(text.encode()).hexdigest()
    return found


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return the names of files that differ, as one line; "" when none does."""
    names = [name for name in sorted({*expected, *found}) if expected.get(name) != found.get(name)]
    return ", ".join(names[:6])


def left_over(folder: Path) -> list[str]:
    """Return temporary files and folders below that a command should have removed."""
    found = []
    for path in folder.rglob(".*"):
        if path.suffix in LOCKS or path.name in (".active-competition", ".gitignore", ".cache"):
            continue
        found.append(str(path.relative_to(folder)))
    return sorted(found)


def json_lines(path: Path) -> list[Any]:
    """Return the values of a JSON Lines file. Raises ValueError for an incomplete one."""
    data = path.read_bytes() if path.exists() else b""
    if data and not data.endswith(b"\n"):
        raise ValueError("the last line has no newline")
    return [json.loads(line) for line in data.splitlines()]
