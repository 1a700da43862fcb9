"""Score a model's own summaries of training dialogues, and compute their rewards and advantages."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from common.core.errors import UserError
from common.core.messages import brief
from common.data.competition import Competition
from common.data.rows import Row
from common.rouge import get_profile, pairwise
from common.runs.candidates import Candidate
from common.runs.scoring import example_scores

MIN_DEVIATION = 2.0
"""Smallest divisor of a dialogue's scores, in ROUGE points: a smaller standard deviation is mostly noise."""
MAX_ADVANTAGE = 2.0
"""Largest absolute advantage; larger ones are clipped to it."""


def advantages(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each summary's score is above the dialogue's mean, in standard deviations, from -MOST to MOST.

    Source: Shao et al. 2024, "DeepSeekMath", section 4.1.2 (group-relative advantages); the minimum standard deviation
    is our addition.
    """
    standard: NDArray[np.float64] = (scores - scores.mean()) / max(scores.std(), MIN_DEVIATION)
    return standard.clip(-MAX_ADVANTAGE, MAX_ADVANTAGE)


def scores(
    rows: Sequence[Row], sampled: Mapping[str, Sequence[Candidate]], competition: Competition
) -> dict[str, list[float]]:
    """Return the dev profile's headline score of every sampled summary, by row id, in points from 0 to 100.

    Raises UserError when a row has no reference summary.
    """
    texts: dict[str, str] = {}
    wanted: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if not row.summaries:
            raise UserError(
                f"id {brief(row.id)} has no reference summary to score against; leave the row out."
            )
        for number, candidate in enumerate(sampled[row.id]):
            texts[f"{row.id}/{number}"] = candidate.text
            wanted[f"{row.id}/{number}"] = row.summaries
    found = example_scores(texts, wanted, competition.dev_profile, competition.leaderboard_references)
    values = iter((found.per_example[found.headline_key] * _points(competition)).tolist())
    return {row.id: [next(values) for _ in sampled[row.id]] for row in rows}


def _points(competition: Competition) -> float:
    """Return the factor that scales the dev profile's headline score to 0 to 100."""
    profile = get_profile(competition.dev_profile)
    return 100 / profile.headline_scale / (3 if profile.summed else 1)


def rewards(
    scores: Mapping[str, Sequence[float]],
    sampled: Mapping[str, Sequence[Candidate]],
    competition: Competition,
    agreement: float,
) -> dict[str, list[float]]:
    """Return the reward of every summary, by row id, in points from 0 to 100.

    It is (1 - `agreement`) times the summary's score plus `agreement` times its mean score against the dialogue's other
    summaries; that mean is 0 when there is no other summary.
    The other summaries stand for what other references could have said. The mean over them has much less variance
    than the score against the only reference.
    Source: Finkelstein and Freitag 2024, "MBR and QE Finetuning", section 3.
    """
    texts = [[candidate.text for candidate in sampled[name]] for name in scores]
    key = get_profile(competition.dev_profile).headline_key
    found = {}
    for name, matrices in zip(scores, pairwise(texts, competition.dev_profile), strict=True):
        matrix = matrices[key] * _points(competition)
        others = (matrix.sum(axis=1) - matrix.diagonal()) / max(1, len(matrix) - 1)
        own = np.asarray(scores[name], dtype=np.float64)
        found[name] = ((1 - agreement) * own + agreement * others).tolist()
    return found


def summary(scores: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return means over the dialogues, for a run's notes: the greedy summary's score, the mean score and the best score."""
    groups = list(scores.values())
    return {
        "greedy": round(float(np.mean([group[0] for group in groups])), 2),
        "mean": round(float(np.mean([np.mean(group) for group in groups])), 2),
        "best": round(float(np.mean([max(group) for group in groups])), 2),
    }
