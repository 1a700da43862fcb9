"""What a method makes of one row, before anybody has judged it."""

import re
from collections import Counter
from dataclasses import dataclass

from common.dialogue import Turn, parse, tags

FIRST, SECOND = "#Person1#", "#Person2#"
_EITHER = re.compile(f"{FIRST}|{SECOND}")


@dataclass(frozen=True)
class Product:
    """A new dialogue with its summaries, and what the method says it did on purpose to tags and turns."""

    dialogue: str
    summaries: tuple[str, ...]
    removed: tuple[str, ...] = ()
    """Speaker tag of every turn that is gone (dropped, or joined to the one before), in order."""
    exchanged: bool = False
    """Whether the first two speakers have changed places everywhere."""

    def expected(self, text: str) -> Counter[str]:
        """The tags that a text of the parent should have become."""
        return Counter(tags(exchange(text) if self.exchanged else text))


def exchange(text: str) -> str:
    """The text with the first two speakers exchanged; particles stay as they were. Its own inverse."""
    return _EITHER.sub(lambda match: SECOND if match[0] == FIRST else FIRST, text)


def spoken(dialogue: str) -> str:
    """The words of a cleaned dialogue, turns joined by spaces, speaker prefixes left out."""
    return " ".join(turn.text for turn in parse(dialogue))


def speakers(turns: tuple[Turn, ...]) -> list[str]:
    """The speaker tag of every turn."""
    return [turn.speaker for turn in turns]
