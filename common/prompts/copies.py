"""Near-copies: how alike two dialogues are letter by letter, and which rows are copies of one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from common.dialogue import TAG, clean

_LETTERS = 3  # two translations differ in particles and endings: longer runs break


def letters(text: str) -> str:
    """The cleaned text's letters and digits in lower case: no tags, spaces or punctuation."""
    return "".join(letter for letter in TAG.sub(" ", clean(text)).lower() if letter.isalnum())


def grams(text: str) -> frozenset[str]:
    """The runs of three letters in `letters(text)`, never none: a shorter text is one gram as it is."""
    run = letters(text)
    return frozenset(run[i : i + _LETTERS] for i in range(max(1, len(run) - _LETTERS + 1)))


def similarity(a: frozenset[str], b: frozenset[str]) -> float:
    """Jaccard similarity of two texts' grams, in [0, 1]; 1.0 when their letters make the same runs."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)


@dataclass(frozen=True, eq=False)
class CopyIndex:
    """The grams of many texts, turned round: for each gram the texts that have it."""

    grams: tuple[frozenset[str], ...]
    """Of every text, in order."""
    numbers: dict[str, int]
    """Gram → its place in `starts`."""
    starts: npt.NDArray[np.int64]
    """Gram number i is in the texts `holders[starts[i]:starts[i + 1]]`."""
    holders: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int64]
    """Grams of every text."""
    near: dict[tuple[int, float], frozenset[int]] = field(default_factory=dict, repr=False)
    """What `group` worked out: place and threshold → places of the near-copies. Never given by a caller."""

    def similarities(self, of: frozenset[str]) -> npt.NDArray[np.float64]:
        """`similarity` of these grams with every text, shape (texts,)."""
        known = [self.numbers[gram] for gram in of if gram in self.numbers]
        lists = [self.holders[self.starts[i] : self.starts[i + 1]] for i in known]
        shared = np.bincount(np.concatenate(lists) if lists else [], minlength=len(self.sizes))
        return shared / (len(of) + self.sizes - shared)

    def group(self, of: frozenset[str], threshold: float) -> frozenset[int]:
        """Places of the texts that are near-copies of these grams, and of the near-copies of those, and so on."""
        found: set[int] = set()
        frontier = self._near(of, threshold)
        while frontier:
            found |= frontier
            reached: set[int] = set()
            for place in frontier:
                if (place, threshold) not in self.near:
                    self.near[place, threshold] = self._near(self.grams[place], threshold)
                reached |= self.near[place, threshold]
            frontier = frozenset(reached - found)
        return frozenset(found)

    def _near(self, of: frozenset[str], threshold: float) -> frozenset[int]:
        return frozenset(np.flatnonzero(self.similarities(of) >= threshold).tolist())


def copy_index(texts: Sequence[str]) -> CopyIndex:
    """The index of these texts."""
    sets = tuple(grams(text) for text in texts)
    numbers: dict[str, int] = {}
    holders: list[list[int]] = []
    for place, of in enumerate(sets):
        for gram in of:
            number = numbers.setdefault(gram, len(numbers))
            if number == len(holders):
                holders.append([])
            holders[number].append(place)
    return CopyIndex(
        grams=sets,
        numbers=numbers,
        starts=np.cumsum([0, *map(len, holders)], dtype=np.int64),
        holders=np.array([place for held in holders for place in held], dtype=np.int32),
        sizes=np.array([len(of) for of in sets], dtype=np.int64),
    )
