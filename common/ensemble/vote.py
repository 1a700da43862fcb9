"""Weighted exact vote: the text that most weight stands behind."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """Which candidate of a dialogue was chosen, and how clearly."""

    index: int
    score: float
    """The winner's weight (vote) or expected utility (mbr)."""
    tied: bool
    """Whether another text reached the same score; the earlier candidate won."""


def vote(texts: Sequence[str], weights: Sequence[float]) -> Choice:
    """The text with the highest sum of weights; of equal ones the first, so order members by trust.

    Sums that differ by rounding alone (0.1 + 0.2 and 0.3) are equal.
    Raises ValueError when there is no text, the lengths differ, or a weight is negative or no finite number.
    Source: the field's guide; with texts that all differ it is the heaviest member's own text.
    """
    if not texts or len(texts) != len(weights) or not all(0 <= weight < math.inf for weight in weights):
        raise ValueError(f"{len(texts)} texts and weights {list(weights)}")
    totals: dict[str, float] = {}
    for text, weight in zip(texts, weights, strict=True):
        totals[text] = totals.get(text, 0.0) + weight
    best = max(totals.values())
    winners = [text for text, total in totals.items() if math.isclose(total, best)]
    return Choice(texts.index(winners[0]), best, tied=len(winners) > 1)
