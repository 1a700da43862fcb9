"""Clean dialogue text, convert it to turns and back, find speaker tags, truncate by whole turns."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.core.errors import UserError
from common.data.repairs import repair_breaks, repair_speakers, repair_tags

TAG = re.compile(r"#[A-Za-z]+[0-9]*#")

MARKER = "…"
"""The line that replaces the turns that `truncate` left out."""

_LINE_BREAK = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_SPACES = re.compile(r"[^\S\n]+")
_FILLER = re.compile("[\u115f\u1160\u3164\uffa0]")
_LINE_SPACE = re.compile(r" ?\n[ \n]*")
_SPEAKER_COLON = re.compile(r"(#Person[0-9]+#)[ \n]*[:：] ?")
# Tags that are not speakers are matched too, so that their closing "#" is not read as the start of the next tag.
_INNER_SPEAKER = re.compile(
    rf"(?<![\n\"'“‘(\[「『]) ?(?<!\n)(?<!^)(?P<speaker>#Person[0-9]+#:)|{TAG.pattern}"
)
_TURN = re.compile(r"(#Person[0-9]+#)[^\S\n]*:[^\S\n]*(.*)")


@dataclass(frozen=True)
class Turn:
    """One speaker's text, until the next speaker starts."""

    speaker: str
    """The speaker tag, such as "#Person1#"; "" for text before the first tag and for the marker line."""
    text: str
    """The text without the tag, on one line."""


@dataclass(frozen=True)
class Truncation:
    """A dialogue that fits into a budget, and how much of it was cut."""

    text: str
    """The shortened dialogue; the marker "…" shows where text was removed."""
    turns_cut: int
    """Number of removed or shortened turns."""
    turns: int
    """Number of turns of the whole dialogue."""
    characters_cut: int
    """Number of removed characters; the tags of removed turns count, line breaks do not."""


def visible(text: str) -> str:
    """Return the text in NFC without invisible characters: zero-width, BOM, control and lone surrogate characters.

    Line breaks and tabs stay.
    """
    # NFC comes last: a zero-width character between two jamo would keep them from being composed into one syllable.
    kept = [
        letter
        for letter in text
        if letter in "\n\t\r" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs")
    ]
    return unicodedata.normalize("NFC", "".join(kept))


def clean(text: str) -> str:
    """Return the cleaned text of a dialogue or a summary; training and inference both use it.

    The result is in NFC. Line breaks are "\\n", also those that were written as `<br>` or as a backslash and n
    (`repair_breaks`), without blank lines or spaces around them. Invisible characters are removed. Each run of spaces
    (also NBSP, tabs, Hangul fillers) becomes one space. Tags and speakers are repaired (`repair_tags`,
    `repair_speakers`). "#Person1# :" becomes "#Person1#: ", also with a line break before the colon, and starts a new
    line even if the line break was missing.
    Idempotent. References are scored as they are in the file, never cleaned.
    """
    text = visible(_LINE_BREAK.sub("\n", text))
    text = _SPACES.sub(" ", _FILLER.sub(" ", text))
    text = repair_tags(repair_speakers(repair_breaks(text)))
    text = _SPEAKER_COLON.sub(r"\1: ", text)
    text = _INNER_SPEAKER.sub(lambda match: f"\n{match['speaker']}" if match["speaker"] else match[0], text)
    return _LINE_SPACE.sub("\n", text).strip(" \n")


def parse(dialogue: str) -> tuple[Turn, ...]:
    """Return the turns of a cleaned dialogue; () when it is empty.

    A line without a tag is appended to the previous turn after a space. Text before the first tag, a line with only
    the marker "…", and text between the marker and the next tag become turns without a speaker.
    """
    turns: list[Turn] = []
    for line in dialogue.split("\n"):
        line = line.strip()
        if not line:
            continue
        if match := _TURN.fullmatch(line):
            turns.append(Turn(match[1], match[2]))
        elif line == MARKER or not turns or turns[-1] == Turn("", MARKER):
            turns.append(Turn("", line))
        else:
            last = turns[-1]
            turns[-1] = Turn(last.speaker, f"{last.text} {line}".lstrip())
    return tuple(turns)


def _line(speaker: str, text: str) -> str:
    return f"{speaker}: {text}".rstrip() if speaker else text


def render(turns: Sequence[Turn]) -> str:
    """Return the dialogue as text, one line "#Person1#: text" for each turn; `parse` returns the same turns."""
    return "\n".join(_line(turn.speaker, turn.text) for turn in turns)


def tags(text: str) -> list[str]:
    """Return every tag of the text in order, with duplicates."""
    return TAG.findall(text)


def truncate(dialogue: str, budget: int, length: Callable[[str], int]) -> Truncation:
    """Return the cleaned dialogue, shortened to `length(text) <= budget` by removing whole turns from the middle.

    The first turns get a third of the budget and the last turns the rest, because a conversation usually ends with
    its result; a line "…" replaces the removed turns. If even the last turn is too long for the rest of the budget,
    its beginning is cut between words and its tag stays; a dialogue of one turn loses its end instead. `length` is,
    for example, a token count: it must be monotone and roughly additive. It is called about once for each turn, and
    again to check the result.
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
        # The sum of costs is only an estimate, so it may have kept every turn although the dialogue is too long.
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
    """Return how many turns to keep at the start and at the end; the latter is 0 when the last turn does not fit.

    A set of turns fits when the sum of its costs is at most `available`.
    """
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
    """Keep the first `head` turns (fewer if they leave no room) and as many words of the last turn as fit."""
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
        f"Raise the maximum source length to {minimum} or more."
    )
