"""Define the product that a method makes from one row, read saved products, and prepare their texts for the guards."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from common.core.json_lines import read_lines
from common.data.dialogue import Turn, parse, tags

FIRST, SECOND = "#Person1#", "#Person2#"
_EITHER = re.compile(f"{FIRST}|{SECOND}")


@dataclass(frozen=True)
class Product:
    """A new dialogue with its summaries, and the intended changes to tags and turns."""

    dialogue: str
    summaries: tuple[str, ...]
    removed: tuple[str, ...] = ()
    """Speaker tag of every turn that was dropped or joined to the one before, in order."""
    exchanged: bool = False
    """Whether the first two speakers were exchanged in all texts."""

    def expected(self, text: str) -> Counter[str]:
        """Return the tags expected in the product for a text of the parent, before removals."""
        return Counter(tags(exchange(text) if self.exchanged else text))


def read_products(path: Path) -> dict[str, Product | str]:
    """Return the saved products by parent id, or the reason why there is none; {} when the file is missing.

    Raises UserError as `json_lines.read_lines` does.
    """
    found: dict[str, Product | str] = {}
    for line in read_lines(path):
        for name, made in line.items():
            if isinstance(made, str):
                found[name] = made
            else:
                texts = tuple(made["summaries"]), tuple(made["removed"])
                found[name] = Product(made["dialogue"], *texts, made["exchanged"])
    return found


def exchange(text: str) -> str:
    """Return the text with the first two speakers exchanged and particles unchanged. Its own inverse."""
    return _EITHER.sub(lambda match: SECOND if match[0] == FIRST else FIRST, text)


def spoken(dialogue: str) -> str:
    """Return the turns of a cleaned dialogue joined by spaces, without speaker prefixes."""
    return " ".join(turn.text for turn in parse(dialogue))


def speakers(turns: tuple[Turn, ...]) -> list[str]:
    """Return the speaker tag of every turn."""
    return [turn.speaker for turn in turns]
