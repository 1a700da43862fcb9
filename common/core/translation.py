"""Translate finished English lines by the templates of a gettext catalogue (standard library only, read as .po).

The source formats its messages as f-strings, so a line is recognized by the literal texts of its template; what stands
between them is translated in turn when it is a message itself. Text in quotes comes from outside and is never translated.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from common.core.extraction import literals

CATALOGUE = Path(__file__).resolve().parents[1] / "locale" / "ko" / "LC_MESSAGES" / "kds.po"
_DEEPEST = 6
_KEPT = re.compile(r'\s*([{[]\s*["{[\]}]|\|)|\s*$')  # JSON, a Markdown table, an empty line
_COLOURED = re.compile(r"((?:\x1b\[[0-9;]*m)+)([^\x1b]*)((?:\x1b\[[0-9;]*m)+)")
_COLUMNS = re.compile(r"(\S+)(\s{2,})(\S.*)")
_COMMAND = re.compile(r"(\bmake |=|--|/)$")
"""What stands before a text that is typed as it is: a target, a value, an option, a file. "=" follows a setting's name."""
_WORDS = re.compile(r"(?<!\S)[a-z]{2,}(?=[\s,;:.)]|$)")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|\b(make|python) .*")
_CHOICE = re.compile(r"(?:[^\s,]+, )*[^\s,]+ or [^\s,]+")
_LIST = re.compile(r"(?:[^\s,]+, )+[^\s,]+")
_OUTSIDE = re.compile(r"'[^']*'|\"[^\"]*\"|\([^()]*\)")
_SEPARATORS = (("; ", ""), (": ", ""), (". ", ""), (". ", "."), ("? ", "?"), (", ", ""), (" → ", ""))
"""What divides a text into messages, and the mark of it that belongs to the first one."""


class _Reading(NamedTuple):
    """A possible translation of a text."""

    text: str | None
    known: int
    """Letters that come from the catalogue."""
    strange: int = 0
    """Letters of English prose that stay."""
    swallowed: bool = False
    """Whether a placeholder at an end of the template stands for more than one clause."""

    @property
    def worth(self) -> tuple[int, bool]:
        return self.known - self.strange, not self.swallowed


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
def _templates() -> tuple[dict[str, str], list[tuple[list[str], str, int]]]:
    """Return the messages without placeholders, and the others as literals, translation and letters in the literals."""
    whole: dict[str, str] = {}
    others: list[tuple[list[str], str, int]] = []
    for message, translation in read_catalogue().items():
        parts = literals(message)
        if len(parts) == 1:
            whole[parts[0].strip()] = "".join(literals(translation))
        else:
            others.append((parts, translation, sum(map(_letters, parts))))
    return whole, sorted(others, key=lambda each: -each[2])


def _letters(text: str) -> int:
    return sum(sign.isalpha() for sign in text)


def _prose(text: str) -> int:
    """Return the letters of an English sentence that is no message; 0 for names, numbers, commands and a word or two."""
    if _LIST.fullmatch(text.strip()):
        return 0
    words = _WORDS.findall(_QUOTED.sub("", text))
    return sum(map(len, words)) if len(words) > 2 else 0


def _captured(parts: list[str], line: str) -> list[str] | None:
    """Return what stands in the line between these literal texts; None when they are not all there, in this order.

    Of placeholders without text between them, the last takes what is a message itself, and the first the rest.
    """
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
    found.append(line[place:end])
    for i in reversed([i for i, part in enumerate(between) if not part]):
        found[i], found[i + 1] = _parted(found[i] + found[i + 1])
    return found


def _parted(text: str) -> tuple[str, str]:
    """Return the text in two pieces, of which the second is the longest end that is a message."""
    for found in re.finditer(r"(?=[ ,;:(])|$", text):
        if found.start() == len(text) or _reading(text[found.start() :].strip(), 3)[0] is not None:
            return text[: found.start()], text[found.start() :]
    return text, ""


