"""Damage one file of a run at a time, and see what the next command makes of it.

Allowed: a refusal in one line, or the undisturbed result together with a word about the damage.
"""

import hashlib
import json
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import worlds
from tests.faults.answering import endpoint
from tests.faults.bench import Command, common, die_at_write, stage
from tests.faults.kills_files import asking, predictions, submitting
from tests.faults.outcome import Ended, Outcome, fault, refusal, success
from tests.faults.tries import Context, Try
from tests.faults.worlds import COMPETITION, TRAININGS, Undisturbed, difference, hashes, training_result

CUT = ("missing", "truncated", "empty")
KINDS = (*CUT, "bit flipped", "other shape", "other shape, manifest rewritten")
SPOKEN = re.compile(r"skipping|damage|missing|not there|changed since|cannot be used|not valid|added after|invalid|repair|"
                    r"restor|ignor|unreadable|broken|incomplete|from the beginning", re.IGNORECASE)  # fmt: skip
"""Words of a message about damage."""
INTERRUPTED = "full, seq2seq"
SCOPES = ("newest checkpoint", "all checkpoints", "best of an interrupted run", "best of a finished run")


@dataclass(frozen=True)
class Damage:
    """One kind of damage to one file."""

    scope: str
    name: str
    """Path of the file, relative to the checkpoint or to the repository."""
    kind: str


def tries(short: bool) -> list[Try]:
    """Return the tries. The names of files are known when the templates are made, so each try numbers them."""
    most = {"newest checkpoint": 14, "all checkpoints": 14, "best of an interrupted run": 11, "best of a finished run": 11}
    found = []
    for scope in SCOPES:
        for number in range(most[scope]):
            for kind in KINDS:
                if not short or (number % 4 == 0 and kind in ("truncated", KINDS[-1])):
                    found.append(Try("damage", scope, f"file {number}, {kind}", damaged_run, (number, kind)))
    for target in TARGETS:
        for kind in KINDS[:-1]:
            if not short or kind in ("truncated", "other shape"):
                found.append(Try("damage", "other files", f"{target.name}, {kind}", damaged_file, (target, kind)))
    return found


def interrupted(context: Context) -> Path:
    """Return a repository whose training was killed after its third checkpoint, or later."""

    def build(root: Path) -> None:
        shutil.copytree(worlds.base(context.work), root, symlinks=True)
        training = TRAININGS[INTERRUPTED]
        writes = worlds.undisturbed(
            context.bench, context.work, "counted",
            worlds.measured(context.bench, worlds.base(context.work), training.train(), lambda _: {}),
        ).writes  # fmt: skip
        prepare = die_at_write(root, writes * 2 // 3)
        context.bench.start(root, training.train(), prepare=prepare).wait()
        kept = list((training.folder(root) / "checkpoints").glob("step-*/manifest.json"))
        assert len(kept) == 2, kept
        for path in training.folder(root).rglob(".*"):  # the kill left a half-written one
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True) if path.is_file() else None

    return worlds.template(context.work, "interrupted", build)


def expected_of(context: Context) -> Undisturbed:
    """Return the undisturbed result, with predictions."""
    bench, training = context.bench, TRAININGS[INTERRUPTED]

    def measure(_: Path) -> Undisturbed:
        root = bench.repository(worlds.base(context.work), "undisturbed")
        for command in (training.train(), training.infer()):
            if problem := success(bench.run(root, command)):
                raise RuntimeError(f"{command}: {problem}")
        return Undisturbed(training_result(training.folder(root)), 0.0, 0)

    return worlds.undisturbed(bench, context.work, "damage", measure)


