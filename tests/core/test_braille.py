"""A curve in Braille signs goes where its points are."""

import pytest

from common.core.braille import curve


def test_a_rising_line_goes_from_the_lower_left_to_the_upper_right() -> None:
    assert curve([(0, 0), (3, 7)], 2, 2, 0, 3) == ["⠀⡜", "⡜⠀"]


def test_a_level_line_is_in_the_middle_and_a_single_point_is_one_dot() -> None:
    assert curve([(0, 5), (3, 5)], 2, 1, 0, 3) == ["⠤⠤"]
    assert curve([(0, 5)], 2, 1, 0, 3) == ["⠄⠀"]
    assert curve([], 2, 1, 0, 3) == ["⠀⠀"]


@pytest.mark.parametrize("last", [3, 30])
def test_the_axis_ends_where_it_is_told_to(last: float) -> None:
    [line] = curve([(0, 0), (3, 1)], 20, 1, 0, last)
    assert len(line) == 20
    assert (line[-1] != "⠀") == (last == 3)
