"""Measure what a competition's data looks like, split by split, and name what differs between splits."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from common.core.progress import brief_progress
from common.data.competition import Competition
from common.data.dialogue import clean, parse, tags
from common.data.repairs import odd_tag
from common.data.rows import Row, Split

MEASURES = (
    "dialogue characters",
    "dialogue words",
    "turns",
    "speakers",
    "summary characters",
    "summary words",
    "summary % of dialogue",
)
PERCENTILES = (10, 50, 90, 99)
TOPICS = 10
"""Number of topics that are listed; the number of different topics is always counted."""
SMALL, MEDIUM, LARGE = 0.147, 0.33, 0.474
"""Effect sizes |Cliff's delta|. Source: Romano et al. 2006, "Appropriate statistics for ordinal level data"."""
SIGNIFICANT = 0.01
"""Largest p-value that counts, after Holm's correction for the number of comparisons."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Lengths:
    """The distribution of one measure in one split."""

    measure: str
    split: str
    shortest: float
    percentiles: tuple[float, ...]
    """The values at PERCENTILES."""
    longest: float
    mean: float


@dataclass(frozen=True)
class SplitStatistics:
    """What one split contains. Texts are measured after `dialogue.clean`, as models read them."""

    name: str
    rows: int
    references: tuple[int, int]
    """Smallest and largest number of reference summaries per dialogue."""
    lengths: tuple[Lengths, ...]
    speakers: Mapping[int, int]
    """Number of speakers → number of dialogues."""
    topics: Mapping[str, int]
    """Topic → number of dialogues, the most common first; {} when the file has no topics."""
    tags: Mapping[str, int]
    """Tag → number of dialogues with the tag in the dialogue or a summary, the most common first."""
    odd_tags: Mapping[str, int]
    """Tag in another form than #Name# as it stands in the file → number of texts that have it first."""
    warnings: Mapping[str, int]
    """Kind of warning → number of rows, as `make data` counts them."""


@dataclass(frozen=True, eq=False)
class Measured:
    """The statistics of a split, and the values they come from."""

    statistics: SplitStatistics
    values: Mapping[str, Numbers]
    """Measure → one value per dialogue, or per summary for the measures of summaries; in the order of the rows."""
    dialogues: tuple[str, ...]
    """The cleaned dialogues."""
    summaries: tuple[str, ...]
    """The cleaned reference summaries of all rows."""


@dataclass(frozen=True)
class Shift:
    """The comparison of one measure between two splits."""

    measure: str
    first: str
    second: str
    medians: tuple[float, float]
    distance: float
    """Kolmogorov-Smirnov distance, in [0, 1]."""
    p: float
    """Asymptotic p-value of the distance after Holm's correction, in [0, 1]."""
    delta: float
    """Cliff's delta, in [-1, 1]: above 0 when the values of the second split are larger."""

    @property
    def notable(self) -> bool:
        """Whether the difference is more than chance, and not negligible."""
        return self.p < SIGNIFICANT and (abs(self.delta) >= SMALL or self.distance >= SMALL)


def measure(competition: Competition, split: Split, references: Sequence[int]) -> Measured:
    """Return the statistics of a split; `references` holds the number of reference summaries of each dialogue."""
    values: dict[str, list[float]] = {name: [] for name in MEASURES}
    dialogues: list[str] = []
    summaries: list[str] = []
    seen_tags: Counter[str] = Counter()
    odd: Counter[str] = Counter()
    bar = brief_progress(len(split.rows), f"measure {split.name}", "row")
    for row in split.rows:
        dialogue = clean(row.dialogue)
        cleaned = [clean(text) for text in row.summaries]
        turns = [turn for turn in parse(dialogue) if turn.speaker]
        values["dialogue characters"].append(len(dialogue))
        values["dialogue words"].append(len(dialogue.split()))
        values["turns"].append(len(turns))
        values["speakers"].append(len({turn.speaker for turn in turns}))
        for summary in cleaned:
            values["summary characters"].append(len(summary))
            values["summary words"].append(len(summary.split()))
            values["summary % of dialogue"].append(100 * len(summary) / max(1, len(dialogue)))
        seen_tags.update({tag for text in (dialogue, *cleaned) for tag in tags(text)})
        odd.update(filter(None, map(odd_tag, (row.dialogue, *row.summaries))))
        dialogues.append(dialogue)
        summaries += cleaned
        bar.update()
    bar.close()
    arrays = {name: np.array(found, dtype=np.float64) for name, found in values.items() if found}
    speakers = Counter(int(count) for count in values["speakers"])
    statistics = SplitStatistics(
        name=split.name,
        rows=len(split.rows),
        references=(min(references, default=0), max(references, default=0)),
        lengths=tuple(_lengths(name, split.name, found) for name, found in arrays.items()),
        speakers=dict(sorted(speakers.items())),
        topics=_by_count(_topics(split.rows)),
        tags=_by_count(tag for tag in seen_tags.elements() if tag in competition.tags),
        odd_tags=_by_count(odd.elements()),
        warnings=dict(split.warnings),
    )
    return Measured(statistics, arrays, tuple(dialogues), tuple(summaries))


