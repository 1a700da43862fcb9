"""Folds: near-copies together, the same whatever the order, balanced as far as groups permit."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.core.errors import UserError
from common.data.folds import folds, groups
from common.data.near_copies import grams, similarity
from common.data.rows import Row

WORDS = ("우산", "버스", "회의실", "비빔밥", "강아지", "도서관", "전화번호", "자전거", "병원", "기차표", "꽃다발", "운동화", "계란말이", "세탁소", "면접", "항공권")  # fmt: skip
talk = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(
    lambda words: f"#Person1#: {' '.join(words)}"
)
NEAR = 0.6


def rows(texts: list[str]) -> list[Row]:
    return [Row(f"train_{number}", text, ("요약",), "") for number, text in enumerate(texts)]


@settings(max_examples=60)
@given(st.lists(talk, min_size=1, max_size=25), st.integers(2, 4), st.randoms(use_true_random=False))
def test_near_copies_share_a_fold_whatever_the_order(texts: list[str], k: int, rng: random.Random) -> None:
    given_rows = rows(texts)
    found = groups(given_rows, NEAR)
    assert sorted(name for group in found for name in group) == sorted(row.id for row in given_rows)
    if len(found) < k:
        with pytest.raises(UserError, match="groups of near-copies"):
            folds(given_rows, k, NEAR)
        return
    fold_of = folds(given_rows, k, NEAR)
    assert list(fold_of) == [row.id for row in given_rows]
    assert set(fold_of.values()) == set(range(k))
    for a in given_rows:
        for b in given_rows:
            if similarity(grams(a.dialogue), grams(b.dialogue)) >= NEAR:
                assert fold_of[a.id] == fold_of[b.id]
    for group in found:
        assert len({fold_of[name] for name in group}) == 1
    sizes = Counter(fold_of.values())
    assert max(sizes.values()) - min(sizes.values()) <= max(map(len, found))
    shuffled = list(given_rows)
    rng.shuffle(shuffled)
    assert folds(shuffled, k, NEAR) == fold_of


def test_a_chain_of_copies_is_one_group() -> None:
    chain = ["우산 버스 회의실", "버스 회의실 비빔밥", "회의실 비빔밥 강아지"]
    texts = [f"#Person1#: {text}" for text in chain]
    near = similarity(grams(texts[0]), grams(texts[1]))
    assert similarity(grams(texts[0]), grams(texts[2])) < near
    assert len(groups(rows([*texts, "#Person2#: 세탁소 면접"]), near * 0.99)) == 2


def test_without_groups_folds_differ_by_one() -> None:
    texts = [f"#Person1#: {word}{word[::-1]} {number}번" for number, word in enumerate(WORDS)]
    sizes = Counter(folds(rows(texts), 3, 1.0).values())
    assert sorted(sizes.values()) == [5, 5, 6]


@pytest.mark.parametrize(
    ("k", "near_copy", "part"),
    [(1, 0.5, "k is 1; wanted 2"), (2, 0.0, "near_copy is 0.0"), (2, 1.5, "near_copy is 1.5"), (9, 0.5, "wanted at least 9 groups for 9 folds")],
)  # fmt: skip
def test_mistakes(k: int, near_copy: float, part: str) -> None:
    with pytest.raises(UserError, match=part):
        folds(rows(["#Person1#: 우산", "#Person1#: 강아지"]), k, near_copy)


def test_an_id_may_not_occur_twice() -> None:
    with pytest.raises(UserError, match='"train_0" occurs twice'):
        folds([*rows(["#Person1#: 우산"]), *rows(["#Person1#: 강아지"])], 2)
