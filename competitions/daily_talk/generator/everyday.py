"""Runs of everyday words that corpora of others hold too, known by their fingerprints alone.

Who writes everyday dialogues writes "yes, here you are" where everybody does. So that nothing here is to be found word
for word in a corpus that may not be passed on, talks with such a run are made anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from zlib import adler32, crc32

WINDOW = 22
"""Characters of a run; shorter ones are nobody's."""
PATH = Path(__file__).with_name("everyday.txt")


def fingerprints(text: str) -> set[int]:
    """64 bits for each run of `WINDOW` characters, white space of any kind being one space."""
    letters = " ".join(text.split()).encode("utf-32-le")
    runs = (letters[start : start + 4 * WINDOW] for start in range(0, len(letters) - 4 * WINDOW + 1, 4))
    return {crc32(run) << 32 | adler32(run) for run in runs}


@dataclass
class Everyday:
    """Fingerprints of runs to avoid, and which of them were met."""

    known: frozenset[int]
    met: set[int] = field(default_factory=set)

    def holds(self, text: str) -> bool:
        """Whether a run of the text is among them; all that are count as met."""
        found = self.known & fingerprints(text)
        self.met |= found
        return bool(found)


def of(texts: Iterable[str]) -> Everyday:
    """Every run of other corpora's texts."""
    return Everyday(frozenset(mark for text in texts for mark in fingerprints(text)))


def committed() -> Everyday:
    """The list that the committed data were made with."""
    return Everyday(frozenset(int(line, 16) for line in PATH.read_text(encoding="ascii").split()))


def commit(met: Iterable[int]) -> None:
    """Write the list; a run that no situation ever says need not be in it."""
    PATH.write_text("".join(f"{mark:016x}\n" for mark in sorted(met)), encoding="ascii")
