"""Arrays that the pure Python and the compiled counters share."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Index = npt.NDArray[np.int64]


def ngram_sizes(lengths: Counts) -> Counts:
    """Return the number of unigrams, bigrams and (for the LCS) again unigrams of texts of these lengths, [3, texts]."""
    return np.stack((lengths, np.maximum(lengths - 1, 0), lengths))
