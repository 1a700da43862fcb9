"""Consensus over a whole pool, and the search for its settings."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.core.errors import UserError
from common.data.rows import Row
from common.ensemble.consensus import Consensus, agreement, scores, search
from common.ensemble.cross_validation import MeasuredPool
from common.ensemble.pool import choose, pool
from tests.support.members import texts_of


@settings(max_examples=30)
@given(
    weights=st.lists(st.floats(0.05, 5), min_size=4, max_size=4),
    mix=st.tuples(st.floats(0.1, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_a_members_candidates_share_its_weight(
    alike: MeasuredPool, weights: list[float], mix: tuple[float, ...]
) -> None:
    found = scores(alike.agreement, Consensus(tuple(weights), mix))
    share = np.array(mix) / sum(mix)
    for place, texts in enumerate(alike.pool.texts[:8]):
        size = len(texts)
        owner = alike.pool.owner[place, :size]
        utility = alike.pool.utility[place, :size, :size].astype(float) @ share
        each = np.array([weights[number] / (owner == number).sum() for number in owner])
        for one in range(size):
            others = np.delete(each, one)
            expected = np.delete(utility[one], one) @ others / others.sum()
            assert found[place, one] == pytest.approx(expected, abs=1e-5)
        assert np.isneginf(found[place, size:]).all()


def test_some_dialogues_of_an_agreement_are_the_agreement_of_some(alike: MeasuredPool) -> None:
    some = np.array([3, 1, 7])
    one, two = alike.agreement.take(some), agreement(alike.pool.take(some))
    for name in ("utility", "share", "log_length", "owner"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


def test_references_and_candidates_may_be_separate_sets(alike: MeasuredPool) -> None:
    weights = (0.0, 1.0, 1.0, 1.0)
    chosen = choose(scores(alike.agreement, Consensus(weights, hypotheses=(0,))))
    assert (alike.pool.owner[np.arange(60), chosen] == 0).all()
    free = choose(scores(alike.agreement, Consensus(weights)))
    assert (alike.pool.owner[np.arange(60), free] != 0).any()


def test_the_length_preference_prefers(alike: MeasuredPool) -> None:
    def length(preference: float) -> float:
        chosen = choose(scores(alike.agreement, Consensus((1.0,) * 4, length=preference)))
        return float(np.mean([len(texts[i]) for texts, i in zip(alike.pool.texts, chosen, strict=True)]))

    assert length(-1) < length(0) < length(1)


@pytest.mark.parametrize(
    "setting",
    [Consensus((1.0,)), Consensus((1.0, 1.0, 1.0, -1.0)), Consensus((0.0,) * 4), Consensus((1.0,) * 4, (0.0,) * 4), Consensus((1.0,) * 4, (1.0, 1.0)),
     Consensus((1.0, 1.0, 1.0, float("nan")))],
)  # fmt: skip
def test_weights_that_do_not_match_are_refused(alike: MeasuredPool, setting: Consensus) -> None:
    with pytest.raises(UserError, match="wanted"):
        scores(alike.agreement, setting)


def test_the_search_never_ends_below_its_start_and_counts_its_trials(unequal: MeasuredPool) -> None:
    rows = np.arange(60)
    start = unequal.target[rows, choose(scores(unequal.agreement, Consensus((1.0,) * 5)))].mean()
    found = search(unequal.agreement, unequal.target, trials=300)
    assert found.trials == 300
    assert found.score > start
    assert found.score == pytest.approx(
        unequal.target[rows, choose(scores(unequal.agreement, found.setting))].mean()
    )
    assert search(unequal.agreement, unequal.target, trials=300) == found
    assert search(unequal.agreement, unequal.target, trials=1).score == pytest.approx(start)


def test_a_candidate_said_twice_by_one_member_changes_nothing(rows: list[Row]) -> None:
    rng = random.Random(2)
    members = {f"exp00{n}": {row.id: texts_of(row, 0.4, rng, 3) for row in rows[:10]} for n in (1, 2)}
    again = {
        name: {key: [*group, group[0], group[0]] for key, group in by_id.items()}
        for name, by_id in members.items()
    }
    one, two = pool(members), pool(again)
    assert one.texts == two.texts
    assert np.array_equal(one.utility, two.utility)
