"""Blend recipe → validated CSV and a ledger entry. Never imports torch, never trains by surprise."""

import math
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from common import candidates, files, ledger, postprocess, rows, runs, scoring, submission_csv
from common.competition import Competition
from common.ensemble import mbr, vote
from common.errors import UserError
from common.rouge import pairwise
from common.runs import git_state

UTILITIES = ("rouge1", "rouge2", "rougeL")
SPLITS: tuple[rows.SplitName, ...] = ("dev", "test")


@dataclass(frozen=True)
class Member:
    """One run of a blend and how far it is trusted."""

    run: str
    weight: float


@dataclass(frozen=True)
class Recipe:
    """What submissions/<name>.toml asks for."""

    name: str
    competition: str
    method: Literal["vote", "mbr"]
    members: tuple[Member, ...]
    candidates: int
    """How many candidates of each member take part (mbr); 1 uses the post-processed predictions."""
    utility: str
    """ROUGE profile that measures agreement (mbr)."""


def read_recipe(path: Path) -> Recipe:
    """The recipe of a TOML file. Raises UserError naming the file and the key that is wrong."""
    where = files.shown(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.toml"))) or "none"
        raise UserError(f"{where}: not there; recipes here: {there}. Copy one and name it so.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{where}: not valid TOML ({error}).") from error
    known = {"competition", "method", "members", "candidates", "utility"}
    if unknown := sorted(set(content) - known):
        raise UserError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}.")
    members = content.get("members")
    if not isinstance(members, list) or not members:
        raise UserError(f'{where}: "members" wants a list such as [{{ run = "exp002", weight = 1.0 }}].')
    found = tuple(_member(entry, where) for entry in members)
    if len({m.run for m in found}) != len(found):
        raise UserError(f"{where}: a member is named twice; give it one entry with the summed weight.")
    if sum(m.weight for m in found) <= 0:
        raise UserError(f"{where}: all weights are 0; give at least one member a positive weight.")
    method = content.get("method", "mbr")
    if method not in ("vote", "mbr"):
        raise UserError(f'{where}: method {method!r} is unknown; wanted "vote" or "mbr".')
    candidates = content.get("candidates", 1)
    if not isinstance(candidates, int) or isinstance(candidates, bool) or candidates < 1:
        raise UserError(f"{where}: candidates {candidates!r}; wanted a whole number from 1.")
    if candidates > 1 and method == "vote":
        raise UserError(
            f'{where}: an exact vote takes one text a member; drop "candidates" or use method = "mbr".'
        )
    if not isinstance(content.get("competition"), str):
        raise UserError(f'{where}: "competition" is missing; name the folder under competitions/.')
    return Recipe(
        path.stem, content["competition"], method, found, candidates, content.get("utility", "leaderboard")
    )


def _member(entry: Any, where: str) -> Member:
    if not isinstance(entry, dict) or not isinstance(entry.get("run"), str) or set(entry) - {"run", "weight"}:
        raise UserError(f'{where}: member {entry!r}; wanted {{ run = "exp002", weight = 1.0 }}.')
    weight = entry.get("weight", 1.0)
    if (
        isinstance(weight, bool)
        or not isinstance(weight, int | float)
        or not math.isfinite(weight)
        or weight < 0
    ):
        raise UserError(f"{where}: weight {weight!r} of {entry['run']}; wanted a number from 0.")
    return Member(entry["run"], float(weight))


def require_fresh(
    recipe: Recipe, competition: Competition, missing: str, *, allow_stale: bool
) -> dict[str, list[str]]:
    """Why each stale member is stale, when allowed; otherwise every member is fresh when this returns.

    With `missing="train"` absent and stale members are trained and inferred first; else they raise
    UserError with the commands to run.
    """
    stale = {}
    for member in recipe.members:
        folder = runs.run_folder(competition.name, member.run)
        reasons = runs.stale_reasons(folder)
        if reasons and missing == "train":
            _make(member.run, competition, restart=bool(runs.record(folder)) and runs.needs_training(folder))
            reasons = runs.stale_reasons(folder)
        if reasons:
            stale[member.run] = reasons
    unfinished = {run for run in stale if runs.unfinished(runs.run_folder(competition.name, run))}
    if stale and (unfinished or not allow_stale):
        raise UserError(_stale_message(recipe, stale, unfinished))
    return stale


