"""Find near-copies: measure the similarity of two dialogues' letters, and group copies."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from common.core.progress import brief_progress
from common.data.dialogue import TAG, clean

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_LETTERS = 3  # two translations differ in particles and endings, so they share few longer runs


def letters(text: str) -> str:
    """Return the letters and digits of the cleaned text in lower case, without tags, spaces and punctuation."""
    return "".join(letter for letter in TAG.sub(" ", clean(text)).lower() if letter.isalnum())


def grams(text: str) -> frozenset[str]:
    """Return the letter trigrams of `letters(text)`; a shorter text is one gram."""
    run = letters(text)
    return frozenset(run[i : i + _LETTERS] for i in range(max(1, len(run) - _LETTERS + 1)))


def similarity(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the Jaccard similarity of two texts' grams, in [0, 1]."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)


@dataclass(frozen=True, eq=False)
class CopyIndex:
    """An inverted index: for each gram the texts that contain it."""

    grams: tuple[frozenset[str], ...]
    """The grams of every text, in order."""
    numbers: dict[str, int]
    """Gram → its index in `starts`."""
    starts: "npt.NDArray[np.int64]"
    """Offsets: gram number i occurs in the texts `holders[starts[i]:starts[i + 1]]`."""
    holders: "npt.NDArray[np.int32]"
    sizes: "npt.NDArray[np.int64]"
    """Number of grams of every text."""
    near: dict[tuple[int, float], frozenset[int]] = field(default_factory=dict, repr=False)
    """Cache of `group`: (text, threshold) → indices of its near-copies."""

    def similarities(self, query: frozenset[str]) -> "npt.NDArray[np.float64]":
        """Return the `similarity` of these grams to every text, shape (texts,)."""
        import numpy as np  # many commands start without it

        known = [self.numbers[gram] for gram in query if gram in self.numbers]
        lists = [self.holders[self.starts[i] : self.starts[i + 1]] for i in known]
        shared = np.bincount(np.concatenate(lists) if lists else [], minlength=len(self.sizes))
        return shared / (len(query) + self.sizes - shared)

    def group(self, query: frozenset[str], threshold: float) -> frozenset[int]:
        """Return the indices of the texts that are near-copies of these grams, directly or through other near-copies."""
        found: set[int] = set()
        frontier = self._near(query, threshold)
        while frontier:
            found |= frontier
            reached: set[int] = set()
            for place in frontier:
                if (place, threshold) not in self.near:
                    self.near[place, threshold] = self._near(self.grams[place], threshold)
                reached |= self.near[place, threshold]
            frontier = frozenset(reached - found)
        return frozenset(found)

    def _near(self, query: frozenset[str], threshold: float) -> frozenset[int]:
        return frozenset((self.similarities(query) >= threshold).nonzero()[0].tolist())


def copy_index(texts: Sequence[str]) -> CopyIndex:
    """Return the index of these texts."""
    import numpy as np

    sets: list[frozenset[str]] = []
    numbers: dict[str, int] = {}
    holders: list[list[int]] = []
    with brief_progress(len(texts), "index dialogues", "row") as bar:
        for place, text in enumerate(texts):
            sets.append(grams(text))
            for gram in sets[-1]:
                number = numbers.setdefault(gram, len(numbers))
                if number == len(holders):
                    holders.append([])
                holders[number].append(place)
            bar.update()
    return CopyIndex(
        grams=tuple(sets),
        numbers=numbers,
        starts=np.cumsum([0, *map(len, holders)], dtype=np.int64),
        holders=np.array([place for held in holders for place in held], dtype=np.int32),
        sizes=np.array([len(text_grams) for text_grams in sets], dtype=np.int64),
    )
