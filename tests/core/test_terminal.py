"""The width of text in columns, lines that fit, and the line that reports an error."""

import sys

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
