"""Sixty dialogues, and members whose candidates are measured on them."""

import random
from dataclasses import replace

import pytest

from common.data.rows import Row
from common.ensemble.cross_validation import MeasuredPool
from common.runs.candidates import Candidate
from tests.support import tiny
from tests.support.members import CONSTANT, measured, texts_of


@pytest.fixture(scope="session")
def rows() -> list[Row]:
    """Sixty dialogues that differ."""
    found = {row.dialogue: row for row in tiny.rows(400, "dev", seed=5)}
    rows = [replace(row, id=f"dev_{number}") for number, row in enumerate(list(found.values())[:60])]
    assert len(rows) == 60
    return rows


@pytest.fixture(scope="session")
def unequal(rows: list[Row]) -> MeasuredPool:
    """One good member, and four that say almost the same to everybody."""
    rng = random.Random(0)
    members = {"exp001": {row.id: texts_of(row, 0.2, rng, 3) for row in rows}}
    for number in range(2, 6):
        members[f"exp00{number}"] = {
            row.id: [Candidate(CONSTANT, -1.0, 9), Candidate(f"{CONSTANT[:-1]} {number}번.", -1.0, 10)]
            for row in rows
        }
    return measured(rows, members)


@pytest.fixture(scope="session")
def alike(rows: list[Row]) -> MeasuredPool:
    """Four members of about the same quality."""
    rng = random.Random(1)
    return measured(
        rows,
        {f"exp00{n}": {row.id: texts_of(row, 0.3 + n / 100, rng, 3) for row in rows} for n in range(1, 5)},
    )
