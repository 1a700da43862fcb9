"""W&B: real wandb, offline and against a stand-in server on this machine, in processes of their own."""

import json
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.core.files import read_json
from common.core.json_lines import append_line, read_lines
from common.runs import wandb_log
from common.runs.record import read_record
from tests.support import REPOSITORY, tiny, wandb_server
from tests.support import repository as repositories
from tests.support.tracked import KEY, SECRET, environment, files, run, start

pytest.importorskip("wandb")
FOLDER = "outputs/daily_talk/exp002"
FINAL = "dev/rouge101[sentences]/rouge_sum"


def expected(folder: Path) -> list[dict[str, Any]]:
    """What metrics.jsonl says, the lines of a step together."""
    merged: dict[int, dict[str, Any]] = {}
    for line in read_lines(folder / "metrics.jsonl"):
        merged[line["step"]] = merged.get(line["step"], {}) | line
    return list(merged.values())


def same(shown: list[dict[str, Any]], folder: Path) -> bool:
    names = {"greedy/leaderboard[mecab-ko-1.0.3+dic-1.0.0]/leaderboard": "score"}
    rows = [
        {names.get(n, n): pytest.approx(v) for n, v in row.items() if not n.startswith("dev/samples")}
        for row in shown
        if "step" in row  # the table has a row of its own when another process shows it
    ]
    return rows == expected(folder)


def records(folder: Path) -> list[Any]:
    """The records of the one offline run in a run folder (a LevelDB log of protocol buffers)."""
    from wandb.proto import wandb_internal_pb2

    (path,) = (folder / "wandb").glob("offline-run-*/*.wandb")
    data, found, whole, place = path.read_bytes(), [], b"", 7
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, size, kind = struct.unpack("<IHB", data[place : place + 7])
        whole += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or its last part
            found.append(wandb_internal_pb2.Record.FromString(whole))
            whole = b""
    return found


def offline_rows(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for record in records(folder):
        if record.HasField("history"):
            items = {
                item.key or "/".join(item.nested_key): json.loads(item.value_json)
                for item in record.history.item
            }
            rows.append({name: value for name, value in items.items() if not name.startswith("_")})
    return rows


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, wandb_server.Server]]:
    """A repository whose exp002 was trained, killed, resumed and inferred while W&B followed."""
    root = tiny.repository(tmp_path_factory.mktemp("home") / "repository")
    words = ["--competition=daily_talk", "--track=online"]
    short = ["--max-new-tokens=8", "--beams=2", "--candidates=2", "--samples=0"]
    with wandb_server.serve() as server:
        training = ["experiments.exp002.train", *tiny.SETTINGS, *short, *words]
        process = start(root, *training, WANDB_BASE_URL=server.url)
        metrics = root / FOLDER / "metrics.jsonl"
        deadline = time.monotonic() + 120
        while len(read_lines(metrics)) < 3 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.poll() is None, process.communicate()[0]
        process.kill()
        process.communicate()
        code, output = run(root, *training, WANDB_BASE_URL=server.url)
        assert code == 0, output
        assert "W&B online: " in output
        code, output = run(root, "experiments.exp002.infer", *words, WANDB_BASE_URL=server.url)
        assert code == 0, output
        yield root, server


@pytest.mark.slow
def test_a_killed_training_goes_on_in_the_same_run(tracked: tuple[Path, wandb_server.Server]) -> None:
    root, server = tracked
    folder = root / FOLDER
    (name,) = server.runs
    assert name == read_json(folder / "wandb.json")["id"]
    about = server.runs[name]
    assert (about["groupName"], about["jobType"], about["displayName"]) == ("daily_talk", "exp002", "exp002")
    assert json.loads(about["config"])["training.learning_rate"]["value"] == 0.003
    assert same(server.rows(name), folder)
    steps = [row["step"] for row in server.rows(name) if "step" in row]
    assert steps == sorted(set(steps))
    summary = server.summary[name]
    scores = {
        key: value
        for s in read_json(folder / "dev" / "scores.json")["scores"]
        for key, value in s["metrics"].items()
    }
    assert len(scores) == 12
    assert {key: summary[f"dev/{key}"] for key in scores} == pytest.approx(scores)
    assert f"{FINAL}/floor" in summary
    # A sweep maximises what the kept checkpoint scored.
    best = max(
        (line for line in read_lines(folder / "metrics.jsonl") if "score" in line), key=lambda r: r["score"]
    )
    assert summary["rouge_sum"] == pytest.approx(best["rouge_sum"])


