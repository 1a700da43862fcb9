"""Define the product that a method makes from one row, keep products on the disk, and prepare their texts for the guards."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common.augment.augmented_rows import RECORD, REJECTED, ROWS
from common.core.json_lines import read_lines
from common.data.dialogue import Turn, parse, tags

PRODUCTS, KEY = "products.jsonl", "key.json"
_FILES = (RECORD, ROWS, REJECTED, PRODUCTS, KEY)
"""What a folder of rows holds; the record first, because rows without it are not read."""
_ASIDE = ".before-"
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


def has_products(folder: Path) -> bool:
    """Return whether the folder has products or rows."""
    products = folder / PRODUCTS
    return (folder / ROWS).exists() or (products.exists() and products.stat().st_size > 0)


def set_aside(folder: Path) -> None:
    """Rename everything that an earlier command made, until the first new product replaces it."""
    for name in _FILES:
        if (folder / name).exists():
            (folder / name).replace(folder / f"{_ASIDE}{name}")


@contextmanager
def undone_if_nothing_is_made(folder: Path) -> Iterator[None]:
    """Put back what was set aside when an error or a signal comes before the first product; without an error, remove it."""
    try:
        yield
    except BaseException:
        if not has_products(folder):
            for name in (KEY, PRODUCTS):
                (folder / name).unlink(missing_ok=True)
            for name in reversed(_FILES):
                if (folder / f"{_ASIDE}{name}").exists():
                    (folder / f"{_ASIDE}{name}").replace(folder / name)
        raise
    for name in _FILES:
        (folder / f"{_ASIDE}{name}").unlink(missing_ok=True)
