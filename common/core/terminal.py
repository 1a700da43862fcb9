"""Know the terminal behind stdout: its width, whether it shows colours, and text wrapped to fit it."""

import os
import sys
from typing import TextIO

import click

USUAL, NARROWEST = 80, 40  # columns
_BLANK = " "


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
    return click.style(text, fg=colour, bold=bold or None) if coloured(stream) else text


def fitted(text: str) -> str:
    """Return the text with lines that are too wide for the terminal broken at spaces; unchanged in a pipe.

    A word is never broken. A command to copy is never broken either: one at the end of a line that is too wide
    ("Next: make …") gets a line of its own.
    """
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
    from rich.cells import cell_len

    shown = click.unstyle(line)
    if cell_len(shown) <= columns or shown.lstrip().startswith("make "):
        return [line]
    indent = shown[: len(shown) - len(shown.lstrip())]
    lines = [""]
    for word in line.strip().split(_BLANK):
        longer = f"{lines[-1]}{_BLANK}{word}" if lines[-1] else indent + word
        if lines[-1] and cell_len(click.unstyle(longer)) > columns:
            lines.append(indent + word)
        else:
            lines[-1] = longer
    return lines


def say(text: str) -> None:
    """Print text on stdout: in the language that the user chose, then `fitted`."""
    import click

    from common.core.language import translated

    click.echo(fitted(translated(text)))


def error_line(message: object) -> str:
    """Return the line that reports an error on stderr."""
    return f"{styled('error:', 'red', bold=True, stream=sys.stderr)} {message}"
