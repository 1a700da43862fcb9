"""All data files are replaced or none, wherever `make data` is killed, and the active competition belongs to them."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.data import replace_files
from common.data.competition import Competition
from common.data.competition_file import active_competition, load_competition, set_active_competition
from common.data.import_files import import_data
from tests.support.competition_files import GOOD, SUMMARY, fill, snapshot
from tests.support.disk import mounted

START = """
import os, signal, sys
from pathlib import Path
from common.data import replace_files
from common.data.competition_file import load_competition
from common.data.import_files import import_data

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def impossible(a, b):
    raise OSError(22, "Invalid argument")

def import_from(source):
    import_data(load_competition("tiny"), Path(source))
"""


def other(folder: Path) -> Path:
    """Write a second version of the files, each of them different from the first."""
    fill(folder / "data")
    for path in (folder / "data").iterdir():
        text = path.read_text(encoding="utf-8")
        path.write_text(
            text.replace("깜빡했어", "버스에 뒀어").replace("없음", "빈칸").replace("일,이", "하나,둘"),
            encoding="utf-8",
        )
    assert all(
        (folder / "data" / f"{name}.csv").read_text(encoding="utf-8") != text for name, text in GOOD.items()
    )
    return folder


def version(tiny: Competition, old: Path, new: Path) -> str:
    """Return which version all the files are of, read straight from the folder."""
    found = {name: (tiny.folder / "data" / f"{name}.csv").read_bytes() for name in GOOD}
    for label, folder in (("old", old), ("new", new)):
        if all(content == (folder / "data" / f"{name}.csv").read_bytes() for name, content in found.items()):
            return label
    raise AssertionError("files of two versions")


def started(script: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", START + script, *arguments], stdout=subprocess.PIPE, text=True
    )


def killed(script: str, *arguments: str) -> None:
    process = started(script, *arguments)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def leftovers(tiny: Competition) -> list[str]:
    names = [*tiny.folder.iterdir(), *(tiny.folder / "data").iterdir()]
    return [path.name for path in names if path.name.startswith(".")]


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    return other(tmp_path / "newer")


def test_kills_at_random_instants_leave_one_version(tiny: Competition, source: Path, newer: Path) -> None:
    (tiny.folder / "data" / "notes.txt").write_text("mine")
    loop = "while True:\n    for source in sys.argv[1:]:\n        import_from(source)\n        print('done', flush=True)\n"
    rng = random.Random(7)
    seen = set()
    for number in range(20):
        process = started(loop, str(source), str(newer))
        assert process.stdout is not None
        for _ in range(1 + number % 2):
            process.stdout.readline()
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.wait()
        seen.add(version(tiny, source, newer))
        assert (tiny.folder / "data" / "notes.txt").read_text() == "mine"
    assert seen == {"old", "new"}
    import_data(load_competition("tiny"), source)
    import_data(load_competition("tiny"), newer)
    assert leftovers(tiny) == []
    assert version(tiny, source, newer) == "new"


def test_a_kill_after_the_exchange_leaves_the_new_files_and_the_new_active_competition(
    tiny: Competition, source: Path, newer: Path
) -> None:
    set_active_competition("daily_talk")
    exchange = "original = replace_files._exchange\nreplace_files._exchange = lambda a, b: (%s)\nimport_from(sys.argv[1])"
    killed(exchange % "die(), original(a, b)", str(newer))
    assert version(tiny, source, newer) == "old"
    assert active_competition() == "daily_talk"
    killed(exchange % "original(a, b), die()", str(newer))
    assert version(tiny, source, newer) == "new"
    assert active_competition() == "tiny"
    set_active_competition("daily_talk")  # the choice made last counts
    assert active_competition() == "daily_talk"
    import_data(load_competition("tiny"), source)
    assert active_competition() == "tiny"
    assert leftovers(tiny) == []


def test_without_an_exchange_the_next_command_completes_a_killed_import(
    tiny: Competition, source: Path, newer: Path
) -> None:
    """Every rename is interrupted once; whoever loads the competition next sees all the old files or all the new ones."""
    script = """
replace_files._exchange = impossible
original, calls = os.replace, 0
def replace(a, b, **options):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        die()
    original(a, b, **options)
os.replace = replace
rename = os.rename
def only_ready(a, b, **options):
    if sys.argv[2] == "0":
        die()
    rename(a, b, **options)
