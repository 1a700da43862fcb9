"""Files are whole or absent: after a failure the old content stands and nothing is left behind."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.core.errors import UserError
from common.core.files import (
    atomic_path,
    read_json,
    root,
    sha256_file,
    sha256_files,
    sha256_texts,
    shown,
    write_json,
    write_text,
)
from common.core.json_lines import append_line, read_lines, repair_last_line
from tests.support.disk import full_disk


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_root_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert root() == tmp_path.resolve()
    assert shown(tmp_path / "a" / "b.csv") == "a/b.csv"
    assert shown(Path("/elsewhere/b.csv")) == "/elsewhere/b.csv"
    monkeypatch.delenv("KDS_ROOT")
    assert (root() / "common" / "core" / "files.py").is_file()


def test_text_is_written_as_given_and_readable_by_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    write_text(path, "가\r\n나\n")
    assert path.read_bytes() == "가\r\n나\n".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    assert names(path.parent) == ["a.txt"]


def test_json_is_readable_hangul(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"말": ["가", 1]})
    assert "말" in (tmp_path / "a.json").read_text(encoding="utf-8")
    assert read_json(tmp_path / "a.json") == {"말": ["가", 1]}


@pytest.mark.parametrize("failure", [RuntimeError("bug"), KeyboardInterrupt(), UserError("refused")])
def test_a_failure_inside_leaves_the_old_file(tmp_path: Path, failure: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(failure)), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise failure
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    message = r"a\.txt: .*No space left on device.*nothing was changed"
    with pytest.raises(UserError, match=message), atomic_path(path):
        raise OSError(28, os.strerror(28))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match=r"taken/a\.txt: cannot be written"):
        write_text(tmp_path / "taken" / "a.txt", "x")
    assert names(tmp_path) == ["taken"]


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(UserError, match=r"a\.txt: writing failed"):
        write_text(tmp_path / "a.txt", "x")
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("content", "part"),
    [(None, "not there"), (b"{", "not valid JSON"), (b"\xff\xfe", "not valid JSON"), (b"", "not valid JSON")],
)
def test_json_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, part: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=rf"a\.json: {part}"):
        read_json(path)


def test_lines_come_back_and_a_torn_last_one_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "deep" / "a.jsonl"
    assert read_lines(path) == []
    append_line(path, {"n": 1, "text": "가\u2028나\n"})
    append_line(path, {"n": 2})
    whole = path.read_bytes()
    for cut in range(len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert read_lines(path) == [{"n": 1, "text": "가\u2028나\n"}]
        caplog.clear()
        append_line(path, {"n": 3})
        assert [line["n"] for line in read_lines(path)] == [1, 3]
        if cut > len(whole) - 8:  # at the first cut the line is missing as a whole
            assert "a.jsonl: its last line was torn by a crash" in caplog.text


def test_a_last_line_that_only_lacks_its_newline_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": 2}')
    assert [line["n"] for line in read_lines(path)] == [1, 2]
    append_line(path, {"n": 3})
    assert path.read_bytes() == b'{"n": 1}\n{"n": 2}\n{"n": 3}\n'
    path.write_bytes(b'{"n": 1}')
    repair_last_line(path)
    assert path.read_bytes() == b'{"n": 1}\n'
    assert caplog.text == ""


@pytest.mark.parametrize("torn", [b"12", b"tru", b"[1, 2", b'"a', b"\xea\xb0", b"\0\0\0"])
def test_a_torn_line_is_never_taken_for_a_value(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": 1}\n' + torn)
    assert read_lines(path) == [{"n": 1}]
    append_line(path, {"n": 2})
    assert [line["n"] for line in read_lines(path)] == [1, 2]


def test_a_line_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    append_line(path, {"n": 1})
    before = path.read_bytes()
    with full_disk(len(before) + 40), pytest.raises(UserError, match=r"a\.jsonl: cannot be written"):
        append_line(path, {"n": 2, "text": "x" * 100})
    assert path.read_bytes() == before


def test_mending_leaves_whole_and_absent_files_alone(tmp_path: Path) -> None:
    repair_last_line(tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()
    (tmp_path / "a.jsonl").write_bytes(b'{"n": 1}\n')
    repair_last_line(tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == b'{"n": 1}\n'


@pytest.mark.parametrize("line", [b"{broken", b"\xff", b""])
def test_a_broken_line_before_the_last_is_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"n": 1}\n' + line + b'\n{"n": 3}\n')
    with pytest.raises(UserError, match=r"a\.jsonl:2: not valid JSON"):
        read_lines(tmp_path / "a.jsonl")


def test_appending_where_nothing_can_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(UserError, match=r"a\.jsonl: cannot be written"):
        append_line(tmp_path / "a.jsonl", {})


def test_boundaries_between_texts_count() -> None:
    assert sha256_texts(["ab", "c"]) != sha256_texts(["a", "bc"]) != sha256_texts(["abc"])
    assert sha256_texts([]) != sha256_texts([""])
    assert sha256_texts(iter(["가"])) == sha256_texts(["가"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(values=st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), max_size=4))
def test_any_values_survive_append_and_read(tmp_path: Path, values: list[dict[str, object]]) -> None:
    path = tmp_path / "a.jsonl"
    path.unlink(missing_ok=True)
    for value in values:
        append_line(path, value)
    assert read_lines(path) == json.loads(json.dumps(values))


@pytest.mark.parametrize(
    "content", [b"\0" * 4096, "{}\n".encode("utf-32"), "{}".encode("utf-16"), b"\x89PNG"]
)
def test_what_is_no_json_lines_file_is_neither_empty_nor_repaired(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.jsonl"):
        read_lines(path)
    if b"\n" not in content:
        with pytest.raises(UserError, match="wanted lines of JSON"):
            append_line(path, {"n": 1})
        assert path.read_bytes() == content


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le"])
def test_json_of_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"n": 1}', encoding=encoding)
    with pytest.raises(UserError, match=r"a\.json"):
        read_json(path)


def test_several_files_are_hashed_as_each_alone(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.bin" for number in range(20)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * (number * 300_000))
    assert sha256_files(paths) == [sha256_file(path) for path in paths]
    assert sha256_files([]) == []
    paths[7].unlink()
    with pytest.raises(OSError, match=r"7\.bin"):
        sha256_files(paths)
