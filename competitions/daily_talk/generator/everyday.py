"""Text that other corpora have too, known by its fingerprints alone.

Everyday dialogues have sentences such as "yes, here you are" in common. A talk that shares a run of characters with a
corpus that may not be passed on is made again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from zlib import adler32, crc32

WINDOW = 22
"""Characters of a run; shorter ones are too common to count."""
PATH = Path(__file__).with_name("everyday.txt")


def fingerprints(text: str) -> set[int]:
    """Return 64 bits for each run of `WINDOW` characters; any white space counts as one space."""
    letters = " ".join(text.split()).encode("utf-32-le")
    runs = (letters[start : start + 4 * WINDOW] for start in range(0, len(letters) - 4 * WINDOW + 1, 4))
    return {crc32(run) << 32 | adler32(run) for run in runs}


@dataclass
class Everyday:
    """Fingerprints of runs to avoid, and those of them that were found in a text."""

    known: frozenset[int]
    met: set[int] = field(default_factory=set)

    def holds(self, text: str) -> bool:
        """Return whether the text has a run to avoid, and note all that it has as met."""
        found = self.known & fingerprints(text)
        self.met |= found
        return bool(found)


def of(texts: Iterable[str]) -> Everyday:
    """Return every run of other corpora's texts as one to avoid."""
    return Everyday(frozenset(mark for text in texts for mark in fingerprints(text)))


def committed() -> Everyday:
    """Return the list that the committed data were made with."""
    return Everyday(frozenset(int(line, 16) for line in PATH.read_text(encoding="ascii").split()))


def commit(met: Iterable[int]) -> None:
    """Write the list; it needs only the runs that a situation can say."""
    PATH.write_text("".join(f"{mark:016x}\n" for mark in sorted(met)), encoding="ascii")