def _by_count(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0])))


def _topics(rows: Sequence[Row]) -> list[str]:
    return [topic for row in rows if (topic := " ".join(clean(row.topic).split()))]


def _lengths(name: str, split: str, values: Numbers) -> Lengths:
    percentiles = tuple(float(value) for value in np.percentile(values, PERCENTILES))
    return Lengths(name, split, float(values.min()), percentiles, float(values.max()), float(values.mean()))


def shifts(splits: Sequence[Measured]) -> list[Shift]:
    """Return the comparison of every measure between every two splits; the largest differences come first."""
    found = [
        _shift(name, first, second)
        for first, second in combinations(splits, 2)
        for name in MEASURES
        if name in first.values and name in second.values
    ]
    # Holm 1979: the smallest of m p-values is multiplied by m, the next one by m - 1, and so on, never decreasing.
    adjusted, largest = [], 0.0
    for place, one in enumerate(sorted(found, key=lambda one: one.p)):
        largest = max(largest, min(1.0, one.p * (len(found) - place)))
        adjusted.append(
            Shift(one.measure, one.first, one.second, one.medians, one.distance, largest, one.delta)
        )
    return sorted(adjusted, key=lambda one: (-abs(one.delta), -one.distance))


def _shift(name: str, first: Measured, second: Measured) -> Shift:
    a, b = np.sort(first.values[name]), np.sort(second.values[name])
    return Shift(
        name,
        first.statistics.name,
        second.statistics.name,
        (float(np.median(a)), float(np.median(b))),
        (distance := ks_distance(a, b)),
        ks_p_value(distance, len(a), len(b)),
        cliffs_delta(a, b),
    )


def ks_distance(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Return the Kolmogorov-Smirnov distance of two sorted samples, in [0, 1]."""
    places = np.concatenate([a, b])
    shares = [np.searchsorted(values, places, side="right") / len(values) for values in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


def ks_p_value(distance: float, a: int, b: int) -> float:
    """Return the asymptotic p-value of a distance between samples of sizes a and b, in [0, 1].

    With equal values in the samples, as for numbers of turns, the true value is smaller.
    Source: Stephens 1970, "Use of the Kolmogorov-Smirnov … statistics", with its correction for small samples.
    """
    root = math.sqrt(a * b / (a + b))
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.2:  # the series converges slowly here, and the value is 1 to 10 digits
        return 1.0
    terms = [(1 if k % 2 else -1) * math.exp(-2 * k * k * scaled * scaled) for k in range(1, 101)]
    return min(1.0, max(0.0, 2 * sum(terms)))


def cliffs_delta(a: Numbers, b: Numbers) -> float:
    """Return P(b > a) - P(b < a) for values drawn from two sorted samples, in [-1, 1].

    Source: Cliff 1993, "Dominance statistics".
    """
    larger = int(np.searchsorted(a, b, side="left").sum())
    smaller = int((len(a) - np.searchsorted(a, b, side="right")).sum())
    return (larger - smaller) / (len(a) * len(b))


def new_topics(known: SplitStatistics, other: SplitStatistics) -> int:
    """Return the number of the other split's dialogues whose topic does not occur in the known split."""
    return sum(count for topic, count in other.topics.items() if topic not in known.topics)
