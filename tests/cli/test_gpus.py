"""The real commands with --gpus 2: two processes on this CPU train, die, resume and infer as one does."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from common.runs.record import read_record
from common.training import checkpoints
from tests.support import tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.repository(tmp_path_factory.mktemp("copy") / "repository")


def test_two_processes_train_and_infer_an_experiment(copy: Path) -> None:
    words = ["exp002", "--smoke", "--competition", "daily_talk", "--tokens-at-once", "300"]
    code, output = tiny.run(copy, "common", "train", "--gpus", "2", *words)
    assert code == 0, output
    assert output.count("step 1 ") <= 1  # only the first process speaks
    folder = copy / "outputs" / "smoke" / "daily_talk" / "exp002"
    assert [
        path.parent for path in (copy / "outputs").rglob("run.json") if "checkpoints" not in path.parts
    ] == [folder]
    assert read_record(folder)["train"]["processes"] == 2
    made = {}
    for count in (2, 1):
        # In processes of one thread each, both times: the number of threads changes last digits.
        several = ["--gpus", "2"] if count == 2 else []
        code, output = tiny.run(copy, "common", "infer", *several, *words)
        assert code == 0, output
        assert read_record(folder)["infer"]["processes"] == count
        files = [
            folder / split / name
            for split in ("dev", "test")
            for name in ("candidates.jsonl", "predictions.csv")
        ]
        made[count] = {str(path): path.read_bytes() for path in files}
        for path in [*folder.rglob("candidates*"), *folder.rglob("predictions.csv")]:
            path.unlink()
    assert made[1] == made[2]
    lines = [
        json.loads(line) for line in made[1][str(folder / "dev" / "candidates.jsonl")].decode().splitlines()
    ]
    assert len(lines) == 4
    assert {len(line["candidates"]) for line in lines} == {4}  # two searched, two sampled


def test_a_killed_process_ends_the_others_and_the_command_resumes(copy: Path) -> None:
    command = ["common", "train", "--gpus", "2", "exp002", *tiny.SETTINGS, "--tokens-per-batch=384", "--epochs=2",
               "--run=exp002-killed"]  # fmt: skip
    folder = copy / "outputs" / "daily_talk" / "exp002-killed"
    process = tiny.start(copy, *command)
    while len(checkpoints.steps(folder / "checkpoints")) < 2:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    ranks = [
        int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ]
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    output, _ = process.communicate()
    assert process.returncode != 0
    assert "ChildFailedError" not in output  # torchrun's own table
    assert "Traceback" not in output  # of the process that lost the other one
    assert output.count("error: ") == output.count("error: process 1 was ended by SIGKILL, perhaps") == 1
    assert not any(Path(f"/proc/{rank}").exists() for rank in ranks)
    assert read_record(folder)["train"]["status"] == "running"

    code, output = tiny.run(copy, *command)
    assert code == 0, output
    assert "resuming at step" in output
    assert read_record(folder)["train"]["status"] == "finished"
    # All of them see that there is nothing to do, and end.
    code, output = tiny.run(copy, *command)
    assert code == 0, output
    assert output.count("is already trained") == 1


def test_a_mistake_is_said_once(copy: Path) -> None:
    command = ["common", "train", "--gpus", "2", "exp002", *tiny.SETTINGS, "--run=exp002-short"]
    data = copy / "competitions" / "daily_talk" / "data" / "train.csv"
    content = data.read_bytes()
    data.unlink()
    code, output = tiny.run(copy, *command)
    data.write_bytes(content)
    assert code == 1
    (line,) = [line for line in output.splitlines() if line.strip()]
    assert line.startswith("error: competitions/daily_talk/data/train.csv: not there")
    assert not (copy / "outputs" / "daily_talk" / "exp002-short").exists()