@cache
def _reading(text: str, depth: int) -> tuple[str | None, int]:
    """Return the translation of a text without blanks around it, and how many letters of it come from the catalogue.

    Of all templates that match, the one counts whose reading translates the most letters and leaves the fewest in
    English; of equal ones, one whose values contain no clause of their own. None: it is no message.
    """
    whole, others = _templates()
    if text in whole:
        return whole[text], _letters(text)
    if not depth or not re.search("[A-Za-z]{2}", text) or text[0] in "\"'":
        return None, 0
    if coloured := _COLOURED.fullmatch(text):
        inner, known = _reading(coloured[2], depth)
        return (coloured[1] + inner + coloured[3], known) if inner else (None, 0)
    readings = [*_by_pieces(text, depth), *_by_template(text, depth, others)]
    best = max(readings, key=lambda reading: reading.worth, default=_Reading(None, 0))[:2]
    if best[0] is None and text.endswith("."):
        inner, known = _reading(text[:-1].rstrip(), depth - 1)
        return (f"{inner}.", known) if inner else (None, 0)
    return best


def _by_template(text: str, depth: int, others: list[tuple[list[str], str, int]]) -> Iterator[_Reading]:
    most = 0
    for parts, translation, own in others:
        captured = _captured(parts, text)
        if captured is None or _shifted(parts, captured) or own + sum(map(_letters, captured)) < most:
            continue
        values, known = [], own
        for before, value, after in zip(parts, captured, parts[1:], strict=False):
            is_name = _COMMAND.search(before) or after.startswith("=")
            new, letters = (None, 0) if is_name else _reading(value.strip(), depth - 1)
            if new is None and _CHOICE.fullmatch(value.strip()):
                new = value.strip().replace(" or ", " 또는 ")
            values.append(value if new is None else value.replace(value.strip(), new, 1))
            known += letters
        strange = sum(_prose(value) for value, new in zip(captured, values, strict=True) if new is value)
        if known < strange:
            continue
        most = max(most, known - strange)
        swallowed = (not parts[0] and _has_clause(captured[0])) or (
            not parts[-1] and _has_clause(captured[-1])
        )
        yield _Reading(translation.format(*values), known, strange, swallowed)


def _shifted(parts: list[str], captured: list[str]) -> bool:
    """Return whether a blank stands between a literal that ends with one and its value: these are columns, no sentence."""
    return any(
        part.endswith(" ") and value.startswith(" ") for part, value in zip(parts, captured, strict=False)
    )


def _has_clause(value: str) -> bool:
    """Return whether a value at an end of a line holds more than one clause: "a: b c", but not a list of single words."""
    pieces = re.split(r"[;:.,] ", _OUTSIDE.sub('""', value))
    return len(pieces) > 1 and any(" " in piece.strip() for piece in pieces)


def _by_pieces(text: str, depth: int) -> Iterator[_Reading]:
    for separator, mark in _SEPARATORS:
        head, found, tail = text.partition(separator)
        if found and mark:
            head, found = f"{head}{mark}", " "
        if found:
            pieces = [_reading(piece.strip(), depth - 1) for piece in (head, tail)]
            strange = sum(_prose(old) for (new, _), old in zip(pieces, (head, tail), strict=True) if not new)
            if any(new for new, _ in pieces) and strange <= sum(known for _, known in pieces):
                shown = [new or old for (new, _), old in zip(pieces, (head, tail), strict=True)]
                yield _Reading(found.join(shown), sum(known for _, known in pieces), strange)
    if columns := _COLUMNS.fullmatch(text):  # a name and what it means
        new, known = _reading(columns[3], depth - 1)
        if new:
            yield _Reading(columns[1] + columns[2] + new, known)


def _line(line: str) -> str | None:
    """Return the translation of a line; None when it is no message."""
    text = line.strip()
    new, _ = _reading(text, _DEEPEST)
    return line.replace(text, new, 1) if new else None


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