os.rename = only_ready
import_from(sys.argv[1])
"""
    (tiny.folder / "data" / "notes.txt").write_text("mine")
    set_active_competition("daily_talk")
    killed(script, str(newer), "0")
    assert version(load_competition("tiny"), source, newer) == "old"
    assert active_competition() == "daily_talk"
    for at in range(1, 7):  # five files and the marker
        set_active_competition("daily_talk")
        killed(script, str(newer), str(at))
        assert version(load_competition("tiny"), source, newer) == "new"
        assert active_competition() == "tiny"
        import_data(tiny, source)
        assert leftovers(tiny) == []
        assert version(tiny, source, newer) == "old"
    assert (tiny.folder / "data" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("exchange", [True, False])
def test_other_files_stay_as_they_are(
    tiny: Competition, source: Path, newer: Path, exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(replace_files, "_EXCHANGE", 1 << 20)  # the system refuses an unknown flag
    data = tiny.folder / "data"
    (data / "own" / "deep").mkdir(parents=True)
    (data / "own" / "deep" / "a.txt").write_text("a")
    (data / "link").symlink_to("own")
    (data / ".hidden").write_text("h")
    (data / "own").chmod(0o750)
    data.chmod(0o775)
    inode = (data / "own/deep/a.txt").stat().st_ino
    import_data(tiny, newer)
    assert version(tiny, source, newer) == "new"
    assert (data / "own/deep/a.txt").stat().st_ino == inode
    assert (data / "link").is_symlink()
    assert (data / "link/deep/a.txt").read_text() == "a"
    assert (data / ".hidden").read_text() == "h"
    assert (data / "own").stat().st_mode & 0o777 == 0o750
    assert data.stat().st_mode & 0o777 == 0o775
    assert {path.name for path in data.iterdir()} == {
        *(f"{name}.csv" for name in GOOD),
        "own",
        "link",
        ".hidden",
    }
    assert tiny.path("dev").stat().st_mode & 0o777 == 0o644


def test_what_is_written_beside_the_data_meanwhile_is_not_lost(
    tiny: Competition, source: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = replace_files._exchange
    notes = tiny.folder / "data" / "notes.txt"
    notes.write_text("before")

    def meanwhile(home: Path, new: Path) -> None:
        notes.unlink()
        notes.write_text("meanwhile")
        (home / "more.txt").write_text("more")
        original(home, new)

    monkeypatch.setattr(replace_files, "_exchange", meanwhile)
    import_data(tiny, newer)
    assert version(tiny, source, newer) == "new"
    assert notes.read_text() == "meanwhile"
    assert (tiny.folder / "data" / "more.txt").read_text() == "more"


def test_a_data_folder_that_is_a_link_stays_one(
    tiny: Competition, source: Path, newer: Path, tmp_path: Path
) -> None:
    real = tmp_path / "big disk" / "data"
    real.parent.mkdir()
    (tiny.folder / "data").rename(real)
    (tiny.folder / "data").symlink_to(real)
    import_data(tiny, newer)
    assert (tiny.folder / "data").is_symlink()
    assert version(tiny, source, newer) == "new"
    assert [path.name for path in real.parent.iterdir()] == ["data"]


def test_a_data_folder_that_is_mounted(tiny: Competition, source: Path, newer: Path) -> None:
    data = tiny.folder / "data"
    with mounted(data, "1m"):
        fill(data)
        (data / "notes.txt").write_text("mine")
        import_data(tiny, newer)
        assert version(tiny, source, newer) == "new"
        assert (data / "notes.txt").read_text() == "mine"
        assert leftovers(tiny) == []


def test_a_full_disk_changes_nothing(tiny: Competition, source: Path, newer: Path) -> None:
    """The disk has room for one version of the files, but not for a second one."""
    for name in ("train", "dev"):
        text = (newer / "data" / f"{name}.csv").read_text(encoding="utf-8")
        (newer / "data" / f"{name}.csv").write_text(text.replace(SUMMARY, SUMMARY * 2000), encoding="utf-8")
    disk = tiny.folder.parent
    kept = disk.with_name("kept")
    disk.rename(kept)
    disk.mkdir()
    with mounted(disk, "200k"):
        shutil.copytree(kept / "tiny", disk / "tiny")
        before = snapshot(tiny.folder)
        with pytest.raises(UserError, match="No space left on device"):
            import_data(tiny, newer)
        assert snapshot(tiny.folder) == before


def test_the_same_files_again_replace_nothing(tiny: Competition, source: Path) -> None:
    inode = (tiny.folder / "data").stat().st_ino
    import_data(tiny, source)
    assert (tiny.folder / "data").stat().st_ino == inode
    assert active_competition() == "tiny"
