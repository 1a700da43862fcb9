"""The pool of members' candidates keeps their order, owners and padding."""

import numpy as np
import pytest

from common.core.errors import UserError
from common.data.rows import Row
from common.ensemble.pool import pool
from common.runs.candidates import Candidate


def test_a_pool_keeps_order_owners_and_padding(rows: list[Row]) -> None:
    one = {"a": [Candidate("하나.", -2.0, 2), Candidate("둘.", None, 2), Candidate("하나.", -9.0, 2)]}
    two = {"a": [Candidate("둘.", -3.0, 3)]}
    found = pool({"exp001": one, "exp002": two})
    assert found.texts == (
        ("하나.", "둘.", "둘."),
    )  # equal texts of one member count once, of two members twice
    assert found.owner.tolist() == [[0, 0, 1]]
    assert found.place.tolist() == [[0, 1, 0]]
    assert found.logprob[0, [0, 2]].tolist() == [-1.0, -1.0]
    assert np.isnan(found.logprob[0, 1])
    assert found.of("exp002").tolist() == [2]
    longer = pool({"exp001": {"a": one["a"], "b": [Candidate("셋.", -1.0, 1)]}})
    assert longer.owner.tolist() == [[0, 0], [0, -1]]
    assert longer.take([1]).texts == (("셋.",),)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "at least one member"),
        ({"exp001": {}}, "exp001 has no dialogues"),
        ({"exp001": {"a": [Candidate("하나.", None, 1)]}, "exp002": {"b": [Candidate("둘.", None, 1)]}},
         "exp002 and exp001 do not have the same dialogues (2 differ, for example 'a')"),
        ({"exp001": {"a": [Candidate(" ", None, 1)]}}, "exp001 has no text for 'a'"),
    ],
)  # fmt: skip
def test_a_pool_that_cannot_be(members: dict[str, dict[str, list[Candidate]]], message: str) -> None:
    with pytest.raises(UserError) as caught:
        pool(members)
    assert message in str(caught.value)
