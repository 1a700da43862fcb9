"""What is no regular file, or holds numbers and nesting that nothing can use, is one line and never a hang."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from annotated_types import Ge

from common.core.errors import UserError
from common.core.files import kind_of, parse_json, read_json, read_regular, sha256_file, shown
from common.core.json_lines import append_line, read_lines
from common.core.toml_table import TomlTable, read_toml
from tests.support import odd_files


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))


def one_line(call: Callable[[], object], *parts: str) -> None:
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 500
    for part in parts:
        assert part in message


@pytest.mark.parametrize("kind", odd_files.KINDS)
def test_every_reader_refuses_what_is_no_file(tmp_path: Path, kind: str) -> None:
    path, wanted = odd_files.make(kind, tmp_path / "x"), odd_files.KINDS[kind]
    for reader in (read_json, read_lines, read_toml):
        one_line(lambda reader=reader: reader(path), "x: cannot be read", wanted)  # type: ignore[misc]
    with pytest.raises(OSError, match=wanted):
        read_regular(path)
    with pytest.raises(OSError, match=wanted):
        sha256_file(path)
    if kind != "broken link":  # the linked file is created
        one_line(lambda: append_line(path, {}), "x: cannot be written", wanted)


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    one_line(lambda: read_json(tmp_path / ("a" * 300)), "File name too long")
    one_line(lambda: read_json(tmp_path / "a\0b"), "a\\x00b: cannot be read (the name has a NUL byte")
    one_line(lambda: read_json(tmp_path / "a\n\x1b[2J"), "a\\n\\x1b[2J: not there")
    (tmp_path / "file").touch()
    one_line(lambda: read_json(tmp_path / "file" / "x"), "Not a directory")
    assert kind_of(tmp_path / "file" / "x") == kind_of(tmp_path / "none") == ""
    assert (kind_of(tmp_path), kind_of(tmp_path / "file")) == ("folder", "file")
    (tmp_path / "loop").symlink_to("loop")
    assert shown(tmp_path / "loop") == "loop"


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1234")
    assert read_regular(tmp_path / "x", 4) == b"1234"
    with pytest.raises(OSError, match="it has 4 bytes, wanted at most 3"):
        read_regular(tmp_path / "x", 3)
    with (tmp_path / "big.toml").open("wb") as handle:
        handle.truncate(1 << 40)  # a sparse file: it takes no room
    one_line(lambda: read_toml(tmp_path / "big.toml"), "1,099,511,627,776 bytes, wanted at most 262,144")
    one_line(lambda: read_json(tmp_path / "big.toml"), "wanted at most 1,073,741,824")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 100_000, "nested over 100 levels"),
        ("[" * 900 + "]" * 900, "nested over 100 levels"),
        ('{"a":' * 900 + "1" + "}" * 900, "nested over 100 levels"),
        ("9" * 400, "an integer of 400 digits"),
        ('{"a": [-' + "9" * 5000 + "]}", "an integer of 5,001 digits"),
        ("{", "Expecting property name"),
    ],
)
def test_json_that_nothing_can_use(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    one_line(lambda: read_json(path), f"x.json: not valid JSON ({problem}")
    path.write_text("{}\n" + text + "\n")
    one_line(lambda: read_lines(path), f"x.json:2: not valid JSON ({problem}")


def test_json_that_is_used_stays_as_it_is(tmp_path: Path) -> None:
    state = 2**128 - 1  # numpy's generators have states of 128 bits
    assert parse_json(f'{{"state": {state}, "x": [1.5, "{"[" * 500}"]}}') == {
        "state": state,
        "x": [1.5, "[" * 500],
    }
    (tmp_path / "x.jsonl").write_text("5\n")
    one_line(lambda: read_lines(tmp_path / "x.jsonl"), "x.jsonl:1:", "it is no object")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = " + "[" * 5000, "nested too deeply"),
        ("x = " + "[" * 50 + "]" * 50, "nested over 20 levels"),
        (".".join("a" * 900) + " = 1", "nested over 20 levels"),
        (".".join("a" * 100_000) + " = 1", "nested over 20 levels"),
        ("x = " + "9" * 400, "the integer of 'x' does not fit into 64 bits"),
        ("x = " + "9" * 5000, "an integer has too many digits"),
        ("[a]\nx = [1, 0x" + "f" * 5000 + "]", "the integer of 'x' does not fit into 64 bits"),
        ("x = \x1b", "Invalid value"),
    ],
)
def test_toml_that_nothing_can_use(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "x.toml").write_text(text)
    one_line(lambda: read_toml(tmp_path / "x.toml"), f"x.toml: is not valid TOML: {problem}")


@pytest.mark.parametrize(
    "value", ["[]", "[[]]", "{}", "{a = 1}", "1979-05-27", "true", "1e999", "nan", "5", '"\\u001b[2J"', "'" + "a" * 9000 + "'"]
)  # fmt: skip
def test_a_value_of_any_wrong_type_is_one_line(tmp_path: Path, value: str) -> None:
    (tmp_path / "x.toml").write_text(f"x = {value}\nlong = {value}\n")
    content = read_toml(tmp_path / "x.toml")

    def table() -> TomlTable:
        return TomlTable(tmp_path / "x.toml", "", content)

    one_line(lambda: table().choice("x", ("a", "b")), 'x.toml: key "x" is', 'wanted one of "a", "b"')
    if value != "[]":
        one_line(lambda: table().several("x", str, "strings"), 'key "x" is', "wanted a list of strings")
    if value != "5":
        one_line(lambda: table().number("x", Annotated[int, Ge(0)]), 'key "x" is', "wanted a whole number")
        one_line(lambda: table().take("x", (int, float), "a number"), 'key "x" is', "wanted a number")
    if not value.startswith("{"):
        one_line(lambda: table().sub("x"), 'key "x" is', "wanted a table")
    one_line(table().done, "is unknown")


CONFLICT = "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> mine\n"


def test_a_merge_conflict_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{\n" + CONFLICT.format('"score": 1', '"score": 2') + "}\n")
    (tmp_path / "a.toml").write_text('name = "a"\n' + CONFLICT.format("seed = 1", "seed = 2"))
    for name, reader in (("a.json", read_json), ("a.toml", read_toml)):
        with pytest.raises(
            UserError, match=rf"{name}:2: a merge conflict of git; .* and one of the two sides\.$"
        ):
            reader(tmp_path / name)
    (tmp_path / "b.toml").write_text('text = """\n=======\n"""\n')
    assert read_toml(tmp_path / "b.toml") == {"text": "=======\n"}
