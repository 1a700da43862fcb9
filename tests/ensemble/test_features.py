"""Features of candidates are what they are called and never see a reference."""

from dataclasses import replace

import numpy as np
import pytest

from common.core.errors import UserError
from common.data.rows import Row
from common.ensemble.cross_validation import MeasuredPool
from common.ensemble.features import OF_TEXT, features, names
from common.ensemble.neighbours import NAMES, neighbours
from common.ensemble.pool import pool
from common.runs.candidates import Candidate
from tests.support.members import measured


def test_features_say_what_they_are_called(rows: list[Row]) -> None:
    row = Row("a", "#Person1#: 우산 3개 살까요?\n#Person2#: 네, 좋아요.", ("",), "")
    group = [
        Candidate("#Person1#은 우산 3개를 산다.", -4.0, 8),
        Candidate("#Person7#은 책상 9개를 판다 판다 판다", None, 9),
    ]
    found = pool({"exp001": {"a": group}})
    columns = dict(zip(names(found), features(found, {"a": row.dialogue})[0].T, strict=True))
    assert columns["ends_in_stop"].tolist() == [1, 0]
    assert columns["tags_invented"].tolist() == [0, 1]
    assert columns["speakers_missing"].tolist() == [1, 2]
    assert columns["numbers_invented"].tolist() == [0, 1]
    assert columns["numbers_kept"].tolist() == [1, 0]
    assert columns["logprob"].tolist() == [-0.5, 0]
    assert columns["logprob_known"].tolist() == [1, 0]
    assert columns["is_prediction"].tolist() == [1, 0]
    assert columns["repeated_bigrams"][1] > columns["repeated_bigrams"][0]
    assert columns["source_coverage"][0] > columns["source_coverage"][1]
    assert columns["novel"][0] < columns["novel"][1]
    assert set(OF_TEXT) <= set(columns)


def test_features_never_see_a_reference(rows: list[Row], alike: MeasuredPool) -> None:
    other = [replace(row, summaries=("전혀 다른 요약.",)) for row in rows]
    members = {
        name: {key: [Candidate(t, None, 1) for t, o in zip(texts, owners, strict=False) if o == number]
               for key, texts, owners in zip(alike.pool.ids, alike.pool.texts, alike.pool.owner, strict=True)}
        for number, name in enumerate(alike.pool.members)
    }  # fmt: skip
    one, two = measured(rows, members), measured(other, members)
    assert np.array_equal(one.columns, two.columns)
    assert not np.array_equal(one.target, two.target)


def test_neighbours_are_trains_summaries_but_never_the_dialogues_own() -> None:
    asked = Row(
        "dev_0", "#Person1#: 우산을 사러 시장에 갈까요?\n#Person2#: 비가 오니 우산을 사러 갑시다.", ("",), ""
    )
    train = [
        Row("train_0", asked.dialogue.replace("갑시다", "가요"), ("두 사람은 시장에서 우산을 산다.",), ""),
        Row(
            "train_1",
            "#Person1#: 시장에서 모자를 살까요?\n#Person2#: 그럽시다, 해가 세네요.",
            ("두 사람은 모자를 산다.",),
            "",
        ),
        Row(
            "train_2",
            "#Person1#: 은행이 어디예요?\n#Person2#: 길 건너에 있어요.",
            ("#Person1#은 은행을 찾는다.",),
            "",
        ),
    ]
    group = [Candidate(row.summaries[0], None, 1) for row in train]
    found = pool({"exp001": {"dev_0": group}})
    columns = neighbours(found, [asked], train, 0.5, "mecab", "leaderboard")[0]
    best = dict(zip(NAMES, columns.T, strict=True))["neighbours_best_rouge1"]
    assert best[0] < 1  # of its own dialogue told twice
    assert best[1:].tolist() == [1, 1]
    mean = dict(zip(NAMES, columns.T, strict=True))["neighbours_mean_rouge1"]
    assert mean[1] > mean[2]  # the nearer one weighs more
    with pytest.raises(UserError, match='row "dev_0" belongs to dev or test'):
        neighbours(found, [asked], [*train, asked], 0.5, "mecab", "leaderboard")
    alone = neighbours(found, [asked], train[:1], 0.5, "mecab", "leaderboard")
    assert not alone.any()  # nothing but the dialogue itself is left
