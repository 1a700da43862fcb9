"""Real commands get real signals at different moments: one line, the right exit code, and nothing is lost."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from common.core.json_lines import read_lines
from common.runs.record import read_record
from common.training import checkpoints
from tests.support import REPOSITORY, tiny
from tests.support.fitting import ending

# Not one checkpoint between two evaluations unless a signal asks for it.
SETTINGS = [*tiny.SETTINGS, "--tokens-per-batch=384", "--epochs=2", "--checkpoint-minutes=99"]
TRAIN = ["common", "train", "exp002", *SETTINGS]
SEVERAL = ["common", "train", "--gpus", "2", "exp002", *SETTINGS]
TRACEBACKS = ("Traceback", "Aborted", "Error")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.repository(tmp_path_factory.mktemp("copy") / "repository")


@pytest.fixture(autouse=True)
def _default_signals() -> None:
    """A shell may have started the tests with SIGINT ignored, which processes inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def calm(copy: Path) -> dict[str, bytes]:
    """How undisturbed training in one process ends."""
    code, output = tiny.call(copy, *TRAIN, "--run=exp002-calm")
    assert code == 0, output
    return ending(copy / "outputs" / "daily_talk" / "exp002-calm")


def wait_for(process: "subprocess.Popen[str]", moment: Callable[[], bool]) -> None:
    while not moment():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)


def interrupted(process: "subprocess.Popen[str]", number: int) -> str:
    """Wait for the end of an interrupted process, and return its one line."""
    begun = time.monotonic()
    output, _ = process.communicate(timeout=60)
    assert time.monotonic() - begun < 20
    assert process.returncode == 128 + number, output
    assert not any(word in output for word in TRACEBACKS), output
    (line,) = [line for line in output.splitlines() if line.startswith("interrupted")]
    assert output.endswith(f"{line}\n")
    return line


def resumes(copy: Path, command: list[str], name: str) -> dict[str, bytes]:
    run = tiny.run if command is SEVERAL else tiny.call  # without another process where one is enough
    code, output = run(copy, *command, f"--run={name}")
    assert code == 0, output
    assert "resuming at step" in output
    assert read_record(copy / "outputs" / "daily_talk" / name)["train"]["status"] == "finished"
    return ending(copy / "outputs" / "daily_talk" / name)


def evaluated(folder: Path) -> Callable[[], bool]:
    return lambda: bool(checkpoints.steps(folder / "checkpoints"))


def another(folder: Path) -> Callable[[], bool]:
    """Return whether there is a checkpoint that is not there now."""
    before = checkpoints.steps(folder / "checkpoints")
    return lambda: bool(set(checkpoints.steps(folder / "checkpoints")) - set(before))


def test_training_that_gets_sigterm_loses_nothing(copy: Path, calm: dict[str, bytes]) -> None:
    process = tiny.start(copy, *TRAIN, "--run=exp002-term")
    wait_for(process, evaluated(copy / "outputs" / "daily_talk" / "exp002-term"))
    process.send_signal(signal.SIGTERM)
    line = interrupted(process, signal.SIGTERM)
    assert line.startswith("interrupted by SIGTERM after step ")
    assert line.endswith(" of 22; checkpoint saved; run the same command again to resume.")
    assert resumes(copy, TRAIN, "exp002-term") == calm


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGINT, "imports"), (signal.SIGHUP, "record"), (signal.SIGINT, "evaluated")],
)
def test_a_signal_at_any_moment(
    copy: Path, calm: dict[str, bytes], number: signal.Signals, moment: str
) -> None:
    name = f"exp002-{moment}"
    folder = copy / "outputs" / "daily_talk" / name
    process = tiny.start(copy, *TRAIN, f"--run={name}")
    if moment == "imports":
        time.sleep(0.5)  # those of torch take longer
    else:
        wait_for(process, evaluated(folder) if moment == "evaluated" else (folder / "run.json").exists)
    process.send_signal(number)
    line = interrupted(process, number)
    if moment == "imports":
        assert line == f"interrupted by {number.name} before any work; run the same command again."
        assert not folder.exists()
    elif "checkpoint saved" not in line:  # while the model was made: nothing remains
        assert line.endswith("there is no checkpoint yet: the same command begins from the start.")
        assert not folder.exists()
        assert not folder.with_name(f".{name}.lock").exists()
    else:
        assert resumes(copy, TRAIN, name) == calm


