"""Test whether a difference is real: bootstrap intervals and paired tests on per-example scores.

Every function takes a seed and returns the same result for it on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from common.core.errors import UserError

Verdict = Literal["better", "worse", "equal", "may be chance"]

_CELLS = 4_000_000  # number of resampled values held in memory at once: 32 MB


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its bootstrap interval, in the scale of the scores."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Paired comparison of two systems, a and b, on the same examples."""

    difference: float
    """Mean of b minus mean of a, in the scale of the scores."""
    low: float
    high: float
    bootstrap_p: float
    """Two-sided p-value of the paired bootstrap, in (0, 1]."""
    permutation_p: float
    """Two-sided p-value of the sign-flip permutation test, in (0, 1]."""
    n: int


def _checked(scores: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise UserError(
            f"{name} has shape {array.shape}; wanted one score per example, for at least one example."
        )
    if not np.isfinite(array).all():
        place = int(np.flatnonzero(~np.isfinite(array))[0])
        raise UserError(f"{name}[{place}] is {array[place]}; every score must be a finite number.")
    return array


def _check_settings(resamples: int, confidence: float) -> None:
    if resamples < 1:
        raise UserError(f"resamples is {resamples}; wanted at least 1.")
    if not 0 < confidence < 1:
        raise UserError(f"confidence is {confidence}; wanted a number between 0 and 1, such as 0.95.")


def _bootstrap_means(scores: npt.NDArray[np.float64], resamples: int, seed: int) -> npt.NDArray[np.float64]:
    """Return the means of resamples with replacement; bounding memory does not change the result."""
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, _CELLS // scores.size)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        means[start : start + count] = scores[rng.integers(0, scores.size, (count, scores.size))].mean(axis=1)
    return means


def _ends(means: npt.NDArray[np.float64], confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_interval(
    scores: npt.ArrayLike, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Return the mean and its percentile bootstrap interval, in the scale of the scores; low <= high.

    ``scores``: one finite number per example. Raises UserError for no scores and for NaN.
    Source: Efron and Tibshirani 1993, chapter 13 (percentile interval).
    """
    _check_settings(resamples, confidence)
    array = _checked(scores, "scores")
    low, high = _ends(_bootstrap_means(array, resamples, seed), confidence)
    return Interval(float(array.mean()), low, high)


def paired_bootstrap(
    a: npt.ArrayLike, b: npt.ArrayLike, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[Interval, float]:
    """Return the interval of mean(b) - mean(a) over resampled examples, and a two-sided p-value in (0, 1].

    The p-value is twice the share of resamples on the far side of zero (ties count on both sides), with one added to
    numerator and denominator so that it is never 0. Raises UserError when the lengths differ.
    Source: Koehn 2004, "Statistical significance tests for machine translation evaluation".
    """
    _check_settings(resamples, confidence)
    difference = _difference(a, b)
    means = _bootstrap_means(difference, resamples, seed)
    low, high = _ends(means, confidence)
    tail = min(int((means <= 0).sum()), int((means >= 0).sum()))
    p_value = min(1.0, 2 * (tail + 1) / (resamples + 1))
    return Interval(float(difference.mean()), low, high), p_value


def paired_permutation(a: npt.ArrayLike, b: npt.ArrayLike, resamples: int = 10_000, seed: int = 0) -> float:
    """Return the two-sided p-value in (0, 1] of the mean difference, by flipping the signs of differences.

    If there are at most ``resamples`` ways to flip the signs of the examples' differences, all are tried and the
    p-value is exact. Otherwise ``resamples`` of them are sampled, and the observed signs are added to them. Raises
    UserError when the lengths differ.
    Source: Noreen 1989 (approximate randomization); Phipson and Smyth 2010 for adding the observed signs.
    """
    _check_settings(resamples, 0.5)
    difference = _difference(a, b)
    size = difference.size
    observed = abs(float(difference.sum()))
    # Sums in another order differ in the last bits; a flip with the observed sum must still count as extreme.
    threshold = observed - 1e-12 * float(np.abs(difference).sum())
    if size < 60 and 2**size <= resamples:
        flips = (np.arange(2**size)[:, None] >> np.arange(size)) & 1
        return float((np.abs(_sums(1 - 2 * flips, difference)) >= threshold).mean())
    rng = np.random.default_rng(seed)
    extreme = 0
    step = max(1, _CELLS // size)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        signs = rng.integers(0, 2, (count, size), dtype=np.int8) * np.int8(2) - np.int8(1)
        extreme += int((np.abs(_sums(signs, difference)) >= threshold).sum())
    return (extreme + 1) / (resamples + 1)


def _sums(signs: npt.NDArray[np.integer], difference: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the sum of the differences for each row of signs.

    Not by BLAS: its threads take twice as long as one thread for a product of this size, and it needs a copy of the signs
    as floats.
    """
    found: npt.NDArray[np.float64] = np.einsum("ij,j->i", signs, difference)
    return found


def _difference(a: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.float64]:
    first, second = _checked(a, "scores a"), _checked(b, "scores b")
    if first.size != second.size:
        raise UserError(
            f"scores a has {first.size} examples and scores b {second.size}; a paired test needs the same examples "
            "in the same order. Match both by id first."
        )
    return second - first


def compare(
    a: npt.ArrayLike, b: npt.ArrayLike, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Comparison:
    """Return both paired tests of b against a on per-example scores of the same examples.

    Raises UserError when the lengths differ or a score is not finite.
    """
    interval, bootstrap_p = paired_bootstrap(a, b, confidence, resamples, seed)
    permutation_p = paired_permutation(a, b, resamples, seed)
    return Comparison(
        interval.mean, interval.low, interval.high, bootstrap_p, permutation_p, int(np.asarray(a).size)
    )


def verdict(low: float, high: float) -> Verdict:
    """Return what the ends of an interval say about a difference.

    "better" if all of it is above 0, "worse" if all of it is below 0, "equal" if it is 0 alone, else "may be chance".
    """
    if low > 0:
        return "better"
    if low == high == 0:
        return "equal"
    return "worse" if high < 0 else "may be chance"


def holm(p_values: Sequence[float | None]) -> list[float]:
    """Return every p after Holm's correction for all of them, in [0, 1].

    None means not tested: it does not count, and its adjusted p is 1.
    """
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, (p, place) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - rank)))
        adjusted[place] = highest
    return adjusted