def damaged_run(context: Context, this: Try, rng: random.Random) -> Outcome:
    """Damage a file of checkpoints or of best/, then resume or infer."""
    bench, training = context.bench, TRAININGS[INTERRUPTED]
    number, kind = this.given
    finished = this.group == "best of a finished run"
    template = worlds.trained(bench, context.work, INTERRUPTED) if finished else interrupted(context)
    expected = expected_of(context)
    root = bench.repository(template)
    folder = training.folder(root)
    checkpoints = sorted((folder / "checkpoints").glob("step-*"))
    folders = {"newest checkpoint": checkpoints[-1:], "all checkpoints": checkpoints}.get(this.group, [folder / "best"])
    names = sorted(str(p.relative_to(folders[-1])) for p in folders[-1].rglob("*") if p.is_file())
    if number >= len(names):
        return Outcome("skipped", "there are fewer files")
    if names[number] == "manifest.json" and kind == KINDS[-1]:
        return Outcome("skipped", "the manifest does not list itself")
    for one in folders:
        if problem := damage(one / names[number], kind, rng):
            return Outcome("skipped", problem)
    what = f"{names[number]}, {kind}"
    said = False
    if not finished:
        ended = bench.run(root, training.train())
        said = bool(SPOKEN.search(ended.stderr))
    if finished or ended.code == 0:
        ended = bench.run(root, training.infer())
    outcome = judge(ended, expected.result, training_result(folder), said=said)
    return Outcome(outcome.kind, f"{what}: {outcome.detail}"[:400])


def judge(ended: Ended, expected: dict[str, str], found: dict[str, str], *, said: bool = False) -> Outcome:
    """Judge a command that met damage: refused in one line, or the right result and a word about it."""
    if problem := fault(ended):
        return problem
    if ended.code:
        return refusal(ended)
    if changed := difference(expected, found):
        return Outcome("wrong", f"another result, without a word: {changed}")
    if said or SPOKEN.search(ended.stderr):
        return Outcome("ok", ended.tail())
    return Outcome("unclear", "the result is right, but nothing was said about the damage")


@dataclass(frozen=True)
class Target:
    """A file beside weights, and the command that reads it."""

    name: str
    path: str
    template: Callable[[Context], Path]
    command: Callable[[str], Command]
    result: Callable[[Path], dict[str, str]]
    silent: tuple[str, ...] = ()
    """Kinds of damage after which the right result needs no word, because a kill leaves the same."""


def damaged_file(context: Context, this: Try, rng: random.Random) -> Outcome:
    """Damage one file of a repository, run the command that reads it, and compare."""
    bench = context.bench
    target, kind = this.given
    template = target.template(context)
    with endpoint(bench.folder / "endpoint") as served:
        command = target.command(served.url)
        measure = worlds.measured(bench, template, command, target.result)
        expected = worlds.undisturbed(bench, context.work, f"damage {target.name}", measure)
        root = bench.repository(template)
        if problem := damage(root / target.path, kind, rng):
            return Outcome("skipped", problem)
        ended = bench.run(root, command)
    found = target.result(root) if ended.code == 0 else {}
    return judge(ended, expected.result, found, said=kind in target.silent)


def damage(path: Path, kind: str, rng: random.Random) -> str:
    """Damage a file; return why that is impossible, "" when it was done."""
    if not path.is_file():
        return f"there is no {path.name}"
    data = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        if len(data) < 2:
            return f"{path.name} is empty"
        path.write_bytes(data[: rng.randrange(1, len(data))])
    elif kind == "bit flipped":
        if not data:
            return f"{path.name} is empty"
        place, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
        path.write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
    else:
        path.write_bytes(other_shape(path, data, rng))
        if kind == KINDS[-1]:
            _rewrite_manifest(path)
    return ""


