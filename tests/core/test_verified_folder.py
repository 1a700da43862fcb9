"""Saved folders are whole, old or new, whatever happens; nothing damaged is taken for intact."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from common.core import verified_folder
from common.core.errors import UserError
from common.core.files import read_json, sha256_file
from common.core.signals import Interrupted
from common.training import checkpoints
from common.training.checkpoints import newest_intact
from tests.support import REPOSITORY
from tests.support.disk import full_disk


def writing(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "inner").mkdir()
        (folder / "weights.bin").write_text(text * 1000, encoding="utf-8")
        (folder / "inner" / "state.txt").write_text(text, encoding="utf-8")

    return write


def content(folder: Path) -> str:
    return (folder / "inner" / "state.txt").read_text(encoding="utf-8")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_saved_folder_is_complete_and_named_by_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "best"
    first = verified_folder.save(folder, writing("하나"))
    assert verified_folder.problem(folder) is None
    assert verified_folder.fingerprint(folder) == first == sha256_file(folder / "manifest.json")
    assert read_json(folder / "manifest.json") == {
        name: sha256_file(folder / name) for name in ("inner/state.txt", "weights.bin")
    }
    second = verified_folder.save(folder, writing("둘"))
    assert content(folder) == "둘"
    assert verified_folder.save(tmp_path / "other", writing("하나")) == first != second
    assert sorted(p.name for p in folder.parent.iterdir()) == ["best"]


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed": (
        lambda f: (f / "inner" / "state.txt").write_text("다른"),
        "inner/state.txt has changed since it was",
    ),
    "emptied": (lambda f: (f / "weights.bin").write_bytes(b""), "weights.bin has changed since it was saved"),
    "missing": (lambda f: (f / "weights.bin").unlink(), "weights.bin is missing"),
    "a folder instead": (lambda f: [(f / "weights.bin").unlink(), (f / "weights.bin").mkdir()], "is missing"),
    "one too many": (
        lambda f: (f / "inner" / "more.bin").touch(),
        "inner/more.bin was added after it was saved",
    ),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "manifest.json: not there"),
    "empty manifest": (lambda f: (f / "manifest.json").write_bytes(b""), "manifest.json: not valid JSON"),
    "manifest of bytes": (
        lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe"),
        "manifest.json: not valid JSON",
    ),
    "manifest a list": (
        lambda f: (f / "manifest.json").write_text("[1]"),
        "is not a table of files and their",
    ),
    "manifest of numbers": (
        lambda f: (f / "manifest.json").write_text('{"weights.bin": 1}'),
        "is not a table of",
    ),
    "manifest a folder": (
        lambda f: [(f / "manifest.json").unlink(), (f / "manifest.json").mkdir()],
        "manifest.json",
    ),
    "a link to nowhere": (
        lambda f: (f / "more").symlink_to(f / "nowhere"),
        "more was added after it was saved",
    ),
    "a file instead of the folder": (lambda f: [shutil.rmtree(f), f.touch()], "best is not a folder"),
    "gone": (shutil.rmtree, "manifest.json: not there"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_named(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "best"
    verified_folder.save(folder, writing("하나"))
    spoil, message = DAMAGES[damage]
    spoil(folder)
    found = verified_folder.problem(folder)
    assert found is not None
    assert message in found
    with pytest.raises(UserError, match="cannot be used") as refusal:
        verified_folder.fingerprint(folder)
    assert message in str(refusal.value)
    assert "Train again to replace it" in str(refusal.value)
    verified_folder.save(folder, writing("neu"))
    assert verified_folder.problem(folder) is None


def test_a_signal_while_saving_leaves_the_old_folder_alone(tmp_path: Path) -> None:
    folder = tmp_path / "best"
    verified_folder.save(folder, writing("하나"))

    def write(staging: Path) -> None:
        writing("둘")(staging)
        raise Interrupted(15)

    with pytest.raises(Interrupted):
        verified_folder.save(folder, write)
    assert content(folder) == "하나"
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_any_flipped_bit_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "best"
    verified_folder.save(folder, lambda staging: (staging / "w").write_bytes(bytes(range(16))) and None)
    for name in ("w", "manifest.json"):
        original = (folder / name).read_bytes()
        for position in range(len(original)):
            for bit in range(8):
                spoilt = bytearray(original)
                spoilt[position] ^= 1 << bit
                (folder / name).write_bytes(spoilt)
                # White space between the manifest's entries carries nothing.
                harmless = name == "manifest.json" and chr(original[position]).isspace()
                assert verified_folder.problem(folder) is not None or harmless, (name, position, bit)
        (folder / name).write_bytes(original)
    assert verified_folder.problem(folder) is None


CRASHING = """
import os, signal, sys
from pathlib import Path
from common.core import verified_folder

folder, moment = Path(sys.argv[1]), int(sys.argv[2])
calls = 0
real = Path.rename

def rename(self, target):
    global calls
    calls += 1
    if calls == moment:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, target)

