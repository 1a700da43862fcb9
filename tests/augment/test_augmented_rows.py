"""Augmented rows are read back only while they hold, and mixed as asked."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import augment
from common.augment import augmented_rows, making
from common.augment.augmented_rows import AugmentedRow
from common.core.errors import UserError
from common.core.files import sha256_file
from common.data.competition_file import load_competition
from common.data.rows import Row, read_split
from tests.support.augmenting import job, new, record


def test_what_is_stale_is_not_read(talk: Path) -> None:
    made = making.augment(job("turn_drop", "--guards.longest=2.5"))
    chosen = load_competition("daily_talk")
    closed = [row for name in ("dev", "test") for row in read_split(chosen, name).rows]  # type: ignore[arg-type]
    rows = augment.read(chosen, "turn_drop", [])
    assert len(rows) == made.kept > 0
    assert {row.method for row in rows} == {"turn_drop"}
    assert rows == augment.read("daily_talk", "turn_drop", [r for r in closed if r.id == "none"])
    leak = [Row("dev_9", rows[0].row.dialogue, (), "")]
    with pytest.raises(
        UserError, match=r'is a near-copy of "dev_9".*make augment method=turn_drop comp=daily_talk'
    ):
        augment.read(chosen, "turn_drop", leak)
    with pytest.raises(UserError, match="a row of dev or test"):
        augment.read(chosen, "turn_drop", [Row(rows[0].parent, "#Person1#: 안녕", (), "")])
    path = made.folder / "rows.csv"
    whole = path.read_bytes()
    path.write_bytes(whole + b"\n")
    with pytest.raises(UserError, match="was changed after it was made"):
        augment.read(chosen, "turn_drop")
    path.write_bytes(whole)

    def forged(*forged_rows: AugmentedRow) -> str:
        augmented_rows.write(path, forged_rows)
        told = record(made)
        told["files"]["rows.csv"] = sha256_file(path)
        (made.folder / "run.json").write_text(json.dumps(told))
        with pytest.raises(UserError) as caught:
            augment.read(chosen, "turn_drop")
        assert 'args="--guards.longest=2.5" restart=1' in str(caught.value)
        return str(caught.value)

    assert "occurs twice" in forged(rows[0], rows[0])
    assert 'made from "train_999", which is not in the train split' in forged(
        replace(rows[0], parent="train_999")
    )
    assert 'id "train_3" is not new' in forged(replace(rows[0], row=replace(rows[0].row, id="train_3")))
    augmented_rows.write(path, rows)
    told = record(made)
    told["files"]["rows.csv"] = sha256_file(path)
    told["data"]["train"]["sha256"] = "0"
    (made.folder / "run.json").write_text(json.dumps(told))
    with pytest.raises(UserError, match=r"was made from another version of .*train\.csv"):
        augment.read(chosen, "turn_drop")


@given(
    st.lists(st.tuples(st.integers(0, 12), st.floats(0, 1)), max_size=30),
    st.integers(1, 10),
    st.floats(0, 4),
    st.floats(0, 0.5),
    st.floats(0.5, 1),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_a_mix_is_the_originals_and_a_share_spread_evenly(
    drawn: list[tuple[int, float]], count: int, ratio: float, low: float, high: float, seed: int, rng: Any
) -> None:
    originals = [Row(f"train_{i}", "#Person1#: 네", ("요약",), "") for i in range(count)]
    augmented = [new(number, parent, similarity) for number, (parent, similarity) in enumerate(drawn)]
    found = augment.mix(originals, augmented, ratio, low, high, seed)
    assert found[:count] == originals
    usable = {a.row.id: a for a in augmented if low <= a.similarity <= high and int(a.parent[6:]) < count}
    added = [usable[row.id] for row in found[count:]]
    assert len(added) == min(int(ratio * count + 1e-9), len(usable))
    assert len({a.row.id for a in added}) == len(added)
    had, taken = Counter(a.parent for a in usable.values()), Counter(a.parent for a in added)
    most = max(taken.values(), default=0)
    assert all(taken[parent] >= min(had[parent], most - 1) for parent in had)
    shuffled = list(augmented)
    rng.shuffle(shuffled)
    assert augment.mix(originals, shuffled, ratio, low, high, seed) == found
    assert augment.mix(originals, augmented, 0, low, high, seed) == originals
    assert augment.mix(originals, augmented, ratio + 1, low, high, seed)[: len(found)] == found


def test_mixing_mistakes() -> None:
    originals = [Row("train_1", "#Person1#: 네", ("요약",), "")]
    for arguments, part in (
        ((-0.1,), "ratio is -0.1"),
        ((float("nan"),), "ratio is nan"),
        ((1.0, 0.9, 0.1), "similarity from 0.9 to 0.1"),
    ):
        with pytest.raises(UserError, match=part):
            augment.mix(originals, [], *arguments)
    with pytest.raises(UserError, match="occurs twice"):
        augment.mix(originals, [new(1, 1, 0.5), new(1, 1, 0.5)], 1.0)
