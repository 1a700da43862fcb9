"""Weighted consensus (minimum Bayes risk): the candidate that agrees most with the others."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.ensemble.vote import Choice


def mbr(utility: NDArray[np.float64], weights: Sequence[float]) -> Choice:
    """The candidate with the highest weighted mean utility against all others, itself excluded by index.

    `utility[i, j]` is how well candidate i does with j as the reference, shape (n, n); `weights[j]` is how
    far j is trusted as a reference. With one candidate that one is chosen with score 0.
    Of scores equal but for rounding the earlier candidate wins.
    Raises ValueError when shapes differ, there is no candidate, or a weight is negative or no finite number.
    Source: Kumar and Byrne 2004, "Minimum Bayes-Risk Decoding for Statistical Machine Translation".
    """
    w = np.asarray(weights, dtype=np.float64)
    n = len(w)
    if n == 0 or utility.shape != (n, n) or w.min() < 0 or not np.isfinite(w).all():
        raise ValueError(f"utility of shape {utility.shape} with weights {list(weights)}")
    others = np.broadcast_to(w, (n, n)) * ~np.eye(n, dtype=bool)
    total = others.sum(axis=1)
    expected = np.divide((utility * others).sum(axis=1), total, out=np.zeros(n), where=total > 0)
    winners = np.flatnonzero(expected >= expected.max() - 1e-12)
    return Choice(int(winners[0]), float(expected[winners[0]]), tied=len(winners) > 1)
