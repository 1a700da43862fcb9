"""Learning from the scores of own summaries: advantages, and which summaries are learnt from."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.core.config import check
from common.core.errors import UserError
from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.data.rows import Row
from common.runs.candidates import Candidate
from common.runs.scoring import score
from common.training import reward
from common.training.config import RewardConfig
from common.training.policy_gradient import collate, policy_gradient
from common.training.reward import MAX_ADVANTAGE
from tests.support import tiny
from tests.support.rewarded import ROW, TOKENIZER, apart, example, logprob, made

pytestmark = pytest.mark.usefixtures("model_cache")


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"dialogues": -1}, "--dialogues: found -1, wanted a whole number from 0"),
     ({"sampled": 0}, "--sampled: found 0, wanted a whole number from 1"),
     ({"agreement": 1.5}, "--agreement: found 1.5, wanted a number from 0 to 1"),
     ({"sampled_temperature": 0.0}, "--sampled-temperature: found 0.0, wanted a number from 0.01"),
     ({"kept": 3}, "--kept: found 3, wanted a whole number from 2 to 256, a multiple of 2"),
     ({"kept": 0}, "--kept: found 0, wanted a whole number from 2"),
     ({"worse_weight": -0.5}, "--worse-weight: found -0.5, wanted a number from 0"),
     ({"reference_weight": 0.0}, "--reference-weight: found 0.0, wanted a number above 0"),
     ({"clip": 0.0}, "--clip: found 0.0, wanted a number above 0")],
)  # fmt: skip
def test_settings_that_teach_nothing_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        check(replace(RewardConfig(), **changes))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=12))
def test_advantages(scores: list[float]) -> None:
    found = reward.advantages(np.array(scores))
    assert np.abs(found).max() <= MAX_ADVANTAGE
    order = np.argsort(scores)
    assert (np.diff(found[order]) >= 0).all()
    if np.abs(found).max() < MAX_ADVANTAGE:
        assert abs(found.mean()) < 1e-9 and found.std() < 1 + 1e-9
    assert np.allclose(reward.advantages(np.array(scores[:1])), 0)


def test_differences_of_a_point_weigh_little() -> None:
    found = reward.advantages(np.array([40.0, 40.5]))
    assert found.tolist() == [-0.125, 0.125]


TEXTS = ("가", "나", "다", "라", "마", "가")
SCORES = [50.0, 20.0, 40.0, 10.0, 30.0, 50.0]


def candidate(text: str, **changes: Any) -> Candidate:
    tokens = len(TOKENIZER.encode(text, add_special_tokens=False)) + 1
    return replace(Candidate(text, -3.0, tokens), **changes)


def texts_of(found: dict[str, Any]) -> list[str]:
    starts = np.cumsum([0, *found["lengths"]]).tolist()
    parts = [found["target"][a:b] for a, b in pairwise(starts)]
    assert all(part[-1] == TOKENIZER.eos_token_id for part in parts)
    return [TOKENIZER.decode(part[:-1]) for part in parts]


def test_best_and_worst_are_kept_each_text_once_and_the_reference() -> None:
    found = made([candidate(text) for text in TEXTS], SCORES)
    assert texts_of(found) == ["가", "다", "나", "라", ROW.summaries[0]]
    spread = math.sqrt(200)  # of 50, 40, 30, 20, 10
    wanted = [20 / spread / 4, 10 / spread / 4, -10 / spread / 4 * 0.3, -20 / spread / 4 * 0.3, 0.3]
    assert found["weights"] == pytest.approx(wanted, abs=1e-6)
    assert found["logprobs"][:4] == [-3.0] * 4 and math.isnan(found["logprobs"][4])
    few = made([candidate(text) for text in TEXTS], SCORES, kept=2, worse_weight=0.0, reference_weight=1.0)
    assert texts_of(few) == ["가", "라", ROW.summaries[0]]
    assert few["weights"] == pytest.approx([20 / spread / 2, 0.0, 1.0], abs=1e-6)


def test_middling_summaries_are_left_out_and_unknown_likelihoods_are_nan() -> None:
    sampled = [candidate("가"), candidate("나", tokens=9), candidate("다", logprob=None)]
    found = made(sampled, [60.0, 41.0, 20.0])
    assert texts_of(found) == ["가", "다", ROW.summaries[0]]
    assert [math.isnan(value) for value in found["logprobs"]] == [False, True, True]
    found = made(sampled, [60.0, 20.0, 41.0])
    assert texts_of(found) == ["가", "나", ROW.summaries[0]]
    assert [math.isnan(value) for value in found["logprobs"]] == [False, True, True]


def test_a_summary_that_was_cut_off_does_not_end() -> None:
    sampled = [candidate("가"), candidate("나다라마바사", tokens=30)]
    found = made(sampled, [60.0, 20.0])
    assert found["target"].count(TOKENIZER.eos_token_id) == 2  # the good one's and the reference's
    assert found["lengths"][1] == len(TOKENIZER.encode("나다라마바사", add_special_tokens=False))


def test_where_all_are_alike_there_is_nothing_to_learn() -> None:
    with pytest.raises(
        UserError, match=r"nothing to learn\. Sample them with a higher --sampled-temperature"
    ):
        made([candidate(text) for text in TEXTS], [30.0] * 6)


def test_scores_are_the_dev_profile_of_every_summary(competition: Competition) -> None:
    rows = tiny.rows(5)
    sampled = {
        row.id: [candidate(row.summaries[0]), candidate(rows[0].summaries[0]), candidate("")] for row in rows
    }
    found = reward.scores(rows, sampled, competition)
    assert list(found) == [row.id for row in rows]
    for row in rows:
        alone = [
            score({row.id: one.text}, {row.id: row.summaries}, competition.dev_profile).headline
            for one in sampled[row.id]
        ]
        assert found[row.id] == pytest.approx(alone)
    for agreement in (0.0, 0.25, 1.0):
        worth = reward.rewards(found, sampled, competition, agreement)
        for row in rows:
            texts = [one.text for one in sampled[row.id]]
            for place, own in enumerate(texts):
                others = texts[:place] + texts[place + 1 :]
                against = [
                    score({"a": own}, {"a": (other,)}, competition.dev_profile).headline if other else 0.0
                    for other in others
                ]
                wanted = (1 - agreement) * found[row.id][place] + agreement * float(np.mean(against))
                assert worth[row.id][place] == pytest.approx(wanted)
    assert reward.rewards({"a": [7.0]}, {"a": sampled[rows[0].id][:1]}, competition, 0.5) == {"a": [3.5]}
    assert reward.summary({"a": [1.0, 3.0], "b": [2.0, 0.0]}) == {"greedy": 1.5, "mean": 1.5, "best": 2.5}
    with pytest.raises(UserError, match="'bare' has no reference summary"):
        reward.scores([Row("bare", "말", (), "")], {"bare": [candidate("가")]}, competition)


@pytest.fixture
def competition() -> Competition:
    return load_competition("daily_talk")


def test_what_is_rewarded_becomes_likelier() -> None:
    """Against its alternative, by a few steps of the loss."""
    model = tiny.loud("gemma3").train()
    one = example(20, [6, 6], [0.5, -0.25])
    (_, good), (_, bad) = apart([one])
    before = logprob(model, good) - logprob(model, bad)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(5):
        optimizer.zero_grad()
        policy_gradient(model, collate([one], 0), 0.0).backward()
        optimizer.step()
    assert logprob(model, good) - logprob(model, bad) > before + 1