def _stale_message(recipe: Recipe, stale: Mapping[str, list[str]], unfinished: set[str]) -> str:
    lines = [
        f"submissions/{recipe.name}.toml: {len(stale)} of {len(recipe.members)} members cannot be blended:"
    ]
    for run, reasons in stale.items():
        experiment, option = run.split("-")[0], f" run={run}" if "-" in run else ""
        folder = runs.run_folder(recipe.competition, run)
        train = f"make exp={experiment} train{option}" + ("" if run in unfinished else " restart=1")
        steps = f"{train} && " if runs.needs_training(folder) else ""
        lines.append(f"  {run}: {'; '.join(reasons[:3])}")
        lines.append(f"    run: {steps}make exp={experiment} infer{option}")
    lines.append(
        "or let it run them: make submit missing=train" + ("" if unfinished else ", or accept them: stale=ok")
    )
    return "\n".join(lines)


def _make(run: str, competition: Competition, *, restart: bool) -> None:
    experiment = run.split("-")[0]
    runs.require_experiment(experiment)
    folder = runs.run_folder(competition.name, run)
    words = ["--competition", competition.name, "--run", run]
    stages = ["train", "infer"] if runs.needs_training(folder) else ["infer"]
    for stage in stages:
        extra = ["--restart"] if stage == "train" and restart else []
        command = [sys.executable, "-m", f"experiments.{experiment}.{stage}", *words, *extra]
        if subprocess.run(command, cwd=files.root(), check=False).returncode != 0:
            raise UserError(f"{run}: {stage} failed (see above); mend that and run make submit again.")


Pool = dict[str, dict[str, list[str]]]  # member -> id -> its candidate texts, best first


def member_texts(recipe: Recipe, competition: Competition, split: rows.SplitName) -> Pool:
    """Each member's post-processed texts by id, at most `recipe.candidates` of them, the prediction first.

    Raises UserError when ids differ from the split's: never an inner join.
    """
    wanted = [row.id for row in rows.read_split(competition, split).rows]
    pool: Pool = {}
    for member in recipe.members:
        folder = runs.run_folder(competition.name, member.run)
        path = folder / split / "predictions.csv"
        found = rows.read_predictions(path, competition)
        absent, extra = set(wanted) - set(found), set(found) - set(wanted)
        if absent or extra:
            name = sorted(absent or extra)[0]
            raise UserError(
                f"{files.shown(path)}: {len(absent)} ids of {split} are missing and {len(extra)} are unknown, "
                f"for example {name!r}; infer {member.run} again."
            )
        more: dict[str, list[str]] = {}
        if recipe.candidates > 1:
            mend = postprocess.apply_recorded(runs.record(folder)["infer"]["config"])
            proposed = candidates.read(folder / split / "candidates.jsonl")
            more = {name: [mend(c.text) for c in group] for name, group in proposed.items()}
        pool[member.run] = {
            name: list(dict.fromkeys([found[name], *filter(None, more.get(name, []))]))[: recipe.candidates]
            for name in wanted
        }
    return pool


