"""A real experiment, killed or changed in processes of its own, resumes or refuses."""

import json
import logging
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from common.training import checkpoints
from tests.support import repository as repositories
from tests.support import tiny
from tests.support.fitting import ending

pytestmark = pytest.mark.usefixtures("fresh_precision")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.repository(tmp_path_factory.mktemp("copy") / "repository")


SLOWER = [
    *tiny.SETTINGS,
    "--tokens-per-batch=384",
    "--epochs=2",
]  # more steps, so that there is something to interrupt


def newest_step(folder: Path) -> int:
    steps = checkpoints.steps(folder / "checkpoints")
    return int(steps[-1].name[5:]) if steps else 0


def kill_when(process: "subprocess.Popen[str]", moment: Callable[[], bool]) -> None:
    """kill -9 as soon as the moment has come; the process must not have ended before."""
    while not moment():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert process.returncode == -9


def spoken(root: Path, *words: str) -> str:
    """The message with which a stage refuses, run inside this process."""
    with pytest.raises(SystemExit) as end:
        repositories.stage(root, *words)
    return str(end.value.code)


@pytest.mark.slow
def test_kill_9_at_any_moment_changes_nothing(copy: Path) -> None:
    command = ["experiments.exp002.train", *SLOWER]
    folders = {name: copy / "outputs" / "daily_talk" / name for name in ("exp002-calm", "exp002-killed")}
    killed = folders["exp002-killed"]
    checkpoint_folder = killed / "checkpoints"
    undisturbed = tiny.start(copy, *command, "--run=exp002-calm")
    rng = random.Random()
    first = rng.randrange(9)  # at 0 there is a run.json, and perhaps no checkpoint

    def early() -> bool:
        if not (killed / "run.json").exists() or newest_step(killed) < first:
            return False
        time.sleep(rng.random() / 20)
        return True

    kill_when(tiny.start(copy, *command, "--run=exp002-killed"), early)

    reached = newest_step(killed)
    process = tiny.start(copy, *command, "--run=exp002-killed")
    while newest_step(killed) < reached + 2:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)  # it shall not end while another one tries
    second = spoken(copy, "exp002", "train", *SLOWER, "--run=exp002-killed")
    assert second == (
        "error: outputs/daily_talk/exp002-killed is in use by another process; wait for it to end, or give this run another name with run=."
    )
    process.send_signal(signal.SIGCONT)
    kill_when(process, lambda: any(checkpoint_folder.glob(".staging-*/*")))  # half a checkpoint is on disk

    code, output = tiny.run(copy, *command, "--run=exp002-killed")
    assert code == 0, output
    assert "resuming at step" in output
    log, _ = undisturbed.communicate()
    assert undisturbed.returncode == 0, log
    assert "resuming" not in log

    calm, disturbed = (ending(folder) for folder in folders.values())
    assert disturbed == calm
    manifests = [(folder / "best" / "manifest.json").read_bytes() for folder in folders.values()]
    assert manifests[0] == manifests[1]  # tokenizer and config too
    records = [
        json.loads((folder / "run.json").read_text(encoding="utf-8"))["train"] for folder in folders.values()
    ]
    for name in ("status", "result", "checkpoint", "config", "data"):
        assert records[0][name] == records[1][name], name
    assert records[0]["status"] == "finished"
    assert records[0]["result"]["steps"] > reached + 2
    assert [*killed.glob("checkpoints/.*")] == []


def shorter(root: Path, *words: str, epochs: int = 1) -> None:
    repositories.stage(root, "exp002", "train", *tiny.SETTINGS, f"--epochs={epochs}", *words)


def test_other_settings_are_refused_and_restart_moves_the_old_run_aside(
    copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copy / "outputs" / "daily_talk" / "exp002"
    shorter(copy)
    before = ending(folder)
    with caplog.at_level(logging.INFO, logger="common"):
        shorter(copy)
    assert "outputs/daily_talk/exp002 is already trained; add restart=1 to train it again." in caplog.messages

    refusal = spoken(copy, "exp002", "train", *tiny.SETTINGS, "--epochs=1", "--dropout=0.5", "--seed=8")
    assert "model.dropout was 0.1, is 0.5; seed was 7, is 8" in refusal
    for remedy in ("Use the same settings", "make exp=exp002 train restart=1", "run=exp002-NAME"):
        assert remedy in refusal
    assert ending(folder) == before

    # What only inference reads may change.
    shorter(copy, "--beams=3", "--candidates=3")

    shorter(copy, "--seed=8", "--restart")
    (aside,) = (copy / "outputs" / "daily_talk" / "replaced").iterdir()
    assert aside.name.startswith("exp002-")
    assert ending(aside) == before
    assert ending(folder) != before
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))["train"]
    assert (record["seed"], record["status"]) == (8, "finished")


def test_an_interrupted_run_with_other_data_does_not_resume(copy: Path, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    shutil.copytree(copy, root, ignore=shutil.ignore_patterns("outputs", "__pycache__"))
    shorter(root)
    folder = root / "outputs" / "daily_talk" / "exp002"
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["train"]["status"] = "running"  # as a crash leaves it
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    data = root / "competitions" / "daily_talk" / "data" / "train.csv"
    data.write_text(data.read_text(encoding="utf-8").replace("우산", "양산"), encoding="utf-8")
    refusal = spoken(root, "exp002", "train", *tiny.SETTINGS, "--epochs=1")
    assert "was made with other settings, data or another number of processes" in refusal
    assert "restart=1" in refusal


def test_an_interrupted_run_resumes_only_with_the_same_evaluation(copy: Path, tmp_path: Path) -> None:
    """Scores of longer or otherwise blocked summaries do not tell which checkpoint is the best."""
    root = tmp_path / "repository"
    shutil.copytree(copy, root, ignore=shutil.ignore_patterns("outputs", "__pycache__"))
    shorter(root)
    path = root / "outputs" / "daily_talk" / "exp002" / "run.json"
    finished = json.loads(path.read_text(encoding="utf-8"))
    interrupted = {"train": finished["train"] | {"status": "running"}}
    path.write_text(json.dumps(interrupted), encoding="utf-8")
    for other in ("--max-new-tokens=9", "--no-repeat-ngram=2"):
        refusal = spoken(root, "exp002", "train", *tiny.SETTINGS, "--epochs=1", other)
        assert "was made with other settings" in refusal and "restart=1" in refusal
    shorter(root, "--tokens-at-once=999", "--beams=3", "--candidates=3")
    resumed = json.loads(path.read_text(encoding="utf-8"))["train"]
    assert (resumed["status"], resumed["checkpoint"]) == ("finished", finished["train"]["checkpoint"])
