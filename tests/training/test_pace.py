"""A training tells how far and how fast it is while it runs, and leaves nothing behind."""

import json
from pathlib import Path

import datasets
import pytest

from common.training import pace
from common.training.pace import FILE, Pace, PaceFile, read_pace
from common.training.plan import Plan
from tests.support.fitting import CONFIG, train


def test_a_training_tells_its_pace_while_it_runs(
    examples: datasets.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "EVERY", 0.0)
    folder, seen = tmp_path / "run", list[Pace | None]()
    train(folder, examples, follow=lambda: seen.append(read_pace(folder)))
    told = [one for one in seen if one]
    assert told
    lengths = [tuple(map(len, examples[name])) for name in ("source", "target")]
    assert {one.total for one in told} == {Plan(lengths[0], lengths[1], CONFIG, 0).total()}
    assert [one.step for one in told] == sorted({one.step for one in told})
    assert all(one.tokens_per_second > 0 and one.seconds_left >= 0 for one in told)
    assert told[-1].seconds_left == 0
    assert not (folder / FILE).exists()


def test_the_time_left_is_by_the_steps_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    file = PaceFile(tmp_path, total=110, step=10, write=True)
    now[0] = 101.0
    file.note(11, 600, 0.5)
    assert read_pace(tmp_path) is None  # not due yet
    now[0] = 105.0
    file.note(20, 400, 0.5)
    found = read_pace(tmp_path)
    assert found is not None
    assert (found.step, found.total, found.tokens_per_second) == (20, 110, 1000.0)
    assert found.seconds_left == pytest.approx(45.0)  # ten steps took 5 s, 90 are left
    file.close()
    assert read_pace(tmp_path) is None


def test_what_cannot_be_written_or_read_disturbs_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    file = PaceFile(tmp_path / "file", total=10, step=0, write=True)
    file.written -= 10
    file.note(1, 5, 0.1)
    file.close()
    (tmp_path / FILE).write_text(json.dumps({"step": 3}), encoding="utf-8")
    assert read_pace(tmp_path) is None
