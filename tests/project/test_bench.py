"""make bench: the page shows what was recorded, judges the goals, and says "not measured" for the rest."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bench, shared
from tests.support import REPOSITORY


def line(work: str, row: str, peer: str, ratios: list[float], **changed: Any) -> dict[str, Any]:
    return {"work": work, "row": row, "peer": peer, "ratios": ratios, "data": "daily_talk", "processor": "Some CPU, 2 cores",
            "load": 0.1, "date": "2026-11-29", "commit": "abc"} | changed  # fmt: skip


def written(folder: Path, *lines: dict[str, Any]) -> None:
    for one in lines:
        with (folder / f"{one['work']}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")


def test_goals_are_judged_by_the_median(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    pairs = "common.rouge, 1 thread, 12,000 pairs"
    written(
        tmp_path,
        line("rouge", pairs, "korouge-score 0.1.4", [200.0, 210.0, 220.0]),
        line("rouge", pairs, "korouge-score 0.1.4", [85.0, 99.0, 120.0]),  # newer: this one counts
        line("rouge", pairs, "korouge-score 0.1.4", [101.0, 102.0, 99.0], data="dialogue_summarization"),
        line("start_up", "--help", "python -c pass", [9.0, 9.5, 12.0]),
        line("llm", "share of the ideal throughput", "ideal", [0.9, 0.94, 0.97], data="invented dialogues"),
        line("training", "bart, fit", "Seq2SeqTrainer", [2.1]),
        line("training", "bart, fit", "Seq2SeqTrainer, bf16", [0.6]),  # a faster setting of the peer, without a goal
        line("blending", "something else", "Optuna's TPE", [2.0]),
    )  # fmt: skip
    rows = [
        [cell.strip() for cell in text.strip("|").split("|")]
        for text in bench.page(bench.recorded()).splitlines()
        if text.startswith("| ") and text.count("|") == 11
    ]
    found = {(row[0], row[1], row[6]): (row[3], row[4], row[5]) for row in rows}
    assert found["rouge", pairs, "daily_talk"] == ("≥ 100, missed", "99.0× (85.0–120.0)", "3")
    assert found["rouge", pairs, "dialogue_summarization"] == ("≥ 100, met", "101.0× (99.0–102.0)", "3")
    assert found["start_up", "--help", "daily_talk"] == ("≤ 10, met", "9.50× (9.00–12.00)", "3")
    assert found["llm", "share of the ideal throughput", "invented dialogues"][0] == "≥ 0.95, missed"
    assert found["blending", "something else", "daily_talk"] == ("–", "2.00× (2.00–2.00)", "1")
    assert found["training", "bart, fit", "daily_talk"][0] == "–"
    assert [row[3] for row in rows if row[2] == "Seq2SeqTrainer"] == ["≥ 2, met"]
    missing = {tuple(row[:5]) for row in rows if row[4] == "not measured"}
    assert ("training", "gemma, fit", "SFTTrainer", "≥ 2", "not measured") in missing
    assert len(missing) == len(bench.GOALS) - 4


def test_done_asks_for_commit_processor_and_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    own = {"commit": bench.commit(), "processor": bench.processor()}
    written(tmp_path, line("rouge", "a", "b", [1.0], **own))
    assert bench.done("rouge", "daily_talk")
    assert not bench.done("rouge", "dialogue_summarization")
    assert not bench.done("generation", "daily_talk")
    monkeypatch.setattr(bench, "commit", lambda: "another")
    assert not bench.done("rouge", "daily_talk")


def test_a_commit_is_that_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "ROOT", tmp_path)
    assert shared.commit() == "unknown"
    (tmp_path / "docs").mkdir()
    for name in ("code.py", "docs/performance.md"):
        (tmp_path / name).write_text("1")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    clean = shared.commit()
    assert len(clean) >= 7
    (tmp_path / "docs/performance.md").write_text("2")  # as make bench does after each benchmark
    assert shared.commit() == clean
    (tmp_path / "code.py").write_text("2")
    assert shared.commit() == f"{clean}+"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [(["--rounds", "0"], "--rounds must be at least 1, not 0"), (["--data", "nothing"], "has no such competition"),
     (["--peers", "/nowhere"], "no such folder"), (["--only", "speed"], "invalid choice: 'speed'")],
)  # fmt: skip
def test_wrong_options_are_refused_in_a_line(arguments: list[str], wanted: str) -> None:
    command = [sys.executable, "-m", "benchmarks.bench", *arguments]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 2 and wanted in ended.stderr and ended.stderr.count("\n") == 1, ended.stderr
