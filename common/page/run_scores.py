"""Read a run's scores for the page: from its result, or from scores.json of its folder where there is no result of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import read_json
from common.page.content import Score
from common.page.finite import finite
from common.runs.results import HASH, ProfileScore, Result


def of_this_run(result: Result, stages: Mapping[str, Any]) -> bool:
    """Return whether a result was made with the checkpoint of this run folder, as far as the folder records one.

    It was not when the run was trained again since, or when the result is a teammate's run of the same name.
    """
    stage = stages.get("infer") or stages.get("train") or {}
    checkpoint = stage.get("checkpoint")
    return not isinstance(checkpoint, str) or checkpoint.startswith(result.checkpoint[:HASH])


def result_scores(found: Mapping[str, ProfileScore]) -> dict[str, Score]:
    """Return the scores of a result by profile."""
    return {
        profile: Score(score.score, score.low, score.high, score.floor, score.metrics)
        for profile, score in found.items()
    }


def folder_scores(folder: Path) -> dict[str, Score]:
    """Return the dev scores of a run folder by profile, with intervals and floors where scores.json has them."""
    try:
        report = read_json(folder / "dev" / "scores.json")
        floors = report["floors"]
        found = {entry["profile"]: _score(entry, floors.get(entry["profile"])) for entry in report["scores"]}
    except (UserError, KeyError, TypeError, ValueError, AttributeError):  # the gaps of the row say so
        return {}
    return {profile: score for profile, score in found.items() if score}


def _score(entry: Mapping[str, Any], floor: Mapping[str, Any] | None) -> Score | None:
    score = finite(entry["headline"])
    if score is None:
        return None
    metrics = entry.get("metrics", {})
    headline = next((key for key in metrics if key.endswith(f"/{entry['headline_key']}")), None)
    low, high = entry.get("intervals", {}).get(headline, (None, None))
    known = [
        number for name in ("constant", "lead") if (number := finite((floor or {}).get(name))) is not None
    ]
    return Score(
        score,
        finite(low),
        finite(high),
        max(known, default=None),
        {
            key.rpartition("/")[2]: mean
            for key, value in metrics.items()
            if key != headline and (mean := finite(value)) is not None
        },
    )