def other_shape(path: Path, data: bytes, rng: random.Random) -> bytes:
    """Return valid content of the file's format with other shapes or types."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load, save

        return save({name: tensor.reshape(-1).repeat(2) for name, tensor in load(data).items()})
    if path.suffix in (".bin", ".pt", ".pkl"):
        import io

        import torch

        buffer = io.BytesIO()
        torch.save({"state": [1, 2, 3]}, buffer)
        return buffer.getvalue()
    if path.suffix == ".json":
        value: Any = rng.choice([[], 7, None, {"name": [1]}, "text"])
        return json.dumps(value).encode()
    if path.suffix == ".jsonl":
        return b"[1, 2]\n" * max(1, data.count(b"\n"))
    if path.suffix == ".csv":
        return b"number,text\n1,a\n"
    if path.suffix == ".sqlite":
        import sqlite3

        path.unlink()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE answers (hash INTEGER)")
        connection.close()
        return path.read_bytes()
    return b"{}\n"


def _rewrite_manifest(path: Path) -> None:
    """Make the manifest agree with the damaged file, as a faulty program or an attacker would."""
    for folder in path.parents:
        manifest = folder / "manifest.json"
        if manifest.is_file():
            value = json.loads(manifest.read_text(encoding="utf-8"))
            value[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
            manifest.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            return


def submission(root: Path) -> dict[str, str]:
    """Return the hash of the CSV."""
    return hashes(root / "submissions", lambda name: name == "daily_talk.csv")


def nothing(root: Path) -> dict[str, str]:
    """Return no hashes: only the refusal counts."""
    return {}


def answered(context: Context) -> Path:
    """Return a repository whose API answers are cached, without predictions."""

    def build(root: Path) -> None:
        shutil.copytree(worlds.base(context.work), root, symlinks=True)
        with endpoint(context.bench.folder / "endpoint-build") as served:
            for name in ("train", "infer"):
                if problem := success(context.bench.run(root, asking(name, served.url))):
                    raise RuntimeError(f"exp006 {name}: {problem}")

    return worlds.template(context.work, "answered", build)


def _interrupted_infer(context: Context) -> Path:
    """Return a repository whose inference was killed in the middle."""

    def build(root: Path) -> None:
        shutil.copytree(worlds.trained(context.bench, context.work, INTERRUPTED), root, symlinks=True)
        writes = worlds.undisturbed(context.bench, context.work, "counted infer", worlds.measured(
            context.bench, worlds.trained(context.bench, context.work, INTERRUPTED), _infer(), nothing)).writes  # fmt: skip
        context.bench.start(root, _infer(), prepare=die_at_write(root, writes // 2)).wait()

    return worlds.template(context.work, "interrupted infer", build)


def _infer(_: str = "") -> Command:
    return stage("exp002", "infer", "--competition", COMPETITION, "--tokens-at-once=60")


def _train(_: str = "") -> Command:
    return TRAININGS[INTERRUPTED].train()


def _weights(root: Path) -> dict[str, str]:
    return training_result(TRAININGS[INTERRUPTED].folder(root))


def _submit(_: str = "") -> Command:
    return common("submit", "--force")


_RUN = f"outputs/{COMPETITION}/exp002"
TARGETS = (
    Target("run.json of an interrupted training", f"{_RUN}/run.json", interrupted, _train, _weights,
           silent=("missing",)),
    Target("metrics.jsonl of an interrupted training", f"{_RUN}/metrics.jsonl", interrupted, _train, _weights),
    Target("run.json before infer", f"{_RUN}/run.json", _interrupted_infer, _infer, predictions("exp002")),
    Target("candidates.jsonl of an interrupted infer", f"{_RUN}/dev/candidates.jsonl", _interrupted_infer, _infer,
           predictions("exp002"), silent=KINDS),
    Target("run.json of a member", f"{_RUN}/run.json", submitting, _submit, submission),
    Target("predictions.csv of a member", f"{_RUN}/test/predictions.csv", submitting, _submit, submission),
    Target("candidates.jsonl of a member", f"{_RUN}/dev/candidates.jsonl", submitting, _submit, submission),
    Target("ledger.jsonl, submit", "submissions/ledger.jsonl", submitting, _submit, submission, silent=CUT),
    Target("ledger.jsonl, leaderboard", "submissions/ledger.jsonl", submitting, lambda _: common("leaderboard"), nothing,
           silent=CUT),
    Target("recipe", "submissions/daily_talk.toml", submitting, _submit, submission),
    Target("competition.toml", f"competitions/{COMPETITION}/competition.toml", submitting, _submit, submission),
    Target("dev.csv", f"competitions/{COMPETITION}/data/dev.csv", submitting, _submit, submission),
    Target("results of a run", f"results/{COMPETITION}/exp002.json", submitting, lambda _: common("results"), nothing,
           silent=("missing",)),
    Target("ranking.json of exp001", f"outputs/{COMPETITION}/exp001/best/ranking.json", submitting,
           lambda _: stage("exp001", "infer", "--competition", COMPETITION), predictions("exp001")),
    Target("API cache", ".cache/llm.sqlite", answered, lambda url: asking("infer", url), predictions("exp006")),
)  # fmt: skip
