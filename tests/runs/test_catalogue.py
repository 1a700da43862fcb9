"""What make runs says of real runs: their state, score, settings, size and note."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock

from common import cli
from common.core.files import read_json, write_json
from common.core.messages import size_text
from common.data.competition_file import load_competition
from common.runs.archive import note
from common.runs.catalogue import RunEntry, areas, catalogue, disk_use
from tests.support import repository as repositories


def entries() -> dict[str, RunEntry]:
    return {entry.run: entry for entry in catalogue(load_competition("talk"))}


def test_a_finished_run_has_its_score_floor_and_size(repository: Path) -> None:
    folder = repository / "outputs/talk/exp002"
    found = entries()["exp002"]
    report = read_json(folder / "dev/scores.json")
    [score] = [s["headline"] for s in report["scores"] if s["profile"] == "leaderboard"]
    floor = report["floors"]["leaderboard"]
    assert (found.status, found.stage, found.reasons) == ("trained", "infer", [])
    assert (found.score, found.floor) == (score, max(floor["constant"], floor["lead"]))
    assert found.started == read_json(folder / "run.json")["infer"]["started"]
    assert found.size == sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    assert areas("talk") == {"runs": sum(entry.size for entry in entries().values())}


def test_settings_changed_on_the_command_line_and_the_note(repository: Path) -> None:
    for stage in ("train", "infer"):
        repositories.stage(
            repository, "exp001", stage, "--run", "exp001-b", *(["--turn", "1"] * (stage == "train"))
        )
    note("talk", "exp001-b", "  the second turn ✓ ")
    assert (entries()["exp001-b"].settings, entries()["exp001-b"].note) == ({"turn": 1}, "the second turn ✓")
    assert (entries()["exp001"].settings, entries()["exp001"].note) == ({}, "")
    note("talk", "exp001-b", " ")
    assert entries()["exp001-b"].note == ""


def test_every_state(repository: Path) -> None:
    outputs = repository / "outputs/talk"
    for name in ("interrupted", "failed", "broken", "weights", "trained"):
        shutil.copytree(outputs / "exp001", outputs / f"exp001-{name}")
    for name in ("interrupted", "failed"):
        record = read_json(outputs / f"exp001-{name}/run.json")
        record["infer"]["status"] = "running"
        write_json(outputs / f"exp001-{name}/run.json", record)
    record["infer"]["failure"] = "out of memory"
    write_json(outputs / "exp001-failed/run.json", record)
    record.pop("infer")
    write_json(outputs / "exp001-trained/run.json", record)
    (outputs / "exp001-broken/run.json").write_text("[]")
    (outputs / "exp001-empty").mkdir()
    (outputs / "exp001-weights/best/m.json").unlink()
    (repository / "outputs/talk/merged").mkdir()
    (repository / "outputs/talk/merged/weights").write_bytes(b"12345")
    repositories.stage(repository, "exp002", "train", "--smoke", "--run", "exp002-tiny")
    found = {name: (entry.status, entry.stage) for name, entry in entries().items()}
    assert found == {
        "exp001": ("trained", "infer"),
        "exp002": ("trained", "infer"),
        "exp001-interrupted": ("interrupted", "infer"),
        "exp001-failed": ("failed", "infer"),
        "exp001-broken": ("broken", None),
        "exp001-weights": ("stale", "infer"),
        "exp001-empty": ("broken", None),
        "exp001-trained": ("trained", "train"),
        "exp002-tiny": ("smoke", "train"),
    }
    assert entries()["exp001-failed"].reasons == ["out of memory"]
    assert "m.json is missing" in entries()["exp001-weights"].reasons[0]
    assert areas("talk")["merged"] == 5
    assert areas("talk")["smoke"] == disk_use(repository / "outputs/smoke/talk") > 0
    path = repository / "experiments/exp002/infer.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nX = 1\n", encoding="utf-8")
    assert entries()["exp002"].reasons == ["code experiments/exp002/infer.py has changed"]
    assert entries()["exp001"].status == "trained"


def test_a_run_whose_lock_another_process_holds_is_running(repository: Path) -> None:
    lock = repository / "outputs/talk/.exp001.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import filelock; lock = filelock.FileLock({str(lock)!r}); lock.acquire(); print(1, flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with holder:
        assert holder.stdout and holder.stdin and holder.stdout.readline()
        assert {name: entry.status for name, entry in entries().items()} == {
            "exp001": "running",
            "exp002": "trained",
        }
        holder.communicate(b"\n")
    assert entries()["exp001"].status == "trained"
    with FileLock(lock).acquire(timeout=0):  # looking leaves the lock free
        pass


def test_a_stage_that_fails_says_why_and_the_next_attempt_forgets_it(repository: Path) -> None:
    (repository / "texts.json").write_text("{", encoding="utf-8")
    with pytest.raises(SystemExit):  # before it has made anything: the predictions of before stay valid
        repositories.stage(repository, "exp001", "infer")
    assert (entries()["exp001"].status, entries()["exp001"].reasons) == ("trained", [])
    (repository / "texts.json").write_text(json.dumps({"test_0": "\0"}), encoding="utf-8")
    with pytest.raises(SystemExit):  # after dev was predicted
        repositories.stage(repository, "exp001", "infer")
    failed = entries()["exp001"]
    assert (failed.status, failed.stage) == ("failed", "infer")
    assert "contains a NUL" in failed.reasons[0]
    (repository / "texts.json").unlink()
    repositories.stage(repository, "exp001", "infer")
    assert (entries()["exp001"].status, entries()["exp001"].reasons) == ("trained", [])


def test_the_table_and_json_of_the_command(repository: Path) -> None:
    path = repository / "experiments/exp002/infer.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nX = 1\n", encoding="utf-8")
    shown = CliRunner().invoke(cli.commands, ["runs"]).output
    best = entries()["exp002"]
    assert best.score is not None and best.floor is not None
    assert f"{best.score:.2f}" in shown and f"{best.score - best.floor:+.2f}" in shown
    assert "stale: exp002: code experiments/exp002/infer.py has changed\n" in shown
    assert "note" not in shown  # a column that would be empty
    report = json.loads(CliRunner().invoke(cli.commands, ["runs", "--json"]).output)
    assert [RunEntry(**entry) for entry in report["runs"]] == [replace(e) for e in entries().values()]
    assert report["disk"]["total"] == sum(report["disk"]["used"].values())
    shutil.rmtree(repository / "outputs")
    assert "talk: no run yet" in CliRunner().invoke(cli.commands, ["runs"]).output


def test_sizes_are_readable() -> None:
    sizes = {
        0: "0 B",
        999: "999 B",
        1000: "1.0 kB",
        9_960: "10 kB",
        999_600: "1.0 MB",
        14_200_000_000: "14 GB",
    }
    assert {size: size_text(size) for size in sizes} == sizes
