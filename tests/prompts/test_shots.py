"""Shots are like the question and never the question itself."""

import csv
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.core.errors import UserError
from common.data.competition import NEAR_COPY
from common.data.dialogue import TAG
from common.data.near_copies import grams, similarity
from common.data.rows import Row
from common.prompts import PLACEHOLDER, ShotIndex, prompt, shot_index
from tests.support import REAL_DATA, REPOSITORY
from tests.support.shots import LOST, RETOLD, ROWS, row, talk

REAL = REAL_DATA / "dialogue_summarization"


@pytest.fixture(scope="module")
def index() -> ShotIndex:
    return shot_index(ROWS)


# Selection


def test_the_most_similar_stands_last(index: ShotIndex) -> None:
    found = index.select(LOST, 2)
    assert found.shots[-1].id == "train_0"
    assert len(found.shots) == 2
    assert (found.copies, found.repeats) == ((), 0)


def test_never_the_question_in_its_own_or_other_words(index: ShotIndex) -> None:
    for question in (ROWS[0], ROWS[0].dialogue, RETOLD, RETOLD.dialogue, row("dev_5", ROWS[0].dialogue, "")):
        found = index.select(question, 9)
        assert sorted(shot.id for shot in found.shots) == ["train_1", "train_2", "train_3", "train_4"]
        assert found.copies == ("train_0",)


def test_a_row_of_the_same_id_is_the_question_whatever_it_says(index: ShotIndex) -> None:
    found = index.select(row("train_2", LOST), 9)
    assert "train_2" not in {shot.id for shot in found.shots}
    assert found.copies == ("train_2",)


def test_a_copy_of_a_copy_belongs_to_the_group() -> None:
    chain = [
        row(f"train_{i}", "#Person1#: " + "가나다라마바사아자차카타파하거너더러머버"[i * 4 : i * 4 + 12])
        for i in range(3)
    ]
    made = shot_index([*chain, ROWS[3]], near_copy=0.3)
    assert similarity(grams(chain[0].dialogue), grams(chain[2].dialogue)) < 0.3
    assert made.select(chain[0], 9).shots == (ROWS[3],)
    assert set(made.select(chain[0], 9).copies) == {"train_0", "train_1", "train_2"}


def test_no_two_shots_are_copies_of_each_other() -> None:
    found = shot_index([*ROWS, RETOLD]).select(LOST, 9)
    assert len({"train_0", "train_9"} & {shot.id for shot in found.shots}) == 1
    assert found.repeats == 1
    assert len(found.shots) == 5


def test_the_leak_guard() -> None:
    with pytest.raises(UserError, match=r'row "train_2" belongs to dev or test \(1 of 5'):
        shot_index(ROWS, forbidden=[row("dev_0", LOST), ROWS[2]])
    shot_index(ROWS, forbidden=[row("dev_0", LOST)])


def test_what_cannot_be_an_index_says_so() -> None:
    with pytest.raises(UserError, match=r"id \"train_0\" occurs twice"):
        shot_index([ROWS[0], ROWS[0]])
    for rows in ([], [row("test_0", LOST, "")], [row("test_0", LOST, " \n")]):
        with pytest.raises(UserError, match=rf"none of the {len(rows)} rows has a summary"):
            shot_index(rows)
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(UserError, match="near_copy"):
            shot_index(ROWS, near_copy=wrong)
    with pytest.raises(UserError, match="unknown tokenizer"):
        shot_index(ROWS, tokenizer="bert")


def test_rows_without_a_summary_are_counted_and_never_shots() -> None:
    made = shot_index([*ROWS, row("train_8", LOST, "")])
    assert made.without_summary == 1
    assert "train_8" not in {shot.id for shot in made.select(LOST + " 고맙습니다.", 9).shots}


def test_counts_of_shots(index: ShotIndex) -> None:
    assert index.select(LOST, 0).shots == ()
    assert len(index.select(LOST, 99).shots) == len(ROWS)
    with pytest.raises(UserError, match="-1 requested"):
        index.select(LOST, -1)


@pytest.mark.parametrize("question", ["", "   ", "#Person1#:", "qwzx ∂ƒ", "\ud800"])
def test_a_question_without_a_known_word_still_gets_shots(index: ShotIndex, question: str) -> None:
    assert len(index.select(question, 2).shots) == 2


@given(st.lists(talk, min_size=1, max_size=10), talk, st.integers(0, 5), st.randoms())
def test_selection(texts: list[str], question: str, k: int, shuffle: random.Random) -> None:
    rows = [row(f"train_{i}", text) for i, text in enumerate(texts)]
    asked = row("dev_0", question)
    found = shot_index(rows, tokenizer="whitespace", forbidden=[asked]).select(asked, k)
    for i, shot in enumerate(found.shots):
        assert similarity(grams(shot.dialogue), grams(question)) < NEAR_COPY
        for other in found.shots[:i]:
            assert similarity(grams(shot.dialogue), grams(other.dialogue)) < NEAR_COPY
    assert len(found.shots) <= k
    shuffle.shuffle(rows)
    assert shot_index(rows, tokenizer="whitespace").select(asked, k) == found


@given(talk)
def test_equal_rows_go_by_id(text: str) -> None:
    rows = [row(f"train_{i}", text) for i in (3, 1, 2)]
    found = shot_index(rows, tokenizer="whitespace").select("#Person1#: 전혀 다른 말", 1)
    assert [shot.id for shot in found.shots] == ["train_1"]


def test_another_process_chooses_the_same() -> None:
    code = (
        "from common.prompts import shot_index\n"
        "from tests.support.shots import LOST, ROWS\n"
        "print([shot.id for shot in shot_index(ROWS).select(LOST, 3).shots])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=REPOSITORY,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


def test_real_dialogues_get_real_neighbours_and_no_copies() -> None:
    if not REAL.is_dir():
        pytest.skip("the organisers' files are not at ../shared/data")

    def read(name: str) -> list[Row]:
        with (REAL / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return [
                Row(r["fname"], r["dialogue"], (r["summary"],) if "summary" in r else (), "")
                for r in csv.DictReader(file)
            ]

    train, dev, test = read("train"), read("dev"), read("test")
    made = shot_index(train, forbidden=[*dev, *test])
    found = made.select_all(dev, 4)
    assert all(len(one.shots) == 4 for one in found)
    # Dialogues that dev shares with train, translated twice: the card says they exist.
    assert 30 <= sum(bool(one.copies) for one in found) <= 60
    asked = {one.id: grams(one.dialogue) for one in dev}
    for question, one in zip(dev, found, strict=True):
        for shot in one.shots:
            assert similarity(asked[question.id], grams(shot.dialogue)) < NEAR_COPY
    assert made.select(train[0], 4).copies[:1] == (train[0].id,)
    text = prompt(found[0].shots).plain(dev[0].dialogue)
    assert TAG.findall(text)
    assert PLACEHOLDER not in text
