"""Damage one file of a run at a time, and see what the next command makes of it.

Allowed: a refusal in one line, or the undisturbed result together with a word about the damage.
"""

import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults import worlds
from tests.faults.answering import endpoint
from tests.faults.bench import Command, common, die_at_write, stage
from tests.faults.damaging import CUT, FLIPPED, KINDS, damage
from tests.faults.kills_files import asking, predictions, submitting
from tests.faults.outcome import Ended, Outcome, fault, refusal, success
from tests.faults.tries import Context, Try
from tests.faults.worlds import COMPETITION, TRAININGS, Undisturbed, difference, hashes, training_result

EDITED = (*CUT, "other shape")
"""Kinds of damage to files that people edit: any other change is theirs."""
SPOKEN = re.compile(r"skipping|not what this training saved|damage|missing|not there|changed since|cannot be used|not valid|added after|invalid|repair|"
                    r"restor|ignor|unreadable|broken|incomplete|from the beginning", re.IGNORECASE)  # fmt: skip
"""Words of a message about damage."""
INTERRUPTED = "full, seq2seq"
FINISHED, AFTER_LAST_STEP = "best of a finished run", "best after the last step"
SCOPES = ("newest checkpoint", "all checkpoints", "best of an interrupted run", AFTER_LAST_STEP, FINISHED)


def tries(context: Context) -> list[Try]:
    """Return the tries: every file of a checkpoint and of best/, and the files beside them, with every kind of damage."""
    found = []
    for scope in SCOPES:
        names = [str(path.relative_to(folder)) for folder in _damaged(_template(context, scope), scope)[-1:]
                 for path in sorted(folder.rglob("*")) if path.is_file()]  # fmt: skip
        for name in names:
            for kind in KINDS:
                if name != "manifest.json" or kind != KINDS[-1]:  # it does not list itself
                    found.append(Try("damage", scope, f"{name}, {kind}", damaged_run, (name, kind)))
    for target in TARGETS:
        for kind in target.kinds:
            found.append(Try("damage", "other files", f"{target.name}, {kind}", damaged_file, (target, kind)))
    return random.Random(2).sample(found, 12) if context.short else found


def _template(context: Context, scope: str) -> Path:
    if scope == FINISHED:
        return worlds.trained(context.bench, context.work, INTERRUPTED)
    return interrupted(context, at_the_end=scope == AFTER_LAST_STEP)


def _damaged(root: Path, scope: str) -> list[Path]:
    """Return the folders whose files are damaged."""
    folder = TRAININGS[INTERRUPTED].folder(root)
    checkpoints = sorted((folder / "checkpoints").glob("step-*"))
    return {"newest checkpoint": checkpoints[-1:], "all checkpoints": checkpoints}.get(
        scope, [folder / "best"]
    )


def interrupted(context: Context, *, at_the_end: bool = False) -> Path:
    """Return a repository whose training was killed after two thirds of its writes, or `at_the_end`, after its last step."""

    def build(root: Path) -> None:
        training = TRAININGS[INTERRUPTED]
        measure = worlds.measured(context.bench, worlds.base(context.work), training.train(), lambda _: {})
        writes = worlds.undisturbed(context.bench, context.work, "counted", measure).writes
        for number in range(writes, writes // 2, -1) if at_the_end else [writes * 2 // 3]:
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(worlds.base(context.work), root, symlinks=True)
            context.bench.start(root, training.train(), prepare=die_at_write(root, number)).wait()
            if '"finished"' not in (training.folder(root) / "run.json").read_text(encoding="utf-8"):
                break
        if len(list((training.folder(root) / "checkpoints").glob("step-*/manifest.json"))) != 2:
            raise RuntimeError("wanted a training with two checkpoints")
        for path in list(training.folder(root).rglob(".*")):  # what the kill left half-written
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    return worlds.template(context.work, "at the end" if at_the_end else "interrupted", build)


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
    name, kind = this.given
    finished = this.group == FINISHED
    expected = expected_of(context)
    root = bench.repository(_template(context, this.group))
    folder = training.folder(root)
    for one in _damaged(root, this.group):
        if problem := damage(one / name, kind, rng):
            return Outcome("skipped", problem)
    said = False
    if not finished:
        ended = bench.run(root, training.train())
        said = bool(SPOKEN.search(ended.stderr))
    if finished or ended.code == 0:
        ended = bench.run(root, training.infer())
    return judge(ended, expected.result, training_result(folder), said=said)


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
    """Kinds of damage after which the right result needs no word: a kill leaves the same, or no hash could tell."""
    kinds: tuple[str, ...] = KINDS[:-1]


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
           silent=("missing", FLIPPED)),
    Target("metrics.jsonl of an interrupted training", f"{_RUN}/metrics.jsonl", interrupted, _train, _weights),
    Target("run.json before infer", f"{_RUN}/run.json", _interrupted_infer, _infer, predictions("exp002"),
           silent=(FLIPPED,)),
    Target("candidates.jsonl of an interrupted infer", f"{_RUN}/dev/candidates.jsonl", _interrupted_infer, _infer,
           predictions("exp002"), silent=KINDS),
    Target("run.json of a member", f"{_RUN}/run.json", submitting, _submit, submission, silent=(FLIPPED,)),
    Target("predictions.csv of a member", f"{_RUN}/test/predictions.csv", submitting, _submit, submission),
    Target("candidates.jsonl of a member", f"{_RUN}/dev/candidates.jsonl", submitting, _submit, submission),
    Target("ledger.jsonl, submit", "submissions/ledger.jsonl", submitting, _submit, submission, silent=(*CUT, FLIPPED)),
    Target("ledger.jsonl, leaderboard", "submissions/ledger.jsonl", submitting, lambda _: common("leaderboard"), nothing,
           silent=(*CUT, FLIPPED)),
    Target("recipe", "submissions/daily_talk.toml", submitting, _submit, submission, kinds=EDITED),
    Target("competition.toml", f"competitions/{COMPETITION}/competition.toml", submitting, _submit, submission, kinds=EDITED),
    Target("dev.csv", f"competitions/{COMPETITION}/data/dev.csv", submitting, _submit, submission),
    Target("results of a run", f"results/{COMPETITION}/exp002.json", submitting, lambda _: common("results"), nothing,
           silent=("missing", FLIPPED)),
    Target("ranking.json of exp001", f"outputs/{COMPETITION}/exp001/best/ranking.json", submitting,
           lambda _: stage("exp001", "infer", "--competition", COMPETITION), predictions("exp001")),
    Target("API cache", ".cache/llm.sqlite", answered, lambda url: asking("infer", url), predictions("exp006"),
           silent=("missing", "empty", FLIPPED)),  # what is lost is asked again
)  # fmt: skip
