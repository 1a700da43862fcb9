"""Intervals and paired tests: known answers, calibration, and bad input."""

import itertools

import numpy as np
import pytest

from common.core.errors import UserError
from common.rouge import bootstrap_interval, compare, paired_bootstrap, paired_permutation, stats, verdict


def test_interval_of_normal_scores_is_near_the_textbook_one():
    scores = np.random.default_rng(0).normal(50, 10, 400)
    interval = bootstrap_interval(scores, resamples=4000)
    half = 1.96 * scores.std() / np.sqrt(400)
    assert interval.mean == scores.mean()
    assert interval.low == pytest.approx(scores.mean() - half, abs=0.1)
    assert interval.high == pytest.approx(scores.mean() + half, abs=0.1)


def test_same_seed_same_answer_and_memory_bound_changes_nothing(monkeypatch):
    scores = np.random.default_rng(1).random(50)
    first = bootstrap_interval(scores, seed=3)
    assert first == bootstrap_interval(scores, seed=3)
    assert first != bootstrap_interval(scores, seed=4)
    other = np.random.default_rng(2).random(50)
    p_value = paired_permutation(scores, other, seed=3)
    monkeypatch.setattr(stats, "_CELLS", 500)
    assert bootstrap_interval(scores, seed=3) == first
    assert paired_permutation(scores, other, seed=3) == p_value


def test_permutation_is_exact_for_few_examples():
    a, b = np.zeros(8), np.array([1.0, 2, 3, 4, 5, 6, 7, -0.5])
    sums = [abs(np.dot(signs, b - a)) for signs in itertools.product((1, -1), repeat=8)]
    assert paired_permutation(a, b) == np.mean([value >= abs((b - a).sum()) - 1e-9 for value in sums])


def test_no_difference_is_not_significant_and_a_clear_one_is():
    rng = np.random.default_rng(0)
    a = rng.random(300)
    same = compare(a, a)
    assert (same.difference, same.bootstrap_p, same.permutation_p) == (0.0, 1.0, 1.0)
    better = compare(a, a + 0.05 + rng.normal(0, 0.05, 300))
    assert better.difference == pytest.approx(0.05, abs=0.01)
    assert 0 < better.bootstrap_p < 0.001
    assert 0 < better.permutation_p < 0.001
    assert better.low > 0
    worse = compare(a + 0.05 + rng.normal(0, 0.05, 300), a)
    assert worse.high < 0


def test_p_values_are_calibrated_when_nothing_differs():
    rng = np.random.default_rng(7)
    pairs = [rng.normal(size=(2, 40)) for _ in range(200)]
    for test in (
        lambda a, b: paired_bootstrap(a, b, resamples=500)[1],
        lambda a, b: paired_permutation(a, b, 500),
    ):
        false_alarms = sum(test(a, b) < 0.05 for a, b in pairs)
        assert 2 <= false_alarms <= 22  # 10 expected; outside this band once in a thousand runs


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: compare([1.0, 2.0], [1.0]), "2 examples and scores b 1"),
        (lambda: bootstrap_interval([]), "at least one"),
        (lambda: bootstrap_interval([1.0, float("nan")]), r"scores\[1\] is nan"),
        (lambda: bootstrap_interval([1.0], confidence=95), "confidence is 95"),
        (lambda: bootstrap_interval([1.0], resamples=0), "resamples is 0"),
        (lambda: bootstrap_interval([[1.0]]), "shape"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(UserError, match=words):
        call()


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.1, 2.0, "better"),
        (-2.0, -0.1, "worse"),
        (0.0, 0.0, "equal"),
        (0.0, 1.0, "may be chance"),
        (-1.0, 0.0, "may be chance"),
        (-1.0, 1.0, "may be chance"),
    ],
)
def test_an_interval_gives_one_verdict(low: float, high: float, wanted: str) -> None:
    assert verdict(low, high) == wanted
