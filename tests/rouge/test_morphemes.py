"""The disk cache of morphemes: it may be absent, shared, damaged or read-only, and scores stay the same."""

import importlib
import multiprocessing
import os
import sqlite3

import pytest

from common.rouge.morphemes import Morphemes, cache_path
from tests.support.disk import full_disk

TEXTS = [
    "#Person1#은 오늘 기분이 좋다.",
    "회의가 3시로 미뤄졌다.",
    "가\u00a0나\u3000다",
    "",
    " ",
    "가\x00나",
    "\ud800가",
    "韓國 😀",
]


@pytest.fixture
def fresh() -> list[list[str]]:
    return Morphemes("mecab", "off").tokenize_all(TEXTS)


def test_the_name_says_analyser_and_dictionary():
    assert Morphemes("mecab", "off").name == "mecab-ko-1.0.3+dic-1.0.0"


def test_morphemes_of_a_known_sentence(fresh):
    assert fresh[1] == ["회의", "가", "3", "시", "로", "미뤄졌", "다", "."]
    assert fresh[2] == ["가", "\u00a0", "나", "\u3000", "다"]
    assert fresh[3:5] == [[], []]


def test_second_read_comes_from_disk_and_is_equal(tmp_path, fresh, monkeypatch):
    assert Morphemes("mecab", tmp_path).tokenize_all(TEXTS) == fresh
    again = Morphemes("mecab", tmp_path)
    monkeypatch.setattr(again, "tokenize", lambda text: pytest.fail("asked the analyser for a cached text"))
    assert again.tokenize_all(TEXTS) == fresh


def test_a_damaged_row_is_not_believed(tmp_path, fresh):
    tokenizer = Morphemes("mecab", tmp_path)
    tokenizer.tokenize_all(TEXTS)
    with sqlite3.connect(tokenizer.path) as connection:
        connection.execute("UPDATE morphemes SET tokens = '틀린' || tokens")
    connection.close()
    assert Morphemes("mecab", tmp_path).tokenize_all(TEXTS) == fresh


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 100])
def test_a_damaged_file_is_ignored(tmp_path, fresh, content):
    tokenizer = Morphemes("mecab", tmp_path)
    tokenizer.path.write_bytes(content)
    assert tokenizer.tokenize_all(TEXTS) == fresh


def test_a_truncated_file_is_ignored(tmp_path, fresh):
    tokenizer = Morphemes("mecab", tmp_path)
    tokenizer.tokenize_all([*TEXTS, *(f"문장 {n}" for n in range(3000))])
    tokenizer.path.write_bytes(tokenizer.path.read_bytes()[:-30_000])
    assert Morphemes("mecab", tmp_path).tokenize_all(TEXTS) == fresh


def test_an_unwritable_place_is_no_obstacle(tmp_path, fresh):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert Morphemes("mecab", blocked / "cache").tokenize_all(TEXTS) == fresh


def test_a_cache_that_cannot_be_written_is_told_once(tmp_path, fresh, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    for _ in range(3):
        assert Morphemes("mecab", blocked / "cache").tokenize_all(TEXTS) == fresh
    [record] = caplog.records
    assert f"{blocked}/cache/morphemes-" in record.getMessage()
    assert "are not cached" in record.getMessage()
    assert "scores stay the same" in record.getMessage()


def test_a_full_disk_is_no_obstacle(tmp_path, fresh, caplog):
    with full_disk(2000):
        assert Morphemes("mecab", tmp_path).tokenize_all(TEXTS) == fresh
    assert "are not cached" in caplog.text
    assert Morphemes("mecab", tmp_path).tokenize_all(TEXTS) == fresh


KERNEL = """
from common.rouge.kernels import compiled

@compiled
def {name}(x):
    return x + 1
"""


def test_compiled_code_that_cannot_be_cached_still_runs(tmp_path, monkeypatch, caplog):
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("first_kernel", "second_kernel"):
        (tmp_path / f"{name}.py").write_text(KERNEL.format(name=name))
        with full_disk(100):
            assert getattr(importlib.import_module(name), name)(41) == 42
    [record] = caplog.records  # once for both
    assert "compiled code is not cached ([Errno 27] File too large)" in record.getMessage()


def test_a_read_only_folder_is_still_read(tmp_path, fresh, monkeypatch):
    Morphemes("mecab", tmp_path).tokenize_all(TEXTS)
    for path in (next(tmp_path.glob("*.sqlite")), tmp_path):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        reader = Morphemes("mecab", tmp_path)
        monkeypatch.setattr(
            reader, "tokenize", lambda text: pytest.fail("asked the analyser for a cached text")
        )
        assert reader.tokenize_all(TEXTS) == fresh
    finally:
        tmp_path.chmod(0o755)


def _fill(folder: str, first: int, queue: "multiprocessing.Queue[bool]") -> None:
    texts = [f"문장 {n}번을 읽었다." for n in range(first, first + 400)]
    alone = Morphemes("mecab", "off").tokenize_all(texts)
    queue.put(all(Morphemes("mecab", folder).tokenize_all(texts) == alone for _ in range(5)))


def test_two_processes_share_one_cache(tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=_fill, args=(str(tmp_path), first, queue)) for first in (0, 200)]
    for worker in workers:
        worker.start()
    assert [queue.get(timeout=60) for _ in workers] == [True, True]
    for worker in workers:
        worker.join()
    with sqlite3.connect(next(tmp_path.glob("*.sqlite"))) as connection:
        assert connection.execute("SELECT count(*) FROM morphemes").fetchone() == (600,)
    connection.close()


def test_where_the_cache_lives(monkeypatch, tmp_path):
    monkeypatch.delenv("KDS_CACHE", raising=False)
    assert cache_path("x").parent.name == ".cache"
    monkeypatch.setenv("KDS_CACHE", str(tmp_path))
    assert cache_path("x") == tmp_path / "morphemes-x.sqlite"
    assert cache_path("x", tmp_path / "other").parent == tmp_path / "other"
    monkeypatch.setenv("KDS_CACHE", "off")
    assert cache_path("x") is None
    assert os.environ["KDS_CACHE"] == "off"


def test_kiwi_when_installed(tmp_path):
    pytest.importorskip("kiwipiepy", reason="kiwi is an optional extra")
    tokenizer = Morphemes("kiwi", tmp_path)
    assert tokenizer.name.startswith("kiwi-")
    assert tokenizer.tokenize_all(["회의가 미뤄졌다."]) == tokenizer.tokenize_all(["회의가 미뤄졌다."])