def blend(recipe: Recipe, pool: Pool) -> tuple[dict[str, str], dict[str, float]]:
    """The chosen text by id, and how the choice went: shares of dialogues tied, all alike, all different.

    A member's weight is shared evenly among its candidates of a dialogue. The utility of `mbr` is the mean
    of ROUGE-1, 2 and L in the recipe's profile.
    """
    names = list(next(iter(pool.values())))
    texts, weights = [], []
    for name in names:
        groups = [(pool[m.run][name], m.weight) for m in recipe.members]
        texts.append([text for group, _ in groups for text in group])
        weights.append([weight / len(group) for group, weight in groups for _ in group])
    if recipe.method == "vote":
        choices = [vote(group, w) for group, w in zip(texts, weights, strict=True)]
    else:
        matrices = pairwise(texts, recipe.utility)
        utilities = [np.mean([matrix[key] for key in UTILITIES], axis=0) for matrix in matrices]
        choices = [mbr(utility, w) for utility, w in zip(utilities, weights, strict=True)]
    picked = {name: group[c.index] for name, group, c in zip(names, texts, choices, strict=True)}
    return picked, {
        "tied": sum(c.tied for c in choices) / len(names),
        "all_alike": sum(len(set(group)) == 1 for group in texts) / len(names),
        "all_different": sum(len(set(group)) == len(group) for group in texts) / len(names),
    }


@dataclass(frozen=True)
class Submitted:
    """What make submit made."""

    path: Path
    entry: dict[str, Any]


def submit(
    recipe: Recipe, competition: Competition, missing: str = "stop", *, allow_stale: bool = False
) -> Submitted:
    """Blend, validate, put the CSV in place and append the ledger entry.

    Raises UserError when another submit runs, a member is absent or stale, or the result breaks a rule; the
    CSV of an earlier submit then stays as it was.
    """
    if recipe.competition != competition.name:
        raise UserError(
            f"submissions/{recipe.name}.toml is for {recipe.competition}, active is {competition.name}; "
            f"switch with: make use comp={recipe.competition}"
        )
    path = files.root() / "submissions" / f"{recipe.name}.csv"
    lock = FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"another make submit is writing {files.shown(path)}; wait for it to end.") from error
    except OSError as error:
        raise UserError(f"{files.shown(path)}: cannot be written ({error.strerror}).") from error
    with lock:
        stale = require_fresh(recipe, competition, missing, allow_stale=allow_stale)
        pools = {split: member_texts(recipe, competition, split) for split in SPLITS}
        picked, how = blend(recipe, pools["test"])
        with files.atomic_path(path) as temporary:
            temporary.write_bytes(submission_csv.text(competition, picked).encode("utf-8"))
            submission_csv.validate(competition, temporary)
        entry = _entry(recipe, competition, path, how, stale)
        entry["dev"] = _headlines(competition, "dev", pools["dev"], blend(recipe, pools["dev"])[0])
        if "solution" in competition.files:
            entry["test"] = _headlines(competition, "test", pools["test"], picked)
        ledger.append(entry)
    return Submitted(path, entry)


def _headlines(
    competition: Competition, split: rows.SplitName, pool: Pool, blended: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Headline by profile of every member's prediction, of the blend and of the floor."""
    references = rows.read_references(competition, split)
    texts = {run: {name: group[0] for name, group in by_id.items()} for run, by_id in pool.items()}
    found = {
        name: {
            p: scoring.score(t, references, p, competition.leaderboard_references).headline
            for p in scoring.profiles(competition)
        }
        for name, t in {**texts, "blend": blended}.items()
    }
    return found | {
        "floor": {p: max(f.constant, f.lead) for p, f in scoring.floors(competition, split).items()}
    }


def _entry(
    recipe: Recipe,
    competition: Competition,
    path: Path,
    how: Mapping[str, float],
    stale: Mapping[str, list[str]],
) -> dict[str, Any]:
    folders = {m.run: runs.run_folder(competition.name, m.run) for m in recipe.members}
    sha = files.sha256_file(path)
    return {
        "id": sha[:10],
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": recipe.name,
        "competition": competition.name,
        "method": recipe.method,
        "csv_sha256": sha,
        "members": [
            {"run": m.run, "weight": m.weight, "run_sha256": files.sha256_file(folders[m.run] / "run.json")}
            for m in recipe.members
        ],
        "stale": dict(stale),
        "choice": dict(how),
        "git": git_state(),
        "data": {kind: files.sha256_file(competition.path(kind)) for kind in competition.files},
    }
