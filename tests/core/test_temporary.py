"""Temporary files of processes that have ended are removed by the next writer; those of living ones stay."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.core import temporary
from common.core.files import write_text
from common.core.temporary import sweep, temporary_file, temporary_folder

WRITER = """
import sys, time
from pathlib import Path
from common.core.files import atomic_path
from common.core.temporary import temporary_folder
with atomic_path(Path(sys.argv[1])) as path:
    path.write_text("half")
    (temporary_folder(Path(sys.argv[1])) / "inside").write_text("half")
    print("ready", flush=True)
    time.sleep(600)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def writer(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_what_a_killed_process_left_is_removed_by_the_next_writer_in_the_folder(tmp_path: Path) -> None:
    alive, dead = writer(tmp_path / "a.txt"), writer(tmp_path / "b.txt")
    try:
        assert len(names(tmp_path)) == 4
        dead.kill()
        dead.wait()
        write_text(tmp_path / "c.txt", "c")
        found = names(tmp_path)
        assert len(found) == 3
        assert all(name.startswith(".a.txt.") for name in found[:2])
        assert found[2] == "c.txt"
    finally:
        alive.kill()
        alive.wait()
    write_text(tmp_path / "c.txt", "c")
    assert names(tmp_path) == ["c.txt"]


def test_a_killed_process_that_nobody_has_waited_for_has_ended(tmp_path: Path) -> None:
    dead = writer(tmp_path / "a.txt")
    dead.kill()
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)  # it stays listed as a zombie
    sweep(tmp_path)
    assert names(tmp_path) == []
    dead.wait()


def test_a_process_that_got_the_same_number_later_is_another_one(tmp_path: Path) -> None:
    mine = temporary_file(tmp_path / "a.txt")
    head, _, tail = mine.name.rpartition("-")
    stem, _, start = head.rpartition("-")
    earlier = tmp_path / f"{stem}-{int(start) - 1}-{tail}"
    earlier.touch()
    sweep(tmp_path)
    assert names(tmp_path) == [mine.name]


def test_files_of_another_machine_stay_for_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(temporary, "this_machine", lambda: "12345678")
        file, folder = temporary_file(tmp_path / "a"), temporary_folder(tmp_path / "b")
    sweep(tmp_path)
    assert file.exists() and folder.exists()
    old = time.time() - (temporary.DAYS + 0.1) * 86400
    for path in (file, folder):
        os.utime(path, (old, old))
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_nothing_else_is_removed(tmp_path: Path) -> None:
    mine = [
        ".env.examples",
        ".a.tmp",
        "a.12345678-1-1-abcdefgh.tmp",
        ".a.12345678-x-1-abcdefgh.tmp",
        ".staging-a",
        ".b.lock",
    ]
    for name in mine:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    sweep(tmp_path)
    sweep(tmp_path / "none")
    assert names(tmp_path) == sorted(mine)


@pytest.mark.parametrize("name", ["x" * 255, "가" * 85, "a\nb.txt"])
def test_a_name_of_any_length_can_be_written(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "text")
    assert names(tmp_path) == [name]


LOOP = """
import sys
from pathlib import Path
from common.core.files import write_text
print("ready", flush=True)
for number in range(10**9):
    write_text(Path(sys.argv[1]) / f"{number % 3}.txt", str(number) * 1000)
"""


def test_kills_at_random_instants_leave_whole_files_and_nothing_else(tmp_path: Path) -> None:
    for number in range(15):
        process = subprocess.Popen([sys.executable, "-c", LOOP, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.02 + 0.003 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in tmp_path.glob("*.txt"):
            assert len(path.read_text()) % 1000 == 0
            assert path.read_text()
    write_text(tmp_path / "0.txt", "end")
    assert all(name.endswith(".txt") for name in names(tmp_path))
