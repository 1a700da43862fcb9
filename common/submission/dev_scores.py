"""Score the texts of a submission as the ledger keeps it: in every profile, with the floor and an interval on dev."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.competition import Competition
from common.data.rows import SplitName, read_references
from common.rouge import Interval, bootstrap_interval, paired_bootstrap
from common.runs import scoring
from common.runs.scoring import example_scores


def on_split(competition: Competition, split: SplitName, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the scores of texts and of the floor by profile, in the form of a submission's entry."""
    references = read_references(competition, split)
    scores = {
        profile: scoring.score(texts, references, profile, competition.leaderboard_references).headline
        for profile in scoring.profiles(competition)
    }
    floors = scoring.floors(competition, split)
    return {"blend": scores, "floor": {p: max(f.constant, f.lead) for p, f in floors.items()}}


def interval_on_dev(competition: Competition, blended: Mapping[str, str]) -> dict[str, Any]:
    """Return the ends of the 95 % bootstrap interval of the blend's dev score, in the scale of the dev profile."""
    found = example_scores(
        blended,
        read_references(competition, "dev"),
        competition.dev_profile,
        competition.leaderboard_references,
    )
    interval = bootstrap_interval(found.per_example[found.headline_key])
    return {"profile": competition.dev_profile, "low": interval.low, "high": interval.high}


def gain_of(best_member: NDArray[np.float64], blended: NDArray[np.float64]) -> Interval:
    """Return the difference of a blend from its best member, with the 95 % interval of a paired bootstrap.

    Both: scores by dialogue, in the order of dev. As many resamples as `rouge.compare` takes, so that the ledger, the page
    and a blend report show one interval of the same difference.
    """
    return paired_bootstrap(best_member, blended, resamples=10_000)[0]
