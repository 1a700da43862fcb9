"""Progress is seen on a terminal, is rare in a log file, and estimates the time left from finished work only."""

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from itertools import pairwise

import pytest

from common.core import progress
from common.core.progress import BatchProgress

BRIEF = """
from common.core.progress import brief_progress
bar = brief_progress(3, "compare dev with train", "row")
for _ in range(3):
    bar.update()
    bar.refresh()
bar.close()
"""
BATCHES = """
import time
from common.core.progress import BatchProgress, batches_shown
state = BatchProgress(100, 8, "dialogues")
with batches_shown(state, "decode dev"):
    time.sleep(1.2)
    state.advance(75, 4)
    time.sleep(1.2)
"""
LOGGED = """
import logging
from common.core.messages import log_to_terminal
from common.core.progress import progress
log_to_terminal()
with progress(total=9, description="train", unit="step") as bar:
    bar.update(3)
    bar.refresh()
    logging.getLogger("x").info("step 3  score 31.80")
"""
WAITING = """
import time
from common.core import progress
progress._LOG_INTERVAL = SECONDS
with progress.waiting("merge the adapters of exp010"):
    time.sleep(1.2)
"""


def on_terminal(code: str) -> str:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (25, 100))
    os.set_blocking(master, False)
    subprocess.run([sys.executable, "-c", code], stderr=slave, check=True)
    text = os.read(master, 100_000).decode()  # before the other end is closed: afterwards there is nothing
    os.close(slave)
    os.close(master)
    return text


@pytest.mark.parametrize(
    "code", [BRIEF.replace("    bar.refresh()\n", ""), BATCHES, WAITING.replace("SECONDS", "30.0")]
)
def test_a_log_file_shows_nothing_of_short_work(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_text_beside_a_bar_is_no_reason_to_write_a_line() -> None:
    code = (
        "from common.core.progress import brief_progress\n"
        "bar = brief_progress(3, 'cross-validate', 'fold', even=False)\n"
        "for name in ('vote', 'mbr', 'stack'):\n    bar.set_postfix_str(name)\n    bar.update()\nbar.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_log_file_gets_whole_lines_of_long_work() -> None:
    code = WAITING.replace("SECONDS", "0.5")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert lines[-1] == "merge the adapters of exp010 … 1 s"
    assert len(lines) == 2
    assert "\r" not in done.stderr


def test_a_terminal_shows_the_bar_and_is_clean_at_the_end() -> None:
    text = on_terminal(BRIEF)
    assert "compare dev with train: 100%" in text
    assert "3/3" in text
    assert text.rpartition("\r")[2].strip() == ""


def test_a_terminal_shows_finished_batches_and_is_clean_at_the_end() -> None:
    text = on_terminal(BATCHES)
    assert "0/8 dialogues, 1 s, time left: known after the first batch" in text
    assert "4/8 dialogues, 2 s, about 0 s left" in text
    assert " 75%|" in text
    assert text.rpartition("\r")[2].strip() == ""


def test_a_message_is_not_written_into_the_line_of_a_bar() -> None:
    lines = [line.rpartition("\r")[2] for line in on_terminal(LOGGED).replace("\r\n", "\n").split("\n")]
    assert "step 3  score 31.80" in lines


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    yield now


def test_the_estimate_comes_from_the_work_of_finished_batches(clock: list[float]) -> None:
    # 8 equal batches of 90 s: 12 minutes in all, however many dialogues each has.
    state, dialogues = BatchProgress(800, 499, "dialogues"), [30, 40, 50, 60, 70, 80, 84, 85]
    assert state.seconds_left() is None
    estimates = []
    for number, count in enumerate(dialogues):
        for second in (30, 60, 89):
            clock[0] = 90 * number + second
            estimates.append(state.seconds_left())
        clock[0] = 90.0 * (number + 1)
        state.advance(100, count)
        assert state.seconds_left() == 630 - 90 * number
    known = [e for e in estimates if e is not None]
    assert all(later <= earlier for earlier, later in pairwise(known))
    assert str(state) == "499/499 dialogues, 12 min, about 0 s left"


def test_the_estimate_does_not_count_what_an_interrupted_run_had_done(clock: list[float]) -> None:
    state = BatchProgress(100, 10, "dialogues", done_work=50, done_items=5)
    assert state.seconds_left() is None
    clock[0] = 60.0
    state.advance(25, 3)
    assert (state.done_items, state.seconds_left()) == (8, 60.0)


SLOW_ITEM = """
import time
from common.core.progress import brief_progress
with brief_progress(3, "score dev in every profile", "text file") as bar:
    bar.update()
    time.sleep(2.3)
"""
UNEVEN = """
import time
from common.core.progress import brief_progress
with brief_progress(20_000, "try strategies", "dialogue") as bar:
    for _ in range(10_000):
        bar.update()
    time.sleep(0.3)
    bar.update()
"""


def test_the_clock_of_a_bar_runs_while_one_item_takes_long() -> None:
    drawn = on_terminal(SLOW_ITEM).split("\r")
    assert [second for second in ("00:00", "00:01", "00:02") if any(second in one for one in drawn)] == [
        "00:00",
        "00:01",
        "00:02",
    ]


def test_a_bar_is_drawn_again_as_soon_as_items_become_slow() -> None:
    """tqdm would wait for as many items as it saw in the interval before."""
    assert "10001/20000" in on_terminal(UNEVEN)


def test_a_log_has_no_movements_of_the_cursor() -> None:
    code = (
        "from common.core import progress\nprogress._LOG_INTERVAL = 0.1\nimport time\n"
        "with progress.progress(9, 'train', 'step') as bar:\n"
        "    with progress.waiting('evaluate'):\n        time.sleep(0.5)\n    bar.update()\n    bar.refresh()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "evaluate" in done.stderr and "1/9" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_bar_of_uneven_items_estimates_nothing() -> None:
    code = SLOW_ITEM.replace('"text file")', '"text file", even=False)')
    shown = on_terminal(code)
    assert "1/3 text file [00:02]" in shown
    assert "<" not in shown
