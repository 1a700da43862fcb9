"""Translate finished English lines by the templates of a gettext catalogue (standard library only, read as .po).

The source formats its messages as f-strings, so a line is recognized by the literal texts of its template; what stands
between them is translated in turn when it is a message itself. Text in quotes comes from outside and is never translated.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from common.core.extraction import literals

CATALOGUE = Path(__file__).resolve().parents[1] / "locale" / "ko" / "LC_MESSAGES" / "kds.po"
_DEEPEST = 6
_KEPT = re.compile(r'\s*([{[]\s*["{[\]}]|\|)|\s*$')  # JSON, a Markdown table, an empty line
_COMMAND = re.compile(r"(\bmake |=|--|/)$")
"""What stands before a name that is typed as it is: a target, a value, an option, a file."""
_SEPARATORS = ("; ", ": ", ". ", ", ")


def read_catalogue(path: Path = CATALOGUE) -> dict[str, str]:
    """Return message → translation of a .po file, without its header, obsolete, fuzzy and untranslated entries."""
    found: dict[str, str] = {}
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in block.splitlines() if line]
        if any(line.startswith("#,") and "fuzzy" in line for line in lines):
            continue
        entry = {"msgid": "", "msgstr": ""}
        key = ""
        for line in lines:
            if not line.startswith("#"):
                word, _, text = line.partition('"')
                key = word.strip() or key
                entry[key] = entry.get(key, "") + json.loads(f'"{text}')
        if entry["msgid"] and entry["msgstr"]:
            found[entry["msgid"]] = entry["msgstr"]
    return found


@cache
def _templates() -> tuple[dict[str, str], list[tuple[list[str], str]]]:
    """Return the messages without placeholders, and the others as literals and translation, the most literal text first."""
    whole: dict[str, str] = {}
    others: list[tuple[list[str], str]] = []
    for message, translation in read_catalogue().items():
        parts = literals(message)
        if len(parts) == 1:
            whole[parts[0].strip()] = "".join(literals(translation))
        else:
            others.append((parts, translation))
    return whole, sorted(others, key=lambda each: -sum(map(len, each[0])))


def _captured(parts: list[str], line: str) -> list[str] | None:
    """Return what stands in the line between these literal texts; None when they are not all there, in this order."""
    first, *between, last = parts
    if len(line) < len(first) + len(last) or not (line.startswith(first) and line.endswith(last)):
        return None
    found, place, end = [], len(first), len(line) - len(last)
    for part in between:
        at = line.find(part, place, end)
        if at < 0:
            return None
        found.append(line[place:at])
        place = at + len(part)
    return [*found, line[place:end]]


def _line(line: str, depth: int = 0) -> str | None:
    """Return the translation of a text of one line; None when it is no message."""
    text = line.strip()
    whole, others = _templates()
    if text in whole:
        return line.replace(text, whole[text], 1)
    if depth > _DEEPEST or not re.search("[A-Za-z]{2}", text) or text[0] in "\"'":
        return None
    for parts, translation in others:
        captured = _captured(parts, text)
        if captured is not None:
            values = [
                value if _COMMAND.search(before) else _line(value, depth + 1) or value
                for before, value in zip(parts, captured, strict=False)
            ]
            return line.replace(text, translation.format(*values), 1)
    for separator in _SEPARATORS:
        pieces = text.split(separator)
        if len(pieces) > 1:
            shown = [_line(piece, depth + 2) for piece in pieces]
            if any(shown):
                joined = separator.join(new or old for new, old in zip(shown, pieces, strict=True))
                return line.replace(text, joined, 1)
    columns = re.fullmatch(r"(\S.*?)(\s{2,})(\S.*)", text)
    if columns:
        new = _line(columns[3], depth + 1)
        return line.replace(text, columns[1] + columns[2] + new, 1) if new else None
    return None


def in_korean(text: str) -> str:
    """Return the text with every line translated that the catalogue has; JSON, Markdown tables and progress bars stay as they are."""
    lines = text.split("\n")
    return "\n".join(line if _KEPT.match(line) or "\r" in line else _line(line) or line for line in lines)


class Translated:
    """A text stream that translates each line on its way to another stream, which does all the rest."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text in Korean, or as it is when the stream's encoding has no Hangul; return its length."""
        korean = in_korean(text)
        try:
            korean.encode(getattr(self._stream, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            korean = text
        self._stream.write(korean)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write each line."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)


def translated_command(command: Any) -> Any:
    """Return a copy of a click command whose help, and that of its options and commands, is in Korean."""
    import copy

    new = copy.copy(command)
    if new.help:
        paragraphs = re.split(r"\n\s*\n", new.help)
        new.help = "\n\n".join(in_korean(" ".join(paragraph.split())) for paragraph in paragraphs)
    new.params = [copy.copy(parameter) for parameter in new.params]
    for parameter in new.params:
        if getattr(parameter, "help", None):
            parameter.help = in_korean(parameter.help)
    if hasattr(new, "commands"):
        new.commands = {name: translated_command(each) for name, each in new.commands.items()}
    return new
