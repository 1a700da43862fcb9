"""The cache file: broken, not writable, on a full disk."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common import llm
from common.core.errors import UserError
from common.llm import cache as llm_cache
from common.llm.cache import Cache, Stored
from tests.support import scripted_server
from tests.support.disk import immutable, mounted
from tests.support.llm_world import config, no_check, questions, stored


def ask(path: Path) -> None:
    llm.ask(questions(2), config("loopback:"), no_check, cache=path)


def test_commits_reach_the_file_at_once_and_the_disk_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(llm_cache, "_SYNC", 0.0)
    cache = Cache(tmp_path / "new" / "c.sqlite")
    assert cache._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert cache._connection.execute("PRAGMA synchronous").fetchone() == (1,)  # NORMAL
    first = cache.put("a", Stored("하나", "stop", 1, 2))
    assert cache.put("a", Stored("둘", "stop", 3, 4)) == first == cache.get("a")
    second = cache.put("a", Stored("셋", "stop", 5, 6), replace=True)
    assert second == cache.get("a") == Stored("셋", "stop", 5, 6)
    assert stored(tmp_path / "new" / "c.sqlite") == {"a": "셋"}  # another connection sees it
    assert cache.get_all(["b", "a"]) == {"a": second}
    cache.close()
    assert set(synced) == {str(tmp_path / "new" / "c.sqlite-wal")}
    assert len(synced) == 3  # a commit each, since none waits for company here


def test_a_file_that_is_no_cache_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes("이것은 데이터베이스가 아니다\n".encode() * 200)
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"c\.sqlite: the cache of answers is damaged .*restore a copy"):
        ask(path)
    assert path.read_bytes() == before


def test_a_damaged_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    llm.ask(questions(60), config("loopback:"), no_check, cache=path)
    content = bytearray(path.read_bytes())
    content[4096 : len(content)] = b"\x55" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"c\.sqlite: the cache of answers is damaged .*restore a copy"):
        ask(path)


def test_another_format_is_named(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "c.sqlite")
    connection.execute("PRAGMA user_version=9")
    connection.close()
    with pytest.raises(UserError, match=r"another version of this repository \(format 9, wanted 1\)"):
        ask(tmp_path / "c.sqlite")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(
        UserError, match=r"file/c\.sqlite: the cache of answers cannot be written \(.*make its folder"
    ):
        ask(tmp_path / "file" / "c.sqlite")
    with pytest.raises(
        UserError, match=r"folder\.sqlite: the cache of answers cannot be used \(unable to open"
    ):
        ask(tmp_path / "folder.sqlite")


def test_a_full_disk_stops_with_one_message_and_keeps_what_was_written(
    tmp_path: Path, start: Callable[..., Any]
) -> None:
    with scripted_server.serve() as server:
        client = start(server.url, 200, largest_file=200_000, config={"workers": 4})
        _, errors = client.output()
        assert client.wait() == 1
        last = errors.strip().splitlines()[-1]
        assert last.startswith("error: cache.sqlite: the cache of answers cannot be used (")
        assert "free some space" in last
        assert "Traceback" not in errors
        kept = len(stored(tmp_path / "cache.sqlite"))
        assert 0 < kept < 200
        assert f"{kept} of 200 answers are kept" in last
        assert server.answered.total() - kept <= 4
        whole = start(server.url, 200)
        assert whole.wait() == 0, whole.output()
        assert server.answered.total() <= 200 + 4


def test_answers_that_are_paid_when_the_disk_runs_full_are_kept(
    tmp_path: Path, start: Callable[..., Any]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "600k"), scripted_server.serve() as server:
        kept, lines = 0, []
        for _ in range(2):  # each start finds the room that closing the file has made
            client = start(server.url, 3000, config={"workers": 4}, cache=str(disk / "c.sqlite"))
            errors = client.output()[1]
            assert client.wait() == 1
            assert "Traceback" not in errors
            lines.append(errors.strip().splitlines()[-1])
            kept = len(stored(disk / "c.sqlite"))
            assert server.answered.total() == kept  # no answer was paid for and lost
            assert sorted(path.name for path in disk.iterdir() if path.suffix == ".tmp") == []
        assert 0 < kept < 3000
        assert lines[0].startswith(
            "error: disk/c.sqlite: the cache of answers cannot be used (database or disk is full)"
        )
        assert " of 3000 answers are kept" in lines[0]


def test_nothing_is_asked_without_room_for_the_answers(tmp_path: Path, start: Callable[..., Any]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "160k"), scripted_server.serve() as server:
        client = start(server.url, 5, config={"workers": 4}, cache=str(disk / "c.sqlite"))
        last = client.output()[1].strip().splitlines()[-1]
        assert client.wait() == 1
        assert last.startswith(
            "error: disk/c.sqlite: no room for new answers (No space left on device; wanted 131,072 bytes"
        )
        assert server.answered.total() == 0


def test_a_cache_that_may_only_be_read_is_used_and_nothing_new_is_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "c.sqlite"
    with scripted_server.serve() as server:
        first, _ = llm.ask(questions(2), config(server.url), no_check, cache=path)
        asked = server.answered.total()
        with immutable(path):
            again, usage = llm.ask(questions(2), config(server.url), no_check, cache=path)
            assert [answer.text for answer in again] == [answer.text for answer in first]
            assert (usage.calls, usage.cached) == (0, 2)
            warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
            [line] = [line for line in warnings if "cannot be written" in line]
            assert "c.sqlite: cannot be written (attempt to write a readonly database)" in line
            with pytest.raises(UserError, match=r"c\.sqlite: .*so new answers would be paid for and lost"):
                llm.ask(questions(3), config(server.url), no_check, cache=path)
        assert server.answered.total() == asked


def test_the_room_that_a_killed_process_held_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "llm.sqlite"
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom common.core.temporary import temporary_file\n"
    )
    script += "print(temporary_file(Path(sys.argv[1])), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    ended = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False
    )
    left = Path(ended.stdout.strip())
    assert left.exists()
    Cache(path)
    assert not left.exists()
