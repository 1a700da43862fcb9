"""Score whole corpora: arrays of F1 for one profile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.core.errors import UserError
from common.core.messages import brief
from common.core.threads import side_by_side
from common.rouge.arrays import Array, with_headline
from common.rouge.checks import (
    blank_texts,
    check_references,
    check_same_length,
    check_sized,
    reference_lists,
)
from common.rouge.counting import Counter
from common.rouge.profiles import METRICS, Profile, get_profile

CHUNK = 2048
"""Number of pairs counted at a time. It bounds memory, and what is read twice is still in a fast cache then.

It does not change the result.
"""


@dataclass(frozen=True)
class CorpusScores:
    """Scores of one corpus under one profile."""

    profile: str
    tokenizer: str
    references_mode: str
    """How several references become one score: "max", "mean", "index:k", or "one" when no example has several."""
    headline_key: str
    per_example: Mapping[str, Array]
    """One value per example: "rouge1", "rouge2", "rougeL" and the headline, in the profile's scale."""
    empty_predictions: int
    """Number of predictions that are empty or only whitespace; each of them scores 0."""
    mean: Mapping[str, float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "mean", {key: float(values.mean()) for key, values in self.per_example.items()}
        )

    @property
    def headline(self) -> float:
        """Return the profile's single number: 0-1 for korouge, 0-100 for leaderboard and google, 0-300 for rouge101."""
        return self.mean[self.headline_key]

    @property
    def label(self) -> str:
        """Return profile and tokenizer, and how references are combined if an example has several."""
        mode = "" if self.references_mode == "one" else f",{self.references_mode}"
        return f"{self.profile}[{self.tokenizer}{mode}]"

    def keyed(self) -> dict[str, float]:
        """Return the means under keys that name profile and tokenizer.

        For example ``leaderboard[mecab-ko-1.0.3+dic-1.0.0]/rouge1``.
        """
        return {f"{self.label}/{key}": value for key, value in self.mean.items()}


def _mode(profile: Profile, wanted: str | int | None, most: int, fewest: int) -> str:
    """Return how to combine references: "one", "max", "mean" or "index:k"; raise UserError if that is impossible."""
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        if not 0 <= wanted < fewest:
            raise UserError(
                f"references_mode is {wanted}, but an example has only {fewest} references; "
                f"choose an index from 0 to {fewest - 1}."
            )
        return "one" if most == 1 else f"index:{wanted}"
    if wanted not in (None, "max", "mean"):
        raise UserError(
            f"unknown references_mode {brief(wanted)}; choose 'max', 'mean' or the index of one reference."
        )
    if most == 1:
        return "one"
    mode = wanted or profile.several
    if not mode:
        raise UserError(
            f"profile {brief(profile.name)} is defined for one reference, but an example has {most}. Choose one with "
            "references_mode=0, or combine them with references_mode='mean' or 'max'."
        )
    return str(mode)


def _combine(pair_f: Array, starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], mode: str) -> Array:
    """Return one F per example from one F per (example, reference) pair."""
    if mode.startswith("index:"):
        chosen: Array = pair_f[starts + int(mode.removeprefix("index:"))]
        return chosen
    if mode == "max":
        best: Array = np.maximum.reduceat(pair_f, starts)
        return best
    if mode == "mean":
        return np.add.reduceat(pair_f, starts) / counts
    return pair_f


def corpus(
    predictions: Sequence[str],
    references: Sequence[Sequence[str] | str],
    profile: str = "korouge",
    references_mode: str | int | None = None,
    *,
    tokenizer: str | None = None,
    use_stemmer: bool = False,
    cache_dir: str | Path | None = None,
    threads: int | None = None,
) -> CorpusScores:
    """Return the scores of every prediction against its reference or references.

    ``references_mode``: "max" takes the best F of each metric, "mean" averages over the references, a number selects
    one reference by its index, and None is the profile's default. ``tokenizer`` replaces the profile's tokenizer
    (rouge101 accepts none), and the metric keys name it. ``cache_dir``: see ``morphemes.cache_path``. ``threads``: the
    most threads that count at once, by default OMP_NUM_THREADS or the number of cores; scores do not depend on it.

    An empty or all-whitespace prediction scores 0 in every profile and is counted in ``empty_predictions``. This is
    the only difference between ``korouge`` and korouge-score, which gives two empty texts 1.0.
    Raises UserError for unequal lengths, no examples, values that are not text, an unknown profile, tokenizer or
    mode, an analyser that is not installed, and Hangul under ``google``.
    """
    chosen = get_profile(profile)
    counter = Counter(chosen, tokenizer, use_stemmer, cache_dir)
    check_sized(predictions, "predictions")
    entries, counts = reference_lists(references)
    check_same_length(predictions, counts, "predictions", "references")
    if not len(counts):
        raise UserError("no examples to score: predictions and references are both empty.")
    mode = _mode(chosen, references_mode, int(counts.max()), int(counts.min()))
    starts = np.cumsum(counts) - counts
    characters = 2 * characters_in(entries)
    pair_f = np.empty((3, int(counts.sum())))
    blank = np.zeros(len(counts), bool)

    def score(examples: slice) -> None:
        first, stop = examples.start, examples.stop
        given = predictions[examples]
        blank[examples] = blank_texts(given, "predictions", first)
        flat = check_references(entries[examples], first)
        texts, groups = _interleaved(given, flat, counts[examples])
        example = np.repeat(np.arange(stop - first), counts[examples])
        ref = np.arange(1, len(example) + 1) + example
        pairs = slice(int(starts[first]), int(starts[first]) + len(flat))
        pair_f[:, pairs] = counter.f1(texts, groups, groups[example], ref, characters)

    side_by_side(score, _chunks(starts), counter.threads(characters, threads))
    if blank.any():
        pair_f[:, np.repeat(blank, counts)] = 0.0
    values = {key: _combine(pair_f[k], starts, counts, mode) for k, key in enumerate(METRICS)}
    return CorpusScores(
        chosen.name,
        counter.tokenizer,
        mode,
        chosen.headline_key,
        with_headline(values, chosen),
        int(blank.sum()),
    )


def _chunks(starts: npt.NDArray[np.int64]) -> list[slice]:
    """Return slices of whole examples, each with about CHUNK pairs but at least one example."""
    chunks = []
    first = 0
    while first < len(starts):
        stop = max(first + 1, int(np.searchsorted(starts, starts[first] + CHUNK)))
        chunks.append(slice(first, stop))
        first = stop
    return chunks


def characters_in(lists: Sequence[Sequence[str]]) -> int:
    """Return the approximate number of characters of all texts together."""
    every = 1 + len(lists) // 100
    return every * sum(len(text) for texts in lists[::every] for text in texts if isinstance(text, str))


def _interleaved(
    predictions: Sequence[str], references: list[str], counts: npt.NDArray[np.int64]
) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return each prediction followed by its references, and the offsets of these groups, end included."""
    groups = np.concatenate(([0], np.cumsum(counts + 1)))
    if len(references) == len(predictions):
        texts = [""] * (2 * len(references))
        texts[0::2] = predictions
        texts[1::2] = references
        return texts, groups
    texts = []
    start = 0
    for prediction, count in zip(predictions, counts.tolist(), strict=True):
        texts.append(prediction)
        texts += references[start : start + count]
        start += count
    return texts, groups
