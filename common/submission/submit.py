"""Turn a blend recipe into a validated CSV and a ledger entry.

Never imports torch, and trains members only on request.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from common.core.errors import UserError
from common.core.files import atomic_path, root, shown
from common.core.json_lines import append_line
from common.core.locks import removed_on_failure
from common.core.progress import brief_progress, waiting
from common.data.competition import Competition
from common.data.competition_file import comp_setting
from common.data.rows import SplitName, read_references
from common.ensemble.blend import blend
from common.ensemble.recipe import Recipe
from common.rouge import verdict as of_interval
from common.runs import scoring
from common.runs.scoring import example_scores, score
from common.submission import csv_file, ledger, member_files
from common.submission.candidates import PredictionsByRun, member_candidates, predictions_of
from common.submission.dev_scores import gain_of, interval_on_dev
from common.submission.leaks import require_clean
from common.submission.members import require_fresh
from common.submission.reproduce import SPLITS, recorded_inputs


@dataclass(frozen=True)
class Submitted:
    """The result of make submit: the CSV and its ledger entry."""

    path: Path
    entry: dict[str, Any]
    repeated: bool
    """Whether the ledger already had this CSV; then `entry` is the earlier entry, and no second one was added."""
    noted: bool = False
    """Whether an earlier entry got a new note."""


def submit_blend(
    recipe: Recipe,
    competition: Competition,
    missing: str = "stop",
    *,
    allow_stale: bool = False,
    jobs: int = 1,
    force: bool = False,
    note: str | None = None,
) -> Submitted:
    """Blend the members, validate the result, write the CSV and then append the ledger entry.

    A CSV that the ledger already has gets no second entry; another note is added to the earlier one. A kill between the two steps leaves a CSV without an entry;
    the next submit adds it.
    Raises UserError when another submit is running; when a member is missing, stale, against the rules or trained on
    copies of dev or test; when dev does not show that the blend is better than its best member (unless `force`); or
    when the CSV is invalid. Then an earlier CSV stays as it is and the ledger gets no new entry.
    """
    require_recipe_for(recipe, competition, "submit")
    note = None if note is None else ledger.require_note(note)
    path = root() / "submissions" / f"{recipe.name}.csv"
    lock = FileLock(path.with_suffix(".lock"))
    new = not path.with_suffix(".lock").exists()
    try:
        lock.acquire(timeout=1)  # as for a run
    except Timeout as error:
        raise UserError(f"another make submit is writing {shown(path)}; wait for it to end.") from error
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be written ({error.strerror}); make it writable or free some space."
        ) from error
    with removed_on_failure(lock, new=new):
        member_files.require_readable(recipe, competition)
        stale = require_fresh(recipe, competition, missing, allow_stale=allow_stale, jobs=jobs)
        require_clean(recipe.runs, competition)
        with waiting("hash what the submission is made of"):
            inputs = recorded_inputs(recipe, competition)
        members = {split: member_candidates(recipe, competition, split) for split in SPLITS}
        pools = {split: predictions_of(found) for split, found in members.items()}
        made = blend(recipe, competition, members["dev"], members["test"])
        judged = verdict(competition, pools["dev"], made.dev)
        if not (judged["supported"] or force):
            raise UserError(_unsupported(recipe, competition, judged))
        content = csv_file.text(competition, made.test).encode("utf-8")
        entry = {
            "id": "",
            "time": "",
            "recipe": recipe.name,
            "competition": competition.name,
            "method": recipe.method,
            "recombined": recipe.recombined,
            "csv_sha256": hashlib.sha256(content).hexdigest(),
            **inputs,
            "stale": stale,
            "choice": dict(made.choice),
            "copies": dict(made.copies),
            **({"test_only": list(recipe.test_only)} if recipe.test_only else {}),
            "dev": _headlines(competition, "dev", pools["dev"], made.dev),
            "interval": interval_on_dev(competition, made.dev),
            "verdict": judged,
            **({} if note is None else {"note": note}),
        }
        if "solution" in competition.files:
            entry["test"] = _headlines(competition, "test", pools["test"], made.test)
        return _put_in_place(competition, path, content, entry)


def require_recipe_for(recipe: Recipe, competition: Competition, command: str) -> None:
    """Raise UserError when a recipe is for another competition; the message has the make command for that one."""
    if recipe.competition != competition.name:
        raise UserError(
            f"submissions/{recipe.name}.toml is for {recipe.competition}, not for {competition.name}; "
            f"run: make {command} comp={recipe.competition} blend={recipe.name}"
        )


def _put_in_place(competition: Competition, path: Path, content: bytes, entry: dict[str, Any]) -> Submitted:
    """Write the CSV, then append the entry with its id and time; only the CSV when the ledger already has it.

    Raises UserError when the CSV is invalid or one of the two cannot be written; then neither has changed.
    """
    with ledger.locked():
        known = ledger.entries()
        for earlier in known:
            same = (earlier["competition"], earlier["csv_sha256"]) == (competition.name, entry["csv_sha256"])
            if same and ledger.is_registered(earlier):  # that entry knows no dev score and no members
                entry["lb"] = {**entry.get("lb", {}), **earlier.get("lb", {})}
            elif same:
                if not (path.is_file() and path.read_bytes() == content):
                    _write(competition, path, content)
                note = entry.get("note", earlier.get("note"))
                noted = note != earlier.get("note")
                if noted:
                    now = datetime.now(UTC).isoformat(timespec="seconds")
                    append_line(root() / ledger.LEDGER, {"id": earlier["id"], "note": note, "time": now})
                    earlier = {**earlier, "note": note}
                return Submitted(path, earlier, repeated=True, noted=noted)
        if not entry.get("lb", True):
            del entry["lb"]
        entry["id"] = ledger.free_id(entry["csv_sha256"], known)
        entry["time"] = datetime.now(UTC).isoformat(timespec="seconds")
        with ledger.adding(entry):
            _write(competition, path, content)
    return Submitted(path, entry, repeated=False)


def _write(competition: Competition, path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        csv_file.validate(competition, temporary, path)


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

    bar = brief_progress(len(predictions), "score dev", "member")
    scored = {}
    for run, texts in predictions.items():
        scored[run] = per_example(texts)
        bar.update()
    bar.close()
    best = max(scored, key=lambda run: scored[run].mean())
    interval = gain_of(scored[best], per_example(blended))
    return {
        "best": best,
        "difference": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "supported": interval.low > 0 or dict(blended) == predictions[best],
    }


def doubt(judged: Mapping[str, Any]) -> str:
    """Return what a verdict says against the blend as the end of a sentence; "" when dev supports the blend."""
    if judged["supported"]:
        return ""
    worse = of_interval(judged["low"], judged["high"]) == "worse"
    return ": it is worse" if worse else ": it may be chance"


def _unsupported(recipe: Recipe, competition: Competition, judged: Mapping[str, Any]) -> str:
    best, dev = judged["best"], competition.dev_profile
    return (
        f"submissions/{recipe.name}.toml: on dev the blend is {judged['difference']:+.2f} {dev} over {best} alone, 95 % "
        f"interval {judged['low']:+.2f} … {judged['high']:+.2f}{doubt(judged)}. Nothing was written. Submit {best} "
        'alone (a recipe with method = "vote" and this one member), look for a better blend with: make blend-report '
        f"blend={recipe.name}{comp_setting(competition.name)}, or submit it anyway with force=1."
    )


def _headlines(
    competition: Competition, split: SplitName, predictions: PredictionsByRun, blended: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Return the headline score by profile for each member, for the blend and for the floor."""
    references = read_references(competition, split)
    bar = brief_progress(len(predictions) + 1, f"score {split} in every profile", "text file")
    found = {}
    for name, texts in {**predictions, "blend": blended}.items():
        found[name] = {
            p: score(texts, references, p, competition.leaderboard_references).headline
            for p in scoring.profiles(competition)
        }
        bar.update()
    bar.close()
    return found | {
        "floor": {p: max(f.constant, f.lead) for p, f in scoring.floors(competition, split).items()}
    }
