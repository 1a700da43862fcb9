"""Define the array types of scores, counts and indices, and the n-gram counts that both counters need."""

import numpy as np
import numpy.typing as npt

from common.rouge.profiles import Profile

Array = npt.NDArray[np.float64]
"""Scores."""
Counts = npt.NDArray[np.int64]
"""Numbers of tokens, n-grams or overlaps."""
Index = npt.NDArray[np.int64]
"""Positions in a list of texts or tokens."""


def ngram_sizes(lengths: Counts) -> Counts:
    """Return the numbers of unigrams, bigrams and (for the LCS) tokens of texts of these lengths, [3, texts]."""
    return np.stack((lengths, np.maximum(lengths - 1, 0), lengths))


def with_headline(values: dict[str, Array], profile: Profile) -> dict[str, Array]:
    """Return F1 arrays, given in [0, 1], in the profile's scale and with the headline added."""
    total = values["rouge1"] + values["rouge2"] + values["rougeL"]
    headline = (total if profile.summed else total / 3) * profile.headline_scale
    scaled = values if profile.scale == 1.0 else {key: value * profile.scale for key, value in values.items()}
    return {**scaled, profile.headline_key: headline}