Path.rename = rename
verified_folder.save(folder, lambda staging: (staging / "state.txt").write_text("new") and None)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("moment", "left"), [(1, "old"), (2, "old"), (3, "new")])
def test_a_crash_around_the_renames_leaves_the_old_or_the_new(tmp_path: Path, moment: int, left: str) -> None:
    folder = tmp_path / "best"
    prints = {
        "old": verified_folder.save(
            folder, lambda staging: (staging / "state.txt").write_text("old") and None
        )
    }
    prints["new"] = verified_folder.save(
        tmp_path / "x", lambda staging: (staging / "state.txt").write_text("new") and None
    )

    def crash(at: int) -> None:
        command = [sys.executable, "-c", CRASHING, str(folder), str(at)]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr

    crash(moment)
    if moment == 2:
        assert not folder.exists()  # between the two renames; the next reader puts the old one back
    assert verified_folder.fingerprint(folder) == prints[left]
    crash(moment)
    crash(1)  # the next save finds what two crashes left, and crashes too
    assert verified_folder.fingerprint(folder) == prints[left]
    assert (
        verified_folder.save(folder, lambda staging: (staging / "state.txt").write_text("new") and None)
        == prints["new"]
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best", "x"]


SAVING = """
import sys
from pathlib import Path
from common.core import verified_folder
from common.training import checkpoints

folder = Path(sys.argv[1])
number = 0
while True:
    number += 1
    def write(staging):
        for name in "abc":
            (staging / name).write_text(f"{number}\\n" * 2000)
    verified_folder.save(folder, write)
    newest = checkpoints.step_folder(folder.parent / "steps", number)
    verified_folder.save(newest, write)
    checkpoints.prune(folder.parent / "steps", newest, 2)
"""


def test_kill_9_amid_saving_always_leaves_an_intact_one(tmp_path: Path) -> None:
    folder, steps = tmp_path / "best", tmp_path / "steps"
    for delay in (0.0, 0.003, 0.007, 0.013, 0.029):
        process = subprocess.Popen([sys.executable, "-c", SAVING, str(folder)], cwd=REPOSITORY)
        while not checkpoints.steps(steps):
            assert process.poll() is None
            time.sleep(0.001)
        time.sleep(delay)
        process.kill()
        process.wait()
        verified_folder.fingerprint(folder)
        newest = newest_intact(steps)
        assert newest is not None
        (number,) = {path.read_text().split()[0] for path in newest.iterdir() if path.name in "abc"}
        assert newest.name == f"step-{int(number):08d}"
        assert len(checkpoints.steps(steps)) <= 3
        shutil.rmtree(steps)


def no_space(staging: Path) -> None:
    (staging / "half").write_text("half", encoding="utf-8")
    with Path("/dev/full").open("w", encoding="utf-8") as handle:
        handle.write("x" * 100_000)


WRITERS: dict[str, Callable[[Path], None]] = {
    "No space left on device": no_space,
    "a text file": lambda staging: (staging / "a").write_text("x" * 50_000) and None,
    "torch.save": lambda staging: torch.save({"a": torch.zeros(20_000)}, staging / "optimizer.bin"),
    "safetensors": lambda staging: save_file({"a": torch.zeros(20_000)}, staging / "model.safetensors"),
    "tokenizers": lambda staging: Tokenizer(WordLevel({f"{i}": i for i in range(3_000)})).save(
        str(staging / "a.json")
    ),
    "the manifest": lambda staging: [(staging / f"{i:03d}").touch() for i in range(300)] and None,
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_leaves_the_previous_one_intact(tmp_path: Path, writer: str) -> None:
    folder = tmp_path / "step-00000001"
    first = verified_folder.save(folder, writing("하나"))
    before = files(tmp_path)
    with (
        full_disk(10_000),
        pytest.raises(UserError, match=r"saving failed \(.+\); [\d.]+ [kMG]?B are free there") as refusal,
    ):
        verified_folder.save(folder, WRITERS[writer])
    assert str(refusal.value).endswith(
        "What was there before is unchanged: make room and run the same command again."
    )
    if writer == "No space left on device":
        assert writer in str(refusal.value)
    assert files(tmp_path) == before
    assert verified_folder.fingerprint(folder) == first
    none = r"saving failed .*free there\. No incomplete files are left: make room and run"
    with full_disk(10_000), pytest.raises(UserError, match=none):
        verified_folder.save(tmp_path / "new" / "step-00000002", WRITERS[writer])
    assert newest_intact(tmp_path / "new") is None
    verified_folder.save(folder, writing("둘"))
    assert content(folder) == "둘"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UserError, match="saving failed"):
            verified_folder.save(tmp_path / "best", writing("하나"))
    finally:
        tmp_path.chmod(0o700)


def test_a_writers_own_mistake_is_not_called_a_full_disk(tmp_path: Path) -> None:
    def write(staging: Path) -> None:
        raise KeyError("optimizer")

    with pytest.raises(KeyError, match="optimizer"):
        verified_folder.save(tmp_path / "best", write)
    assert not list(tmp_path.iterdir())


BUILDING = """
import os, signal, sys, time
from pathlib import Path
from common.core.verified_folder import build_once

def write(staging):
    (staging / "half").write_text("half")
    print("ready", flush=True)
    time.sleep(600)

build_once(Path(sys.argv[1]), write)
"""


def test_what_a_killed_build_left_is_removed_by_the_next_build_beside_it(tmp_path: Path) -> None:
    builds = {}
    for name in ("alive", "dead"):
        command = [sys.executable, "-c", BUILDING, str(tmp_path / name)]
        builds[name] = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        assert builds[name].stdout.readline() == "ready\n"
    try:
        builds["dead"].kill()
        builds["dead"].wait()
        verified_folder.build_once(tmp_path / "new", lambda staging: (staging / "a").write_text("a") and None)
        folders = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
        assert folders == [".staging-alive", "new"]
        assert (tmp_path / ".staging-alive" / "half").read_text() == "half"
    finally:
        builds["alive"].kill()
        builds["alive"].wait()


def test_an_old_folder_that_is_the_only_complete_one_stays(tmp_path: Path) -> None:
    verified_folder.save(tmp_path / "a", lambda staging: (staging / "a").write_text("a") and None)
    (tmp_path / "a").rename(tmp_path / ".old-a")  # a replacement that was killed between its two renames
    verified_folder.build_once(tmp_path / "b", lambda staging: (staging / "b").write_text("b") and None)
    assert verified_folder.fingerprint(tmp_path / "a")