@pytest.mark.slow
def test_make_and_its_group_get_the_signal_once(copy: Path, calm: dict[str, bytes]) -> None:
    venv, folder = Path(sys.prefix), copy / "outputs" / "daily_talk" / "exp002-make"
    command = ["make", "-f", str(REPOSITORY / "Makefile"), f"VENV={venv}", "-o", str(venv / "ready"), "train",
               "exp=exp002", "run=exp002-make", f"args={' '.join(SETTINGS)}"]  # fmt: skip
    environment = {
        name: value for name, value in os.environ.items() if name not in ("KDS_ROOT", "PYTHONPATH")
    }
    for number, whole_group in ((signal.SIGTERM, False), (signal.SIGINT, True)):
        more = another(folder)
        process = subprocess.Popen(
            command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        wait_for(process, more)
        os.killpg(process.pid, number) if whole_group else process.send_signal(number)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == -number, (
            output
        )  # make itself ends with the signal, once its command has ended
        assert f"interrupted by {number.name} after step" in output
        assert not any(word in output for word in TRACEBACKS[:2]), output
    assert resumes(copy, TRAIN, "exp002-make") == calm


@pytest.mark.slow
def test_restart_is_not_recommended_where_it_would_lose_the_checkpoint(copy: Path) -> None:
    folder = copy / "outputs" / "daily_talk" / "exp002-again"
    process = tiny.start(copy, *TRAIN, "--run=exp002-again", "--restart")
    wait_for(process, evaluated(folder))
    process.send_signal(signal.SIGTERM)
    line = interrupted(process, signal.SIGTERM)
    assert line.endswith("checkpoint saved; run the same command without restart=1 to resume.")


@pytest.fixture(scope="module")
def calm_together(copy: Path) -> dict[str, bytes]:
    """How undisturbed training in two processes ends."""
    code, output = tiny.run(copy, *SEVERAL, "--run=exp002-twocalm")
    assert code == 0, output
    return ending(copy / "outputs" / "daily_talk" / "exp002-twocalm")


def nothing_left(name: str) -> bool:
    """Return whether every process of a run has ended, some seconds from now at the latest."""

    def running() -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if f"--run={name}\0".encode() in path.read_bytes():
                    return True
        return False

    deadline = time.monotonic() + 10
    while running() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not running()


@pytest.mark.slow
def test_when_torchrun_is_killed_its_processes_save_and_end(
    copy: Path, calm_together: dict[str, bytes]
) -> None:
    folder = copy / "outputs" / "daily_talk" / "exp002-orphans"
    process = tiny.start(copy, *SEVERAL, "--run=exp002-orphans")
    wait_for(process, another(folder))
    process.kill()
    output, _ = process.communicate(timeout=60)  # the processes share its output
    assert re.search(r"interrupted by SIGTERM after step \d+ of 12; checkpoint saved; run", output)
    assert nothing_left("exp002-orphans")
    assert resumes(copy, SEVERAL, "exp002-orphans") == calm_together


@pytest.mark.slow
def test_two_processes_end_after_the_same_step(copy: Path, calm_together: dict[str, bytes]) -> None:
    for number, moment in ((signal.SIGINT, "start"), (signal.SIGTERM, "later"), (signal.SIGINT, "again")):
        folder = copy / "outputs" / "daily_talk" / "exp002-two"
        more = another(folder)
        process = tiny.start(copy, *SEVERAL, "--run=exp002-two")
        if moment == "start":
            time.sleep(1.0)
        else:
            wait_for(process, more)
        process.send_signal(number)
        line = interrupted(process, number)
        if moment == "start":
            assert line == "interrupted by SIGINT before any work; run the same command again."
        else:
            assert " of 12; checkpoint saved; run the same command again to resume." in line
        assert nothing_left("exp002-two")
    assert resumes(copy, SEVERAL, "exp002-two") == calm_together


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_inference_keeps_the_finished_dialogues(copy: Path, calm: dict[str, bytes], processes: int) -> None:
    folder = copy / "outputs" / "daily_talk" / "exp002-calm"
    several = ["--gpus", "2"] if processes > 1 else []
    command = ["common", "infer", *several, "exp002", *SETTINGS, "--run=exp002-calm", "--tokens-at-once=100",
               "--max-new-tokens=12", "--samples=0", "--candidates=1", "--beams=1"]  # fmt: skip
    code, output = tiny.run(copy, *command)
    assert code == 0, output
    whole = (folder / "dev" / "candidates.jsonl").read_bytes()
    for path in folder.glob("*/candidates*"):
        path.unlink()
    process = tiny.start(copy, *command)
    wait_for(process, lambda: any(read_lines(p) for p in folder.glob("dev/candidates.*.jsonl")))
    process.send_signal(signal.SIGTERM)
    line = interrupted(process, signal.SIGTERM)
    done = sum(len(read_lines(path)) for path in folder.glob("dev/candidates.*.jsonl"))
    assert line == (
        f"interrupted by SIGTERM after {done} of 6 dialogues of dev; "
        "run the same command again: finished dialogues are kept."
    )
    assert 1 <= done < 6
    code, output = tiny.run(copy, *command)
    assert code == 0, output
    assert (folder / "dev" / "candidates.jsonl").read_bytes() == whole