@pytest.mark.slow
def test_no_secret_and_nothing_of_the_machine_is_sent_or_kept(
    tracked: tuple[Path, wandb_server.Server],
) -> None:
    root, server = tracked
    found = [path for path in files(root / FOLDER, root.parent / ".cache", root.parent / ".config")
             if KEY.encode() in path.read_bytes() or SECRET.encode() in path.read_bytes()]  # fmt: skip
    assert found == []
    sent = b"".join(server.received)
    for text in (KEY, SECRET, str(root), "experiments.exp002", "--epochs", "torch=="):
        assert text.encode() not in sent, text
    assert not any(about.get("host") or about.get("program") for about in server.runs.values())
    assert not (root / "wandb").exists()
    assert not any("/wandb/" in str(path) for path in files(root.parent) if FOLDER not in str(path))


@pytest.mark.slow
def test_a_folder_is_shown_again_with_nothing_but_what_is_new(
    tracked: tuple[Path, wandb_server.Server], tmp_path: Path
) -> None:
    root, server = tracked
    other = repositories.copy(root, tmp_path / "repository")
    folder = other / FOLDER
    (name,) = server.runs
    before = server.rows(name)
    for new in (0, 1):
        if new:
            append_line(folder / "metrics.jsonl", {"step": 9999, "loss": 1.5})
        code, output = run(other, "common", "track", FOLDER, WANDB_BASE_URL=server.url)
        assert code == 0, output
        rows = server.rows(name)
        assert rows[: len(before)] == before
        assert [row["loss"] for row in rows if row.get("step") == 9999] == [1.5] * new
        steps = [row["step"] for row in rows if "step" in row]
        assert steps == sorted(set(steps))


@pytest.mark.slow
def test_offline_keeps_one_complete_record_without_secrets(
    tracked: tuple[Path, wandb_server.Server], tmp_path: Path
) -> None:
    root, server = tracked
    other = repositories.copy(root, tmp_path / "home" / "repository")
    folder = other / FOLDER
    received = len(server.received)
    for _ in range(2):
        code, output = run(
            other, "common", "track", FOLDER, "--mode=offline", "--texts", WANDB_BASE_URL=server.url
        )
        assert (code, "W&B offline: " + FOLDER in output) == (0, True), output
    assert len(server.received) == received  # nothing left the machine
    assert same(offline_rows(folder), folder)
    (begun,) = [record.run for record in records(folder) if record.HasField("run")]
    assert (begun.host, begun.run_id) == ("", read_json(folder / "wandb.json")["id"])
    (table,) = (read_json(path) for path in (folder / "wandb").rglob("*.table.json") if "media" in path.parts)
    assert table["columns"][:3] == ["id", "reference", "prediction"]
    assert [row[0] for row in table["data"]] == [f"dev_{number}" for number in range(6)]
    assert all("사기로" in row[1] for row in table["data"])
    forbidden = [KEY, SECRET, "--mode=offline", sys.executable, "torch=="]
    if len(socket.gethostname()) > 5:
        forbidden.append(socket.gethostname())
    for path in files(folder / "wandb"):
        content = path.read_bytes()
        assert [text for text in forbidden if text.encode() in content] == [], path
    assert not [
        path
        for path in files(folder / "wandb")
        if path.name in ("requirements.txt", "output.log", "diff.patch")
    ]


@pytest.mark.slow
def test_texts_stay_at_home_unless_asked_for(
    tracked: tuple[Path, wandb_server.Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _ = tracked
    monkeypatch.setenv("KDS_ROOT", str(root))
    columns, cells = wandb_log.samples(root / FOLDER, texts=False)
    assert columns == ["id", "leaderboard[mecab-ko-1.0.3+dic-1.0.0]/leaderboard", FINAL.removeprefix("dev/"),
                       "korouge[whitespace]/rouge_mean"]  # fmt: skip
    assert not any(isinstance(cell, str) for row in cells for cell in row[1:])
    for asked, texts in (("auto", False), ("offline", True)):
        monkeypatch.setenv("WANDB_MODE", "offline")
        assert wandb_log.tracker(root / FOLDER, asked, smoke=False).texts is texts


@pytest.mark.parametrize("how", ["refused", "unreachable", "killed"])
def test_a_failing_wandb_stops_nothing(repository: Path, how: str) -> None:
    words = ["experiments.exp001.infer", "--competition=talk", "--track=online"]
    shutil.copytree(REPOSITORY / "common", repository / "common")
    code = "import common.runs.wandb_log as w, sys, runpy; w.INIT_SECONDS = 2.0"
    if how == "killed":
        code += (
            "; import psutil; begin = w.Tracker._begin\n"
            "def killing(self):\n    begin(self); [c.kill() for c in psutil.Process().children(recursive=True)]\n"
            "w.Tracker._begin = killing"
        )
    code += f"\nsys.argv = {words!r}\nrunpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    with wandb_server.serve(refuses=how == "refused") as server:
        url = "http://127.0.0.1:9" if how == "unreachable" else server.url
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=repository, env=environment(repository, WANDB_BASE_URL=url), timeout=90,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("W&B failed and is off from here on") == 1, ended.stderr
    assert KEY not in ended.stderr
    assert read_record(repository / "outputs" / "talk" / "exp001")["infer"]["status"] == "finished"
