"""Some rows of a split stand for all of them: chosen by a seed, with every length as often as in the whole split."""

import random
from collections import Counter
from statistics import fmean

from hypothesis import given
from hypothesis import strategies as st

from common.data.rows import Row
from common.data.sampled_rows import other_rows, sampled_rows

# As in the real competition, the file begins with other rows than it ends with: here with the short ones.
ROWS = [Row(f"dev_{number}", "말" * (50 + number), ("요약",), "") for number in range(400)]


def ids(rows: list[Row]) -> list[str]:
    return [row.id for row in rows]


def test_the_rows_are_in_the_order_of_the_file_and_the_same_for_the_same_seed() -> None:
    chosen = sampled_rows(ROWS, 60, 7)
    assert len(chosen) == 60
    assert ids(chosen) == [row.id for row in ROWS if row in chosen]
    assert ids(chosen) == ids(sampled_rows(ROWS, 60, 7))
    assert ids(chosen) != ids(sampled_rows(ROWS, 60, 8))
    # Fixed for ever: a score that was recorded with a seed can be repeated.
    assert ids(sampled_rows(ROWS, 5, 7)) == FIVE


FIVE = ["dev_137", "dev_140", "dev_260", "dev_295", "dev_389"]


def test_the_choice_does_not_depend_on_the_order_of_the_file() -> None:
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    assert set(ids(sampled_rows(shuffled, 60, 7))) == set(ids(sampled_rows(ROWS, 60, 7)))


def test_each_length_occurs_as_often_as_in_all_rows() -> None:
    whole = fmean(len(row.dialogue) for row in ROWS)
    assert abs(fmean(len(row.dialogue) for row in ROWS[:60]) - whole) > 150
    for seed in range(50):
        lengths = [len(row.dialogue) for row in sampled_rows(ROWS, 60, seed)]
        assert abs(fmean(lengths) - whole) < 6
        for low in (50, 150, 250, 350):
            assert 12 <= sum(low <= length < low + 100 for length in lengths) <= 18


def test_each_row_is_chosen_equally_often() -> None:
    """Also when the parts cannot have equal sizes: 8 of 20 are parts of two and of three."""
    for count in (5, 8):
        counts = Counter(name for seed in range(2000) for name in ids(sampled_rows(ROWS[:20], count, seed)))
        assert len(counts) == 20
        assert all(0.85 < found / (2000 * count / 20) < 1.15 for found in counts.values())


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**31 - 1))
def test_there_are_as_many_as_asked_and_the_others_are_the_rest(size: int, count: int, seed: int) -> None:
    rows = [Row(str(number), "가" * (number % 3 + 1), ("요약",), "") for number in range(size)]
    chosen = sampled_rows(rows, count, seed)
    assert len(chosen) == min(size, count) == len(set(ids(chosen)))
    assert sorted(ids(chosen) + ids(other_rows(rows, ids(chosen)))) == sorted(ids(rows))
