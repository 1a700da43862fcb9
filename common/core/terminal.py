"""Know the terminal behind stdout or stderr: its width, whether it shows colours, and text wrapped to fit it.

Standard library only: common/cli/make.py uses it before anything is installed.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from typing import TextIO

from common.core.language import translated
from common.core.make_args import where_options_go
from common.core.plurals import agreed

USUAL, NARROWEST = 80, 40  # columns
_BLANK = " "
_CODES = {"red": 31, "green": 32, "yellow": 33, "cyan": 36}
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_GLUE = "\0"
_PART = r"(?:\"[^\"]*\"|'[^']*'|[^\s\"',;:\uac00-\ud7a3])"  # of an argument; quoted, it may contain spaces
_SETTINGS = rf"(?: [a-z_]+={_PART}*)*"
_TARGETS = r"(?:help [a-zA-Z-]+|[a-z][a-z-]*(?: (?:train|infer|score|submit)\b)*)"
_MAKE = rf"make(?:{_SETTINGS} {_TARGETS}{_SETTINGS}|{_SETTINGS})"
_OTHER = (
    r"(?:\.venv[\w-]*/bin/\w+|python[\d.]* -m|torchrun|export|git (?:add|checkout|clone|commit|lfs|pull|push|restore))"
    rf"(?:(?<!\.) (?!&&|(?:again|and|first|for|or|then|to|with)\b|\(){_PART}+)*"
)
_SETTING = r"[a-z_]+=(?:\"[^\"]*\"|'[^']*')"
# The next line may go on after "&&": a shell accepts that.
_COMMAND = re.compile(rf"(?<![\w./-])(?:{_MAKE}|{_OTHER}|{_SETTING})(?: &&)?")
_LAST_COMMAND = re.compile(rf"(.*:) ({_COMMAND.pattern}(?: {_COMMAND.pattern})*)")


def width(stream: TextIO | None = None) -> int | None:
    """Return the number of columns of the terminal behind the stream (default: stdout), at least 40.

    None in a pipe or a file, where lines may be of any length. The environment variable COLUMNS counts first when it is
    a positive number; for stdout also in a pipe.
    """
    try:
        found = os.get_terminal_size((stream or sys.stdout).fileno()).columns or USUAL
    except (OSError, ValueError, AttributeError):
        found = 0
    given = os.environ.get("COLUMNS", "")
    if (found or stream is None) and re.fullmatch("[0-9]{1,5}", given) and int(given):
        found = int(given)
    return max(NARROWEST, found) if found else None


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


def fitted(text: str, stream: TextIO | None = None) -> str:
    """Return the text with lines that are too wide for the stream's terminal broken at spaces; unchanged in a pipe.

    A word is never broken. A command to copy is never broken either: one at the end of a line that is too wide
    ("Next: make …") gets a line of its own. The text is translated first, because only whole lines are recognized.
    """
    return wrapped(spoken_on(stream or sys.stdout, text), stream)


def spoken_on(stream: TextIO, text: str) -> str:
    """Return the text in the user's language, or in English when the stream's encoding lacks the letters of that language."""
    own = translated(text)
    if own == text:
        return agreed(text)
    try:
        own.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return agreed(text)
    return own


def wrapped(text: str, stream: TextIO | None = None) -> str:
    """Return the text with lines broken as in `fitted`, but not translated: it already is."""
    columns = width(stream)
    if columns is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in _lines(line, columns))


def _lines(line: str, columns: int) -> list[str]:
    shown = _STYLE.sub("", line)
    if cells(shown) <= columns:
        return [line]
    if found := _LAST_COMMAND.fullmatch(line):
        return [*_lines(found[1], columns), found[2]]
    indent = shown[: len(shown) - len(shown.lstrip())]
    return [indent + part for part in filled(words(line.strip()), columns - len(indent))]


def words(line: str) -> list[str]:
    """Return the words of a line; a command to copy counts as one."""
    glued = _COMMAND.sub(lambda found: found[0].replace(_BLANK, _GLUE), line)
    return [word.replace(_GLUE, _BLANK) for word in glued.split(_BLANK)]


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


def say_next(command: str) -> None:
    """Print the command that usually comes next, as the last line of what a command says."""
    say(f"Next: {command}")


def error_line(message: object) -> str:
    """Return the text that reports an error on stderr, in the user's language; one line, unless a terminal is too narrow."""
    text = f"error: {message}"
    head, colon, rest = spoken_on(sys.stderr, text + where_options_go(text)).partition(":")
    return wrapped(styled(head + colon, "red", bold=True, stream=sys.stderr) + rest, sys.stderr)
