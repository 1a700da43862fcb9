"""A brief progress bar is seen on a terminal only, and leaves nothing behind."""

import os
import pty
import subprocess
import sys
import termios

CODE = """
from common.core.progress import brief_progress
bar = brief_progress(3, "compare dev with train", "row")
for _ in range(3):
    bar.update()
    bar.refresh()
bar.close()
"""


def test_a_log_file_shows_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_terminal_shows_the_bar_and_is_clean_at_the_end() -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (25, 80))
    os.set_blocking(master, False)
    subprocess.run([sys.executable, "-c", CODE], stderr=slave, check=True)
    text = os.read(
        master, 100_000
    ).decode()  # before the other end is closed: afterwards there is nothing to read
    os.close(slave)
    os.close(master)
    assert "compare dev with train: 100%" in text
    assert "3/3" in text
    assert text.rpartition("\r")[2].strip() == ""
