"""Dialogue text: one cleaning function, turns and back, speaker tags, truncation by whole turns."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.errors import UserError

TAG = re.compile(r"#[A-Za-z]+[0-9]*#")

MARKER = "…"
"""The line that stands where `truncate` left turns out."""

_NAMES = (
    "PhoneNumber",
    "Address",
    "DateOfBirth",
    "PassportNumber",
    "CardNumber",
    "PersonName",
    "Email",
    "CarNumber",
    "SSN",
)
_CANONICAL = {name.lower(): name for name in _NAMES}
_SPACE = r"[^\S\n]{0,3}"
_PERSON = r"[Pp](?:erson|ERSON)"
_PERSON_NUMBER = rf"{_PERSON}{_SPACE}[0-9０-９]{{1,3}}"
_NAME = "(?:" + "|".join([_PERSON_NUMBER, *(rf"(?i:{name})" for name in _NAMES)]) + ")"
_HASH = "[#＃]"
_OPENS_NEXT = rf"{_SPACE}{_NAME}{_SPACE}{_HASH}"
_EXTRA = rf"(?:{_HASH}{{1,4}}(?!{_SPACE}{_NAME}|[A-Za-z]))?"
_FOREIGN = rf"#[A-Za-z]+[0-9]*#(?!{_NAME}#)"

# Read from the left, each alternative sees only hashes that no tag before it has used: the "#" that ends one
# tag is never taken for the start of the next.
_VARIANT = re.compile(
    rf"(?P<surely>{_HASH}{{1,4}}(?P<a>{_NAME}){_HASH}{_EXTRA})"
    rf"|(?P<foreign>{_FOREIGN})"
    rf"|(?P<spaced>{_HASH}{{1,4}}{_SPACE}(?P<b>{_NAME}){_SPACE}{_HASH}(?!{_OPENS_NEXT}|{_SPACE}{_PERSON_NUMBER}){_EXTRA})"
    rf"|(?P<no_end>{_HASH}{{1,4}}(?P<c>{_PERSON}[0-9０-９]{{1,3}})(?![A-Za-z0-9０-９_#＃]))"
    rf"|(?P<no_start>(?<![A-Za-z0-9_#＃])(?P<d>{_PERSON}[0-9０-９]{{1,3}}){_HASH}(?![#＃]|{_SPACE}{_NAME}))"
)

_LINE_BREAK = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_SPACES = re.compile(r"[^\S\n]+")
_FILLER = re.compile("[\u115f\u1160\u3164\uffa0]")
_LINE_SPACE = re.compile(r" ?\n[ \n]*")
_SPEAKER_COLON = re.compile(r"(#Person[0-9]+#) ?[:：] ?")
# A tag that speaks for nobody is matched too, so that its closing "#" never opens the next.
_INNER_SPEAKER = re.compile(
    rf"(?<![\n\"'“‘(\[「『]) ?(?<!\n)(?<!^)(?P<speaker>#Person[0-9]+#:)|{TAG.pattern}"
)
_TURN = re.compile(r"(#Person[0-9]+#)[^\S\n]*:[^\S\n]*(.*)")


@dataclass(frozen=True)
class Turn:
    """What one speaker says before the next one speaks."""

    speaker: str
    """The tag, such as "#Person1#"; "" for text before the first tag and for the marker line."""
    text: str
    """The words without the tag, on one line."""


@dataclass(frozen=True)
class Truncation:
    """A dialogue made to fit, and what that cost."""

    text: str
    """The dialogue as it is now; the marker "…" shows where something is gone."""
    turns_cut: int
    """Turns that are gone or shortened."""
    turns: int
    """Turns of the whole dialogue."""
    characters_cut: int
    """Characters of the left-out turns (tags included) and of the shortened part; line ends do not count."""


def visible(text: str) -> str:
    """The text in NFC without what prints nothing: zero-width, BOM, control and lone surrogate characters.

    Line ends and tabs stay.
    """
    # Composed last: a zero-width character between two jamo hides that they make one syllable.
    kept = [
        letter
        for letter in text
        if letter in "\n\t\r" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs")
    ]
    return unicodedata.normalize("NFC", "".join(kept))


def _repaired(match: re.Match[str]) -> str:
    if match["foreign"]:
        return match[0]
    name = next(match[key] for key in "abcd" if match[key])
    name = re.sub(r"\s", "", name)
    if known := _CANONICAL.get(name.lower()):
        return f"#{known}#"
    return f"#Person{unicodedata.normalize('NFKC', name[6:])}#"


def repair_tags(text: str) -> str:
    """The text with misspelt tags made whole: "# Person1 #", "#person1#", "＃Person1＃", "##Person1#", "#Person1은".

    Only names the competition knows, and only where one reading is possible: a missing "#" is added to PersonN
    alone ("#Email 주소" may be a hashtag), "#Person1#Person2#" stays, and no tag is made from a bare word.
    """
    # A repaired hash can settle what the one after it belongs to. Ordinary text needs one pass; the bound keeps
    # a hostile one from looping.
    for _ in range(16):
        repaired = _VARIANT.sub(_repaired, text)
        if repaired == text:
            break
        text = repaired
    return text


def clean(text: str) -> str:
    """The text as training and inference both see it: dialogues, summaries and the source of predictions.

    NFC; line ends are "\\n", without blank lines or spaces around them; invisible characters gone; runs of
    spaces (NBSP, tabs, Hangul fillers) one space; tags repaired (`repair_tags`); "#Person1# :" written
    "#Person1#: ", and on a line of its own even where the newline was missing. Idempotent.
    """
    text = visible(_LINE_BREAK.sub("\n", text))
    text = _SPACES.sub(" ", _FILLER.sub(" ", text))
    text = repair_tags(text)
    text = _SPEAKER_COLON.sub(r"\1: ", text)
    text = _INNER_SPEAKER.sub(lambda match: f"\n{match['speaker']}" if match["speaker"] else match[0], text)
    return _LINE_SPACE.sub("\n", text).strip(" \n")


def parse(dialogue: str) -> tuple[Turn, ...]:
    """The turns of a cleaned dialogue, () for an empty one.

    A line without a tag joins the turn before it, with a space; text before the first tag and a line that is
    only the marker "…" are turns without a speaker.
    """
    turns: list[Turn] = []
    for line in dialogue.split("\n"):
        line = line.strip()
        if not line:
            continue
        if match := _TURN.fullmatch(line):
            turns.append(Turn(match[1], match[2]))
        elif line == MARKER or not turns:
            turns.append(Turn("", line))
        else:
            last = turns[-1]
            turns[-1] = Turn(last.speaker, f"{last.text} {line}".lstrip())
    return tuple(turns)


def _line(speaker: str, text: str) -> str:
    return f"{speaker}: {text}".rstrip() if speaker else text


def render(turns: Sequence[Turn]) -> str:
    """The dialogue as text, "#Person1#: words" a line; `parse` gives the same turns back."""
    return "\n".join(_line(turn.speaker, turn.text) for turn in turns)


def tags(text: str) -> list[str]:
    """Every tag of the text, in order, repeats included."""
    return TAG.findall(text)


def truncate(dialogue: str, budget: int, length: Callable[[str], int]) -> Truncation:
    """The cleaned dialogue, cut to `length(text) <= budget` by leaving out whole turns of the middle.

    The first turns get a third of the budget and the last ones the rest, because conversations end in what was
    decided; a line "…" stands for what is gone. Only when the last turn alone is too long for what is left is it
    cut, between words: it keeps its tag and its end (a dialogue of one turn keeps its beginning). `length` counts
    tokens, say: monotone, about additive. It is called about once a turn, and checks the result.
    Raises UserError when not even one word with its tag fits.
    """
    turns = parse(dialogue)
    if length(dialogue) <= budget:
        return Truncation(dialogue, 0, len(turns), 0)
    if not turns:
        raise _too_small(budget, length(dialogue))
    lines = [_line(turn.speaker, turn.text) for turn in turns]
    if len(lines) == 1:
        return _shorten(turns, 0, budget, length, keep_end=False)

    base = length("")
    costs = [length("\n" + line) - base for line in lines]
    available = budget - base - (length("\n" + MARKER) - base)
    head, tail = _choose(costs, available)
    while tail:
        # A sum of parts is an estimate, and the estimate may have kept every turn.
        if head + tail < len(lines):
            text = "\n".join([*lines[:head], MARKER, *lines[len(lines) - tail :]])
            excess = length(text) - budget
            if excess <= 0:
                cut = lines[head : len(lines) - tail]
                return Truncation(text, len(cut), len(lines), sum(map(len, cut)))
        else:
            excess = 1
        while excess > 0 and head + tail:
            if head and (sum(costs[:head]) * 3 > available or tail <= 1):
                head -= 1
                excess -= max(costs[head], 1)
            else:
                tail -= 1
                excess -= max(costs[len(lines) - tail - 1], 1)
    return _shorten(turns, min(head, len(lines) - 1), budget, length, keep_end=True)


def _choose(costs: Sequence[int], available: int) -> tuple[int, int]:
    """How many turns to keep at the start and at the end, by the sum of their costs; the end is 0 when its last
    turn does not fit."""
    head = used = 0
    while head < len(costs) and used + costs[head] <= available // 3:
        used += costs[head]
        head += 1
    tail = 0
    while head + tail < len(costs) and used + costs[-tail - 1] <= available:
        used += costs[-tail - 1]
        tail += 1
    while tail and head + tail < len(costs) and used + costs[head] <= available:
        used += costs[head]
        head += 1
    return head, tail


def _shorten(
    turns: Sequence[Turn], head: int, budget: int, length: Callable[[str], int], *, keep_end: bool
) -> Truncation:
    """The first `head` turns (fewer when they leave no room) and as many words of the last one as fit."""
    speaker, words = turns[-1].speaker, turns[-1].text.split()
    whole = len(turns[-1].text)
    lines = [_line(turn.speaker, turn.text) for turn in turns]
    room = len(lines) - 1

    def shown(kept_turns: int, count: int) -> str:
        some = words[len(words) - count :] if keep_end else words[:count]
        last = _line(speaker, " ".join([MARKER, *some] if keep_end else [*some, MARKER]))
        if count == len(words):
            last = lines[-1]
        gap = [MARKER] if kept_turns < room else []
        return "\n".join([*lines[:kept_turns], *gap, last])

    least = min(1, len(words))
    while head and length(shown(head, least)) > budget:
        head -= 1
    minimum = length(shown(head, least))
    if minimum > budget:
        raise _too_small(budget, minimum)
    low, high = least, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if length(shown(head, middle)) <= budget:
            low = middle
        else:
            high = middle - 1
    some = " ".join(words[len(words) - low :] if keep_end else words[:low])
    gone = room - head
    lost = sum(map(len, lines[head:room])) + whole - len(some)
    return Truncation(shown(head, low), gone + (low < len(words)), len(turns), lost)


def _too_small(budget: int, minimum: int) -> UserError:
    return UserError(
        f"a dialogue cannot be cut to {budget}: its tag and one word need {minimum}. "
        f"Raise the limit of the source length to {minimum} or more."
    )
