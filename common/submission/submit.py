"""Turn a blend recipe into a validated CSV and a ledger entry.

Never imports torch, and trains members only on request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from common.core.errors import UserError
from common.core.files import atomic_path, root, sha256_file, shown
from common.core.messages import brief
from common.core.paths import run_folder
from common.core.provenance import git_state
from common.data.competition import Competition
from common.data.rows import SplitName, read_predictions, read_references, read_split
from common.ensemble.blend import Blended, Members, blend
from common.ensemble.recipe import Recipe
from common.postprocess.rules import apply_recorded
from common.rouge import paired_bootstrap
from common.runs import candidates, scoring
from common.runs.candidates import Candidate
from common.runs.record import read_record
from common.runs.scoring import example_scores, score
from common.submission import csv_file, ledger
from common.submission.leaks import require_clean
from common.submission.members import require_fresh

SPLITS: tuple[SplitName, ...] = ("dev", "test")


PredictionsByRun = dict[str, dict[str, str]]  # run -> id -> prediction


def member_candidates(
    recipe: Recipe, competition: Competition, split: SplitName
) -> dict[str, dict[str, list[Candidate]]]:
    """Return run → id → post-processed candidates: the prediction first, at most `recipe.candidates` different texts.

    Raises UserError when a member's ids differ from those of the split (ids are never silently dropped), or when
    the members were inferred on different data.
    """
    _require_one_data(recipe, competition, split)
    wanted = [row.id for row in read_split(competition, split).rows]
    members: dict[str, dict[str, list[Candidate]]] = {}
    for member in recipe.members:
        folder = run_folder(competition.name, member.run)
        path = folder / split / "predictions.csv"
        found = read_predictions(path, competition)
        absent, extra = set(wanted) - set(found), set(found) - set(wanted)
        if absent or extra:
            name = sorted(absent or extra)[0]
            raise UserError(
                f"{shown(path)}: {len(absent)} ids of {split} are missing and {len(extra)} are unknown, "
                f"for example {brief(name)}; infer {member.run} again."
            )
        apply_rules = apply_recorded(read_record(folder)["infer"]["config"])
        proposed = candidates.read(folder / split / "candidates.jsonl")
        members[member.run] = {
            name: _different(
                found[name],
                [replace(c, text=apply_rules(c.text)) for c in proposed.get(name, [])],
                recipe.candidates,
            )
            for name in wanted
        }
    return members


def _require_one_data(recipe: Recipe, competition: Competition, split: SplitName) -> None:
    """Raise UserError when the members were inferred on different versions of a split, even if stale ones are allowed."""
    place = shown(competition.path(split))
    seen: dict[str, str] = {}
    for member in recipe.members:
        stage = read_record(run_folder(competition.name, member.run)).get("infer", {})
        seen[member.run] = stage.get("data", {}).get(place, {}).get("sha256", "")
    first = recipe.members[0].run
    for run, sha in seen.items():
        if sha != seen[first]:
            raise UserError(
                f"submissions/{recipe.name}.toml: {run} and {first} were inferred on different versions of {place}; "
                "infer both again on the present data."
            )


def _different(prediction: str, proposed: Sequence[Candidate], most: int) -> list[Candidate]:
    """Return the prediction and then the other texts among the candidates, without duplicates, at most `most` in all."""
    texts: dict[str, Candidate] = {prediction: Candidate(prediction, None, 0)}
    for candidate in proposed:
        if candidate.text and (candidate.text not in texts or texts[candidate.text].logprob is None):
            texts[candidate.text] = candidate
    return list(texts.values())[:most]


def predictions_of(members: Members) -> PredictionsByRun:
    """Return run → id → prediction."""
    return {run: {name: group[0].text for name, group in by_id.items()} for run, by_id in members.items()}


@dataclass(frozen=True)
class Submitted:
    """The result of make submit: the CSV and its ledger entry."""

    path: Path
    entry: dict[str, Any]


def submit_blend(
    recipe: Recipe,
    competition: Competition,
    missing: str = "stop",
    *,
    allow_stale: bool = False,
    jobs: int = 1,
    force: bool = False,
) -> Submitted:
    """Blend the members, validate the result, write the CSV and append the ledger entry.

    Raises UserError when another submit is running; when a member is missing, stale, against the rules or trained on
    copies of dev or test; when dev does not show that the blend is better than its best member (unless `force`); or
    when the CSV is invalid. Then an earlier CSV stays as it is and the ledger gets no new entry.
    """
    if recipe.competition != competition.name:
        raise UserError(
            f"submissions/{recipe.name}.toml is for {recipe.competition}, but {competition.name} is active; "
            f"switch with: make use comp={recipe.competition}"
        )
    path = root() / "submissions" / f"{recipe.name}.csv"
    lock = FileLock(path.with_suffix(".lock"))
    try:
        held = lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"another make submit is writing {shown(path)}; wait for it to end.") from error
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be written ({error.strerror}); make it writable or free some space."
        ) from error
    with held:
        stale = require_fresh(recipe, competition, missing, allow_stale=allow_stale, jobs=jobs)
        require_clean([member.run for member in recipe.members], competition)
        members = {split: member_candidates(recipe, competition, split) for split in SPLITS}
        pools = {split: predictions_of(found) for split, found in members.items()}
        made = blend(recipe, competition, members["dev"], members["test"])
        judged = verdict(competition, pools["dev"], made.dev)
        if not (judged["supported"] or force):
            raise UserError(_unsupported(recipe, competition, judged))
        with atomic_path(path) as temporary:
            temporary.write_bytes(csv_file.text(competition, made.test).encode("utf-8"))
            csv_file.validate(competition, temporary, path)
            entry = _entry(recipe, competition, temporary, made, stale)
            entry["dev"] = _headlines(competition, "dev", pools["dev"], made.dev)
            entry["verdict"] = judged
            if "solution" in competition.files:
                entry["test"] = _headlines(competition, "test", pools["test"], made.test)
            ledger.append(entry)
    return Submitted(path, entry)


def verdict(
    competition: Competition, predictions: PredictionsByRun, blended: Mapping[str, str]
) -> dict[str, Any]:
    """Return the dev difference between the blend and its best member, with a 95 % paired-bootstrap interval.

    "supported" is true when the interval is above 0, or when the blend equals that member in every text.
    """
    references = read_references(competition, "dev")

    def per_example(texts: Mapping[str, str]) -> NDArray[np.float64]:
        found = example_scores(texts, references, competition.dev_profile, competition.leaderboard_references)
        return found.per_example[found.headline_key]

    scored = {run: per_example(texts) for run, texts in predictions.items()}
    best = max(scored, key=lambda run: scored[run].mean())
    interval, _ = paired_bootstrap(scored[best], per_example(blended))
    return {
        "best": best,
        "difference": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "supported": interval.low > 0 or dict(blended) == predictions[best],
    }


def _unsupported(recipe: Recipe, competition: Competition, judged: Mapping[str, Any]) -> str:
    best, dev = judged["best"], competition.dev_profile
    return (
        f"submissions/{recipe.name}.toml: on dev the blend is {judged['difference']:+.2f} {dev} over {best} alone, 95 % "
        f"interval {judged['low']:+.2f} … {judged['high']:+.2f}: it may be chance. Nothing was written. Submit {best} "
        'alone (a recipe with method = "vote" and this one member), look for a better blend with: make blend-report '
        f"blend={recipe.name}, or submit it anyway with force=1."
    )


def _headlines(
    competition: Competition, split: SplitName, predictions: PredictionsByRun, blended: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Return the headline score by profile for each member, for the blend and for the floor."""
    references = read_references(competition, split)
    found = {
        name: {
            p: score(t, references, p, competition.leaderboard_references).headline
            for p in scoring.profiles(competition)
        }
        for name, t in {**predictions, "blend": blended}.items()
    }
    return found | {
        "floor": {p: max(f.constant, f.lead) for p, f in scoring.floors(competition, split).items()}
    }


def _entry(
    recipe: Recipe,
    competition: Competition,
    path: Path,
    made: Blended,
    stale: Mapping[str, list[str]],
) -> dict[str, Any]:
    folders = {m.run: run_folder(competition.name, m.run) for m in recipe.members}
    sha = sha256_file(path)
    return {
        "id": sha[:10],
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": recipe.name,
        "competition": competition.name,
        "method": recipe.method,
        "recombined": recipe.recombined,
        "csv_sha256": sha,
        "members": [
            {"run": m.run, "weight": m.weight, "run_sha256": sha256_file(folders[m.run] / "run.json")}
            for m in recipe.members
        ],
        "stale": dict(stale),
        "choice": dict(made.choice),
        "copies": dict(made.copies),
        "git": git_state(),
        "data": {kind: sha256_file(competition.path(kind)) for kind in competition.files},
    }
