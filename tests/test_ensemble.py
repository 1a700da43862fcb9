"""Vote and consensus: weights count, ties go to the earlier, a candidate never vouches for itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.ensemble import mbr, vote

texts_and_weights = st.lists(
    st.tuples(st.sampled_from(["비가 온다", "눈이 온다", "바람이 분다", ""]), st.integers(0, 5)),
    min_size=1,
    max_size=8,
)


# vote


@pytest.mark.parametrize(
    ("texts", "weights", "index", "score", "tied"),
    [
        (["a"], [1], 0, 1, False),
        (["a", "b", "b"], [1, 1, 1], 1, 2, False),
        (["a", "b", "b"], [3, 1, 1], 0, 3, False),
        (["a", "b"], [1, 1], 0, 1, True),
        (["a", "b", "a", "b"], [1, 2, 1, 0], 0, 2, True),
        (["a", "b"], [0, 0], 0, 0, True),
        (["a", "a"], [0, 1], 0, 1, False),
        (["a", "b", "c"], [0.2, 0.5, 0.3], 1, 0.5, False),
    ],
)
def test_vote(texts: list[str], weights: list[float], index: int, score: float, tied: bool) -> None:
    choice = vote(texts, weights)
    assert (choice.index, choice.score, choice.tied) == (index, score, tied)


def test_votes_that_differ_by_rounding_alone_are_a_tie() -> None:
    choice = vote(["a", "b", "b", "b"], [0.3, 0.1, 0.1, 0.1])  # 0.1 + 0.1 + 0.1 > 0.3 in floats
    assert (choice.index, choice.tied) == (0, True)


@pytest.mark.parametrize(
    ("texts", "weights"), [([], []), (["a"], [1, 2]), (["a"], [-1]), (["a"], [float("nan")])]
)
def test_vote_refuses(texts: list[str], weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        vote(texts, weights)


@given(members=texts_and_weights, order=st.randoms())
def test_the_order_of_members_decides_ties_only(members: list[tuple[str, int]], order) -> None:  # type: ignore[no-untyped-def]
    before = vote(*zip(*members, strict=True))
    shuffled = list(members)
    order.shuffle(shuffled)
    after = vote(*zip(*shuffled, strict=True))
    assert (after.score, after.tied) == (before.score, before.tied)
    if not before.tied:
        assert shuffled[after.index][0] == members[before.index][0]


@given(members=texts_and_weights)
def test_a_repeated_member_is_a_heavier_one(members: list[tuple[str, int]]) -> None:
    merged: dict[str, int] = {}
    for text, weight in members:
        merged[text] = merged.get(text, 0) + weight
    one, two = vote(*zip(*members, strict=True)), vote(list(merged), list(merged.values()))
    assert members[one.index][0] == list(merged)[two.index]
    assert (one.score, one.tied) == (two.score, two.tied)


# mbr


def reference(utility: np.ndarray, weights: list[float]) -> list[float]:
    """The definition, written out."""
    n = len(weights)
    scores = []
    for i in range(n):
        others = [j for j in range(n) if j != i and weights[j] > 0]
        total = sum(weights[j] for j in others)
        scores.append(sum(weights[j] * utility[i, j] for j in others) / total if total else 0.0)
    return scores


@st.composite
def pools(draw: st.DrawFn) -> tuple[np.ndarray, list[float]]:
    n = draw(st.integers(1, 6))
    cells = draw(st.lists(st.integers(0, 8), min_size=n * n, max_size=n * n))
    weights = draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=n, max_size=n))
    return np.array(cells, dtype=float).reshape(n, n) / 8, weights


@given(pool=pools())
def test_mbr_is_its_definition(pool: tuple[np.ndarray, list[float]]) -> None:
    utility, weights = pool
    expected = reference(utility, weights)
    choice = mbr(utility, weights)
    best = max(expected)
    assert choice.score == pytest.approx(best)
    assert choice.index == next(i for i, score in enumerate(expected) if score >= best - 1e-12)
    assert choice.tied == (sum(score >= best - 1e-12 for score in expected) > 1)


@given(pool=pools(), own=st.floats(0, 100))
def test_a_candidate_never_vouches_for_itself(pool: tuple[np.ndarray, list[float]], own: float) -> None:
    utility, weights = pool
    louder = utility.copy()
    np.fill_diagonal(louder, own)
    assert mbr(louder, weights) == mbr(utility, weights)


@given(pool=pools(), order=st.randoms())
def test_permuting_the_candidates_permutes_the_choice(pool: tuple[np.ndarray, list[float]], order) -> None:  # type: ignore[no-untyped-def]
    utility, weights = pool
    places = list(range(len(weights)))
    order.shuffle(places)
    before, after = mbr(utility, weights), mbr(utility[np.ix_(places, places)], [weights[p] for p in places])
    assert after.score == pytest.approx(before.score)
    assert after.tied == before.tied
    if not before.tied:
        assert places[after.index] == before.index


@given(pool=pools(), factor=st.sampled_from([0.25, 2.0, 1000.0]))
def test_only_the_ratio_of_weights_counts(pool: tuple[np.ndarray, list[float]], factor: float) -> None:
    utility, weights = pool
    scaled = mbr(utility, [weight * factor for weight in weights])
    assert scaled.index == mbr(utility, weights).index
    assert scaled.score == pytest.approx(mbr(utility, weights).score)


def test_a_duplicate_speaks_for_its_twin() -> None:
    # Two equal texts (0, 1) support each other fully; the loner 2 is only half like them.
    utility = np.array([[1, 1, 0.5], [1, 1, 0.5], [0.5, 0.5, 1]])
    choice = mbr(utility, [1, 1, 1])
    assert (choice.index, choice.tied) == (0, True)
    assert choice.score == pytest.approx(0.75)


def test_a_text_without_weight_may_win_but_never_votes() -> None:
    utility = np.array([[1, 0.2, 0.2], [0.9, 1, 0.9], [0.2, 0.2, 1]])
    assert mbr(utility, [1, 0, 1]).index == 1
    assert mbr(utility, [1, 0, 1]).score == pytest.approx(0.9)


def test_the_utility_is_not_taken_as_symmetric() -> None:
    utility = np.array([[0, 0.1], [0.8, 0]])  # candidate 1 does well with 0 as the reference
    assert mbr(utility, [1, 1]).index == 1


def test_a_lone_candidate_wins_with_zero() -> None:
    choice = mbr(np.array([[1.0]]), [3])
    assert (choice.index, choice.score, choice.tied) == (0, 0.0, False)


@pytest.mark.parametrize(
    ("shape", "weights"),
    [((0, 0), []), ((2, 2), [1]), ((2, 3), [1, 1]), ((1, 1), [-1]), ((2, 2), [1, float("nan")])],
)
def test_mbr_refuses(shape: tuple[int, int], weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        mbr(np.zeros(shape), weights)
