"""Find signs that splits come from different releases of the data: other conventions, shared rows, shared ids."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from common.data.dialogue import TAG
from common.data.repairs import ESCAPED, HTML

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

_CONTENT = 0.25
"""Smallest difference between the shares of a habit of the writers, or between two distributions of lengths, that
counts. Splits of one release differ by up to 0.04 in the data that we have, two data sets by 0.3 and more."""
_FORMAT = 0.1
"""The same for a habit of the program that wrote the file, which has no reason to differ at all."""
_DEVIATIONS = 4.0
"""Smallest difference in standard errors: a small file shows nothing."""
_COPIES = {("dev", "test"): 0.05}
_COPIES_OF_TRAIN = 0.25
"""Share of exact copies from which two splits cannot be of one release. One release of DialogSum has 0.014 between dev
and test, and 0.11 between train and dev."""
_FEWEST_COPIES, _FEWEST_ROWS = 5, 10

_Habits = Mapping[str, Callable[[str], bool]]


@dataclass(frozen=True)
class SplitTexts:
    """The ids and texts of a split, in the order of its rows."""

    ids: Sequence[str]
    dialogues: Sequence[str]
    summaries: Sequence[str]
    """The first summary of each row; () when the split has none."""


def _has(pattern: str) -> Callable[[str], bool]:
    found = re.compile(pattern)
    return lambda text: found.search(text) is not None


_LAST_SYLLABLES = re.compile(r"(?m)([가-힣]{1,2})[.?!]+[^\S\n]*$")


def _polite(text: str) -> bool:
    """Return whether most lines with a final mark end politely (-요, -니다, -니까, -세요)."""
    ends = _LAST_SYLLABLES.findall(text)
    polite = [end for end in ends if end.endswith(("요", "니다", "니까", "죠"))]
    return len(polite) > len(ends) / 2


_OUTSIDE_TAGS = re.compile(rf"{TAG.pattern}:?")
_LATIN = re.compile("[A-Za-z]")
_ANY_FORMAT: _Habits = {
    "Korean tags": _has(r"(?:사람|인물|화자|개인|퍼슨) ?[0-9]{1,3} ?[#＃:：]"),
    "full-width tags": _has("＃"),
    "carriage returns": _has("\r"),
    "escaped characters": lambda text: ESCAPED.search(text) is not None,
    "HTML": lambda text: HTML.search(text) is not None,
    "text that is not NFC": lambda text: not unicodedata.is_normalized("NFC", text),
    "curly quotes": _has("[“”‘’]"),
    "spaces at the end": _has(r"\s\Z"),
}
_DIALOGUE_FORMAT: _Habits = {
    **_ANY_FORMAT,
    "speakers such as #Person1#": _has("#Person[0-9]+#:"),
    "lines without a tag": _has(r"(?m)^[^\S\n]*(?![#＃\s])\S"),
    "a space before a line break": _has(r"[^\S\n]\n"),
    "blank lines": _has(r"\n[^\S\n]*\n"),
}
_DIALOGUE_CONTENT: _Habits = {
    "Hangul": _has("[가-힣]"),
    "Latin letters outside tags": lambda text: _LATIN.search(_OUTSIDE_TAGS.sub("", text)) is not None,
    "masked personal data": _has("#(?!Person[0-9])[A-Za-z]+#"),
    "mostly polite turns": _polite,
}
_SUMMARY_FORMAT: _Habits = {
    **_ANY_FORMAT,
    "several lines": lambda text: "\n" in text.strip(),
}
_SUMMARY_CONTENT: _Habits = {
    "speaker tags": _has("#Person[0-9]"),
    "Hangul": _has("[가-힣]"),
    "a full stop at the end": _has(r"[.。]\s*$"),
    "a polite end (-니다)": _has(r"니다[.。]?\s*$"),
}


_LENGTHS: Mapping[str, Callable[[str], int]] = {
    "characters": len,
    "lines": lambda text: text.count("\n") + 1,
}


def signs(splits: Mapping[str, SplitTexts]) -> list[str]:
    """Return one line for each pair of splits that seem to be of different releases, with the evidence; [] for none.

    A sign is a convention whose share differs much more than chance allows, a distribution of lengths that differs
    much, an id in both splits, or many dialogues in both.
    """
    described = {name: _described(split) for name, split in splits.items()}
    lines = []
    for first, second in combinations(splits, 2):
        found = _shared(
            first, splits[first].ids, described[first], second, splits[second].ids, described[second]
        )
        for one, two in zip(described[first].texts, described[second].texts, strict=True):
            found += _compared(first, one, second, two)
        if found:
            lines.append(
                f"{first} and {second} may be of different releases of the data: {'; '.join(found)}. If so, take all "
                "files from one release."
            )
    return lines


@dataclass(frozen=True, eq=False)
class _Described:
    """The habits of one kind of text in one split."""

    name: str
    count: int
    shares: Mapping[str, tuple[float, float]]
    """Habit → the share of texts that have it, and the smallest difference that counts."""
    lengths: "Mapping[str, Ints]"
    """Unit → the sorted lengths of the texts."""


@dataclass(frozen=True, eq=False)
class _DescribedSplit:
    keys: Sequence[str]
    """The letters and digits of each dialogue."""
    texts: tuple[_Described, _Described]
    """Dialogues and summaries."""


def _described(split: SplitTexts) -> _DescribedSplit:
    return _DescribedSplit(
        ["".join(filter(str.isalnum, text)).lower() for text in split.dialogues],
        (
            _habits("dialogues", split.dialogues, _DIALOGUE_FORMAT, _DIALOGUE_CONTENT),
            _habits("summaries", split.summaries, _SUMMARY_FORMAT, _SUMMARY_CONTENT),
        ),
    )


def _habits(name: str, texts: Sequence[str], in_format: _Habits, in_content: _Habits) -> _Described:
    import numpy as np  # many commands start without it

    count = max(1, len(texts))
    shares = {
        habit: (sum(map(has, texts)) / count, least)
        for habits, least in ((in_format, _FORMAT), (in_content, _CONTENT))
        for habit, has in habits.items()
    }
    lengths = {unit: np.sort([length(text) for text in texts]) for unit, length in _LENGTHS.items()}
    return _Described(name, len(texts), shares, lengths)


def _shared(
    first: str,
    ids: Sequence[str],
    one: _DescribedSplit,
    second: str,
    others: Sequence[str],
    two: _DescribedSplit,
) -> list[str]:
    same = set(ids) & set(others)
    found = [f"{len(same)} ids are in both ({sorted(same)[0][:40]!r})"] if same else []
    known = set(one.keys)
    copies = sum(text in known for text in two.keys)
    limit = _COPIES.get((first, second), _COPIES_OF_TRAIN)
    if copies >= _FEWEST_COPIES and copies > limit * min(len(ids), len(others)):
        found.append(f"{copies} of {len(others)} dialogues of {second} are in {first} too")
    return found


def _compared(first: str, one: _Described, second: str, two: _Described) -> list[str]:
    """Return the habits and lengths that differ more than chance allows, as parts of a sentence."""
    if min(one.count, two.count) < _FEWEST_ROWS:
        return []
    import numpy as np

    from common.data.statistics import ks_distance  # with numpy, which many commands need not

    found = []
    weight = 1 / one.count + 1 / two.count
    for habit, (a, least) in one.shares.items():
        b, _ = two.shares[habit]
        both = (a * one.count + b * two.count) / (one.count + two.count)
        if abs(a - b) >= least and abs(a - b) > _DEVIATIONS * (both * (1 - both) * weight) ** 0.5:
            found.append(f"{one.name} with {habit}: {a:.0%} of {first}, {b:.0%} of {second}")
    for unit, sizes in one.lengths.items():
        others = two.lengths[unit]
        if ks_distance(sizes, others) >= max(_CONTENT, _DEVIATIONS / 2 * weight**0.5):
            medians = f"median {np.median(sizes):.0f} in {first}, {np.median(others):.0f} in {second}"
            found.append(f"{unit} in {one.name}: {medians}")
    return found


def texts_of(rows: Collection[tuple[str, str, str | None]]) -> SplitTexts:
    """Return the texts of rows, each an id, a dialogue and its first summary or None."""
    return SplitTexts(
        [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows if row[2] is not None]
    )
