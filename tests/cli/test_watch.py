"""`make watch`: a training is shown while it runs and after, on a terminal and in a pipe, and Ctrl-C ends only the watching."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from common.training.pace import FILE
from tests.cli.test_terminal import cells, in_terminal, plain
from tests.support.terminals import shown_on

BRAILLE = re.compile("[\u2801-\u28ff]")
WATCH = ("watch", "exp001", "--run=exp001-live")


def _folder(repository: Path) -> Path:
    return repository / "outputs" / "talk" / "exp001-live"


def _lines(first: int, last: int) -> str:
    """Metrics of steps in steps of 20, with an evaluation every 100 steps; its score is a tenth of the step."""
    lines = []
    for step in range(first, last + 1, 20):
        lines.append({"step": step, "loss": 8 - step / 100, "gradient_norm": 1.0, "learning_rate": 1e-4})
        if step % 100 == 0:
            lines.append({"step": step, "train_loss": 8 - step / 100, "score": step / 10})
    return "".join(json.dumps(line) + "\n" for line in lines)


def _record(folder: Path, repository: Path, status: str) -> None:
    record = json.loads((repository / "outputs" / "talk" / "exp001" / "run.json").read_text(encoding="utf-8"))
    record["train"]["status"] = status
    (folder / "run.json").write_text(json.dumps({"train": record["train"]}), encoding="utf-8")


@contextmanager
def _training(repository: Path) -> Iterator[Path]:
    """A run whose lock is held as by a training; yields its folder."""
    folder = _folder(repository)
    folder.mkdir(parents=True)
    _record(folder, repository, "running")
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        yield folder


def _watch(repository: Path, **streams: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "KDS_ROOT": str(repository), "TERM": "xterm"}
    words = [sys.executable, "-m", "common", *WATCH, "--every=0.05"]
    return subprocess.Popen(words, cwd=repository, env=environment, text=True, **streams)  # type: ignore[call-overload,no-any-return]


def test_a_finished_training_is_shown_once(repository: Path) -> None:
    folder = _folder(repository)
    folder.mkdir(parents=True)
    _record(folder, repository, "finished")
    (folder / "metrics.jsonl").write_text(_lines(20, 500), encoding="utf-8")
    for language in ("en", "ko"):
        text = plain(in_terminal(repository, 80, WATCH, KDS_LANG=language))
        lines = text.splitlines()
        assert all(cells(line) <= 80 or line.startswith("make ") for line in lines)
        curves = [line for line in lines if BRAILLE.search(line)]
        # The curves begin in one column, whatever stands to their left.
        begins = {cells(line[: re.search("[\u2800-\u28ff]", line).start()]) for line in curves}  # type: ignore[union-attr]
        assert len(curves) >= 6
        assert len(begins) == 1
        assert "\x1b[" not in text
    english = plain(in_terminal(repository, 80, WATCH))
    assert "exp001-live on talk: training finished, step 500" in english
    assert "best dev score 50.00 at step 500" in english
    assert "make exp=exp001 infer run=exp001-live" in english


def test_a_pipe_gets_one_line_for_each_new_evaluation(repository: Path) -> None:
    with _training(repository) as folder:
        path = folder / "metrics.jsonl"
        path.write_text(_lines(20, 200), encoding="utf-8")
        pace = {
            "step": 210,
            "total": 400,
            "tokens_per_second": 5120.4,
            "seconds_left": 61.0,
            "time": time.time(),
        }
        (folder / FILE).write_text(json.dumps(pace), encoding="utf-8")
        process = _watch(repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(3)]
        with path.open("a", encoding="utf-8") as handle:
            for part in (_lines(220, 400)[:-30], _lines(220, 400)[-30:]):  # the last line in two pieces
                handle.write(part)
                handle.flush()
                time.sleep(0.3)
        seen += [process.stdout.readline() for _ in range(2)]
        _record(folder, repository, "finished")
    rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert seen[0].startswith(
        "exp001-live on talk: is training, step 210 of 400 (52%), about 1 min 1 s left, 5,120 tokens/s"
    )
    heads = [line.split(",")[0] for line in seen[1:]]
    assert heads == [f"step {step}: dev score {step / 10:.2f}" for step in (100, 200, 300, 400)]
    assert seen[-1].startswith(
        "step 400: dev score 40.00, best 40.00 at step 400, loss 4, learning rate 0.0001"
    )
    assert "5,120 tokens/s" in seen[-1]
    assert rest.count("step 100:") + rest.count("step 400:") == 0
    assert "Training finished. Next: make exp=exp001 infer run=exp001-live" in rest


def test_ctrl_c_ends_the_watching_alone(repository: Path) -> None:
    with _training(repository) as folder:
        (folder / "metrics.jsonl").write_text(_lines(20, 200), encoding="utf-8")
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        process = _watch(repository, stdout=slave, stderr=slave)
        os.close(slave)
        time.sleep(0.1)
        until = time.monotonic() + 30
        shown = ""
        while "learning rate" not in shown and time.monotonic() < until:
            shown += os.read(master, 65536).decode("utf-8", "replace")
        process.send_signal(signal.SIGINT)
        shown += shown_on(master)
        assert process.wait(timeout=30) == 0
    assert "Traceback" not in shown
    assert shown.rstrip().endswith("Watching ended; the training goes on.")


def test_one_that_has_not_begun_is_said(repository: Path) -> None:
    text = " ".join(plain(in_terminal(repository, 80, WATCH)).split())
    assert text.startswith(
        "exp001-live on talk: no training has begun here. Next: make exp=exp001 train run=exp001-live"
    )


@pytest.mark.parametrize(("words", "why"), [
    (("watch", "exp001", "--run=exp002-x"), "does not belong to exp001"), (("watch", "exp999"), "does not exist"),
    (("watch", "exp001", "--run=exp001-../x"), "exp001-../x"),
])  # fmt: skip
def test_a_wrong_name_is_one_line(repository: Path, words: tuple[str, ...], why: str) -> None:
    environment = {**os.environ, "KDS_ROOT": str(repository)}
    done = subprocess.run(
        [sys.executable, "-m", "common", *words],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
