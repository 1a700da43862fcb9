"""The harness judges endings rightly, and the short form of `make faults` finds nothing."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import report
from tests.faults.__main__ import FAMILIES, options
from tests.faults.bench import Bench, Command, count_writes, die_at_write
from tests.faults.damaging import KINDS, damage
from tests.faults.outcome import Ended, message_fault, refusal, success
from tests.faults.worlds import difference, hashes, json_lines, left_over
from tests.support import REPOSITORY

WRITER = """
import os, sys
from pathlib import Path

for number in range(5):
    Path(f"{number}.txt").write_text("x" * number)
os.rename("4.txt", "5.txt")
sys.exit("error: the end")
"""


def ended(stderr: str, code: int | None = 1) -> Ended:
    return Ended(code, "", stderr, 1.0)


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (ended("error: a.csv: not there.\n"), "ok"),
        (ended("resuming at step 3\nerror: a.csv: not there.\n"), "ok"),
        (ended("a.py: error: argument --run: expected one argument\n", 2), "ok"),
        (ended("error: no such setting. Settings:\n  --seed whole number = 1\n"), "ok"),
        (ended("error: a.csv: not there.\nerror: b.csv: not there.\n"), "unclear"),
        (ended("error: a.csv: not there.\nand more\n"), "unclear"),
        (ended(f"error: {'x' * 600}\n"), "unclear"),
        (ended("error: the id \x1b[31m is unknown\n"), "unclear"),
        (ended(""), "unclear"),
        (ended("error: killed\n", -9), "unclear"),
        (ended("", 0), "wrong"),
        (ended("Traceback (most recent call last):\n  …\nKeyError: 'x'\n"), "traceback"),
        (ended("", None), "hang"),
    ],
)
def test_a_refusal_is_one_clear_line(end: Ended, kind: str) -> None:
    assert refusal(end).kind == kind


def test_a_refusal_names_what_it_refuses() -> None:
    assert refusal(ended("error: --epochs: wanted more than 0."), names=("epochs",)).kind == "ok"
    assert refusal(ended("error: the model has no tokens."), names=("epochs",)).kind == "unclear"
    assert message_fault("error: one line\n") == ""


def test_success_is_exit_code_0() -> None:
    assert success(ended("", 0)) is None
    assert [found.kind for code in (1, None) if (found := success(ended("", code)))] == ["unclear", "hang"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    root = tmp_path / "template"
    root.mkdir()
    (root / "writer.py").write_text(WRITER, encoding="utf-8")
    return Bench(tmp_path / "bench", tmp_path / "cache")


def test_a_command_is_killed_just_before_the_chosen_write(bench: Bench, tmp_path: Path) -> None:
    root = bench.repository(tmp_path / "template")
    counter = tmp_path / "writes"
    end = bench.start(root, Command("writer"), prepare=count_writes(root, counter)).wait(60)
    assert (end.code, end.stderr, counter.read_text()) == (1, "error: the end\n", "6")
    whole = hashes(root)
    for number, there in ((1, []), (3, ["0.txt", "1.txt"]), (6, [f"{n}.txt" for n in range(5)])):
        root = bench.repository(tmp_path / "template")
        end = bench.start(root, Command("writer"), prepare=die_at_write(root, number)).wait(60)
        assert end.code == -signal.SIGKILL
        assert sorted(path.name for path in root.glob("*.txt")) == there
        assert difference(whole, hashes(root))


def test_a_command_that_does_not_end_is_a_hang(bench: Bench, tmp_path: Path) -> None:
    root = bench.repository(tmp_path / "template")
    (root / "sleeper.py").write_text("import time\ntime.sleep(600)\n", encoding="utf-8")
    for cold in (False, True):
        assert bench.run(root, Command("sleeper"), limit=1.0, cold=cold).code is None


def test_every_kind_of_damage_changes_the_file(tmp_path: Path) -> None:
    for kind in KINDS:
        path = tmp_path / "best" / "a.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"name": 1}', encoding="utf-8")
        (path.parent / "manifest.json").write_text('{"a.json": "old"}', encoding="utf-8")
        assert damage(path, kind, random.Random(1)) == ""
        assert not path.exists() or path.read_text(encoding="utf-8", errors="replace") != '{"name": 1}'
        kept = json.loads((path.parent / "manifest.json").read_text(encoding="utf-8"))["a.json"] == "old"
        assert kept == (kind != KINDS[-1])


def test_torn_lines_and_left_over_files_are_found(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"id": 1}\n{"id": 2}', encoding="utf-8")
    with pytest.raises(ValueError, match="no newline"):
        json_lines(path)
    for name in (".ledger.jsonl.x1", ".exp002.lock", ".staging-best"):
        (tmp_path / name).touch()
    assert left_over(tmp_path) == [".ledger.jsonl.x1", ".staging-best"]


def test_the_page_counts_and_lists_what_did_not_end_well() -> None:
    about = {"commit": "abc", "began": "2026-01-01T00:00:00Z", "python": "3.11", "cpu": "some CPU"}
    line = {"family": "disk", "group": "full", "seconds": 1.0, "kills": 0, "detail": ""}
    found = [
        {**line, "key": "disk / full / 0", "outcome": "ok"},
        {**line, "key": "disk / full / 1", "outcome": "torn", "detail": "a | half"},
        {**line, "key": "peer / x / 0", "family": "peer", "outcome": "traceback"},
    ]
    page = report.page(about, found)
    assert "| disk | 2 |  | 1 |  |  |  | 1 |  |  |" in page
    assert "- torn: disk / full / 1: a / half" in page
    assert "traceback: peer" not in page
    assert [x["key"] for x in report.bad(found)] == ["disk / full / 1"]


def test_the_command_line_names_families() -> None:
    assert options(["short", "jobs=2", "damage"]).families == ("damage",)
    assert options([]).families == FAMILIES
    with pytest.raises(SystemExit, match="wanted short"):
        options(["everything"])


@pytest.mark.slow
def test_the_short_form_finds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults", "short", f"into={tmp_path / 'results'}"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    results = (tmp_path / "results" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(results) > 70
    again = subprocess.run(
        [*command, "fuzz"], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0
    assert (tmp_path / "results" / "results.jsonl").read_text(encoding="utf-8").splitlines() == results
