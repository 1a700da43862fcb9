"""metrics.jsonl is read while it grows: only the new lines, never half of one, and again from the start when it shrinks."""

from pathlib import Path

import pytest

from common.core.errors import UserError
from common.core.json_lines import append_line
from common.runs.metrics_file import MetricsFile


def test_only_what_is_new_is_read_and_half_a_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    found = MetricsFile(path)
    assert not found.read()
    append_line(path, {"step": 20, "loss": 3.5})
    assert found.read()
    assert not found.read()
    with path.open("a", encoding="utf-8") as handle:
        handle.write('{"step": 40, "lo')
        handle.flush()
        assert not found.read()
        handle.write('ss": 3.25}\n')
    assert found.read()
    assert found.points("loss") == [(20, 3.5), (40, 3.25)]
    assert found.last_step == 40
    # What was read is not read again: spoiling it changes nothing.
    size = path.stat().st_size
    with path.open("r+b") as handle:
        handle.write(b"x" * 10)
    assert path.stat().st_size == size
    append_line(path, {"step": 60, "score": 30.0})
    assert found.read()
    assert found.points("loss") == [(20, 3.5), (40, 3.25)]
    assert found.damaged == 0


def test_a_file_that_became_shorter_or_another_one_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for step in (20, 40, 60):
        append_line(path, {"step": step, "score": float(step)})
    found = MetricsFile(path)
    found.read()
    path.write_text('{"step": 20, "score": 1.0}\n', encoding="utf-8")
    assert found.read()
    assert found.points("score") == [(20, 1.0)]
    other = tmp_path / "other"
    other.write_text('{"step": 5, "score": 2.0}\n' * 9, encoding="utf-8")
    other.replace(path)
    assert found.read()
    assert found.points("score") == [(5, 2.0)]


def test_damaged_lines_are_counted_and_numbers_that_are_none_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"step": 1, "loss": 2}\nnonsense\n[1]\n{"loss": 3}\n{"step": 2, "loss": NaN, "score": "high"}\n{"step": 3, "loss": 1}\n',
        encoding="utf-8",
    )
    found = MetricsFile(path)
    assert found.read()
    assert found.points("loss") == [(1, 2.0), (3, 1.0)]
    assert found.points("score") == []
    assert found.damaged >= 3


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(UserError, match=r"metrics\.jsonl"):
        MetricsFile(tmp_path / "metrics.jsonl").read()
