"""What dev teaches about members, and what that is honestly worth."""

import random
from dataclasses import replace

import numpy as np
import pytest

from common.core.errors import UserError
from common.data import folds
from common.data.rows import Row
from common.ensemble import learned
from common.ensemble.consensus import Consensus, agreement, scores
from common.ensemble.cross_validation import (
    CHOICE_METHODS,
    FOLDS,
    PLAIN,
    MeasuredPool,
    out_of_fold,
    shuffled,
    verdicts,
)
from common.ensemble.learned import Examples
from common.ensemble.pool import Pool, choose, duplicate_members, pool
from common.runs.candidates import Candidate
from tests.support.members import CONSTANT, NEAR_COPY, measured, texts_of


def test_on_unequal_members_consensus_loses_and_stacking_does_not(unequal: MeasuredPool) -> None:
    found = {verdict.method: verdict for verdict in verdicts(unequal, PLAIN).methods}
    assert found["best_member"].against_best.difference == 0
    assert found["mbr"].against_best.high < 0  # outvoted by members that only agree with each other
    for name in ("stack", "stack_boosting", "rank", "committee", "mbr_searched"):
        assert found[name].against_best.low >= -0.5, name
        assert found[name].score > found["mbr"].score + 10, name


def test_on_members_alike_consensus_and_stacking_win(alike: MeasuredPool) -> None:
    found = {verdict.method: verdict for verdict in verdicts(alike, PLAIN).methods}
    for name in ("mbr", "mbr_searched", "stack", "rank", "committee"):
        assert found[name].against_best.low > 0, name
        assert 0 < found[name].gap_closed < 1, name


def test_a_committee_weighs_its_members_alike_whatever_their_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two dialogues, the second of two candidates; the third member speaks a thousand times as loud."""
    columns, mask = np.ones((2, 3, 1)), np.array([[True, True, True], [True, True, False]])
    columns[1, 2] = 0
    said = {
        "ridge": [[0.0, 3.0, 0.0], [0.0, 1.0, -np.inf]],
        "boosting": [[0.0, 2.0, 1.0], [5.0, 0.0, -np.inf]],
        "rank": [[2000.0, 0.0, 0.0], [4000.0, 0.0, -np.inf]],
    }
    for name, each in said.items():
        monkeypatch.setattr(learned, name, lambda _, each=each: lambda _: np.array(each))
    found = learned.committee(Examples(columns, np.zeros((2, 3)), mask))(columns)
    spread = {n: np.mean([np.std(s[0]), np.std(s[1][:2])]) for n, s in said.items()}
    wanted = sum(np.array(each) / spread[name] for name, each in said.items())
    np.testing.assert_allclose(found, wanted)
    assert found.argmax(axis=1).tolist() == [1, 0]
    for name in said:
        monkeypatch.setattr(learned, name, lambda _: lambda _: np.zeros((2, 3)))
    assert not learned.committee(Examples(columns, np.zeros((2, 3)), mask))(columns).any()


@pytest.mark.slow
def test_chance_is_not_taken_for_a_gain(alike: MeasuredPool) -> None:
    """With every dialogue's scores shuffled among its candidates nothing can be learned."""
    above = 0
    for seed in range(2):
        for verdict in verdicts(shuffled(alike, seed), PLAIN if seed else CHOICE_METHODS).methods:
            # The best member of a shuffle is best by luck, so nobody should pass it.
            assert verdict.against_best.difference < 1.5, verdict
            above += verdict.against_best.low > 0
    assert above == 0


def test_a_choice_is_never_learned_from_its_own_dialogue(alike: MeasuredPool) -> None:
    """Each fold's targets may change at will without moving that fold's choices."""
    before = out_of_fold(alike, CHOICE_METHODS["stack"])
    rng = np.random.default_rng(0)
    fold = np.array(list(folds.folds(alike.rows, FOLDS, NEAR_COPY).values()))
    target = alike.target.copy()
    target[fold == 2] = rng.random((int((fold == 2).sum()), target.shape[1])) * 100
    after = out_of_fold(replace(alike, target=target), CHOICE_METHODS["stack"])
    assert np.array_equal(before[fold == 2], after[fold == 2])
    assert not np.array_equal(before, after)


def test_the_automatic_choice_is_judged_with_its_selection(unequal: MeasuredPool) -> None:
    found = verdicts(unequal, {"auto": CHOICE_METHODS["auto"]}).methods[0]
    assert found.score > 0
    assert found.against_best.low >= -0.5


def test_a_member_that_is_there_five_times_changes_nothing(rows: list[Row]) -> None:
    rng = random.Random(3)
    members = {
        f"exp00{n}": {row.id: texts_of(row, 0.2 + n / 10, rng, 3) for row in rows[:30]} for n in range(1, 4)
    }
    again = {**members, **{f"exp001-{n}": members["exp001"] for n in range(5)}}
    assert duplicate_members(again) == {f"exp001-{n}": "exp001" for n in range(5)}
    # What counting them would do: the twins vouch for each other until nobody else is heard.
    counted = pool(again)
    chosen = choose(scores(agreement(counted), Consensus((1.0,) * 8)))
    own = np.isin(counted.owner[np.arange(30), chosen], [0, 3, 4, 5, 6, 7]).mean()
    alone = pool(members)
    before = choose(scores(agreement(alone), Consensus((1.0,) * 3)))
    assert own > (alone.owner[np.arange(30), before] == 0).mean()


def test_one_member_equal_candidates_and_one_dialogue(rows: list[Row]) -> None:
    few = rows[:40]
    alone = measured(few, {"exp001": {row.id: [Candidate(CONSTANT, None, 9)] for row in few}})
    for name, method in CHOICE_METHODS.items():
        assert (out_of_fold(alone, method) == 0).all(), name
    assert set(CHOICE_METHODS) == {*PLAIN, "auto"}
    assert verdicts(alone, PLAIN).methods[0].gap_closed == 0
    with pytest.raises(UserError, match="folds"):
        verdicts(measured(rows[:1], {"exp001": {rows[0].id: [Candidate(CONSTANT, None, 9)]}}))


def test_a_ranker_without_differences_ranks_nothing(alike: MeasuredPool) -> None:
    flat = replace(alike.examples, target=np.ones_like(alike.target))
    found: Pool = alike.pool
    assert (learned.rank(flat)(alike.columns)[found.mask] == 0).all()
