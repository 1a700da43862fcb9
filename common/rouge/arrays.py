"""Define the array types of scores, counts and indices, and the n-gram counts that both counters need."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
"""Scores."""
Counts = npt.NDArray[np.int64]
"""Numbers of tokens, n-grams or overlaps."""
Index = npt.NDArray[np.int64]
"""Positions in a list of texts or tokens."""


def ngram_sizes(lengths: Counts) -> Counts:
    """Return the numbers of unigrams, bigrams and (for the LCS) tokens of texts of these lengths, [3, texts]."""
    return np.stack((lengths, np.maximum(lengths - 1, 0), lengths))
