"""Know the terminal behind stdout: its width, whether it shows colours, and text wrapped to fit it.

Standard library only: common/cli/make.py uses it before anything is installed.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from typing import TextIO

from common.core.language import translated

USUAL, NARROWEST = 80, 40  # columns
_BLANK = " "
_CODES = {"red": 31, "green": 32, "yellow": 33, "cyan": 36}
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def width() -> int | None:
    """Return the number of columns of the terminal, at least 40; None in a pipe or a file, where lines may be of any length.

    The environment variable COLUMNS counts first, also in a pipe, when it is a positive number.
    """
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and 0 < len(given) < 6 and int(given):
        return max(NARROWEST, int(given))
    try:
        return max(NARROWEST, os.get_terminal_size(sys.stdout.fileno()).columns or USUAL)
    except (OSError, ValueError, AttributeError):
        return None


def coloured(stream: TextIO | None = None) -> bool:
    """Return True when the stream (default: stdout) is a terminal that shows colours; never when NO_COLOR is set.

    Source: https://no-color.org
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return (stream or sys.stdout).isatty()
    except (ValueError, AttributeError):  # closed, or none at all
        return False


def styled(text: str, colour: str | None = None, *, bold: bool = False, stream: TextIO | None = None) -> str:
    """Return the text in a colour or bold where the stream (default: stdout) shows colours, else the text as it is."""
    codes = [*([_CODES[colour]] if colour else []), *([1] if bold else [])]
    if not codes or not coloured(stream):
        return text
    return "".join(f"\x1b[{code}m" for code in codes) + f"{text}\x1b[0m"


def cells(text: str) -> int:
    """Return the number of columns that a line takes on a terminal: two for Hangul, none for a style or a combining mark."""
    return sum(map(_cells, _STYLE.sub("", text)))


def _cells(sign: str) -> int:
    if unicodedata.category(sign) in ("Mn", "Me", "Cf") or "\u1160" <= sign <= "\u11ff":  # part of a syllable
        return 0
    return 2 if unicodedata.east_asian_width(sign) in ("W", "F") else 1


def fitted(text: str) -> str:
    """Return the text with lines that are too wide for the terminal broken at spaces; unchanged in a pipe.

    A word is never broken. A command to copy is never broken either: one at the end of a line that is too wide
    ("Next: make …") gets a line of its own. The text is translated first, because only whole lines are recognized.
    """
    return wrapped(translated(text))


def wrapped(text: str) -> str:
    """Return the text with lines broken as in `fitted`, but not translated: it already is."""
    columns = width()
    if columns is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in _lines(line, columns))


def _lines(line: str, columns: int) -> list[str]:
    found = _broken(line, columns)
    before, colon, command = line.rpartition(": make ")
    if len(found) == 1 or not colon or ". " in command:
        return found
    return [*_broken(f"{before}:", columns), f"make {command}"]


def _broken(line: str, columns: int) -> list[str]:
    shown = _STYLE.sub("", line)
    if cells(shown) <= columns or shown.lstrip().startswith("make "):
        return [line]
    indent = shown[: len(shown) - len(shown.lstrip())]
    return [indent + part for part in filled(line.strip().split(_BLANK), columns - len(indent))]


def filled(words: list[str], columns: int) -> list[str]:
    """Return the words as lines of at most this number of columns; a word that is wider has a line of its own."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]}{_BLANK}{word}" if lines[-1] else word
        if lines[-1] and cells(longer) > columns:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def say(text: str) -> None:
    """Print text on stdout: in the language that the user chose, then `fitted`."""
    import click

    click.echo(fitted(text))


def error_line(message: object) -> str:
    """Return the line that reports an error on stderr."""
    head, colon, rest = translated(f"error: {message}").partition(":")
    return styled(head + colon, "red", bold=True, stream=sys.stderr) + rest
