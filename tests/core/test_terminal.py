"""The width of text in columns, lines that fit, and the line that reports an error."""

import io
import os
import sys
from pathlib import Path

import pytest

from common.core import terminal


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("plain", 5),
        ("한글 ab", 7),
        ("\u1112\u1161\u11ab", 2),  # the same syllable in parts
        ("e\u0301", 1),
        ("ＡＢ", 4),
        ("\x1b[31m\x1b[1m오류:\x1b[0m x", 7),
        ("a→…", 3),
    ],
)
def test_columns_of_a_text(text: str, columns: int) -> None:
    assert terminal.cells(text) == columns


def test_lines_are_broken_at_spaces_and_keep_their_indent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = "  " + "한글 " * 12 + "x" * 50 + "\nmake " + "y" * 50
    first, *rest = terminal.fitted(text).split("\n")
    assert first == "  " + " ".join(["한글"] * 7)
    assert terminal.cells(first) == 36
    assert rest == ["  " + " ".join(["한글"] * 5), "  " + "x" * 50, "make " + "y" * 50]


def test_an_error_line_is_translated_and_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown() -> str:
        return terminal.error_line("there is no target x. Run make to list all targets.")

    assert shown() == "error: there is no target x. Run make to list all targets."
    monkeypatch.setenv("KDS_LANG", "ko")
    assert shown().startswith("오류: x")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert shown().startswith("\x1b[31m\x1b[1m오류:\x1b[0m x")
    monkeypatch.setenv("KDS_LANG", "en")
    assert terminal.error_line("first: a\nsecond: b") == "\x1b[31m\x1b[1merror:\x1b[0m first: a\nsecond: b"
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown().startswith("error: ")


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ('Run make exp=exp001 train args="--a b", or', ['make exp=exp001 train args="--a b",']),
        ("run make exp=exp001 train infer first", ["make exp=exp001 train infer"]),
        ("먼저 make exp=exp010 train을 실행하세요", ["make exp=exp010 train을"]),
        ("run .venv/bin/wandb login, set A, or use", [".venv/bin/wandb login,"]),
        ("with: .venv/bin/pip install -e '.[track]'. Then", [".venv/bin/pip install -e '.[track]'."]),
        (
            'git add FILE && git commit -m "my work" again',
            ["git add FILE &&", 'git commit -m "my work"'],
        ),
        ("See: python -m common lb --help", ["python -m common lb --help"]),
        ('offline: args="--model FOLDER"', ['args="--model FOLDER"']),
        ("(git ignores it), or run the same command again", []),
    ],
)
def test_a_command_is_one_word(line: str, commands: list[str]) -> None:
    found = terminal.words(line)
    assert " ".join(found) == line
    assert [word for word in found if " " in word] == commands


def test_a_command_that_fits_no_line_is_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    command = ".venv/bin/pip install -c constraints.txt -e '.[track]'"
    assert terminal.fitted(f"wandb is not installed; install it with: {command}").split("\n")[-1] == command
    prose = "there is no such run: make room and run the same command again"
    assert all(terminal.cells(line) <= 40 for line in terminal.fitted(prose).split("\n"))
    command = 'make exp=exp001 train args="…" && make exp=exp001 infer'
    assert terminal.fitted(f"Train it: {command}") == f"Train it:\n{command}"


def test_columns_count_on_stderr_only_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    assert terminal.width() == 50
    with Path(os.devnull).open("w") as file:
        assert terminal.width(file) is None


@pytest.mark.parametrize(("encoding", "start"), [("ascii", "error: "), ("utf-8", "오류: ")])
def test_a_terminal_without_hangul_gets_english(
    monkeypatch: pytest.MonkeyPatch, encoding: str, start: str
) -> None:
    monkeypatch.setenv("KDS_LANG", "ko")
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert terminal.error_line("there is no target x. Run make to list all targets.").startswith(start)
