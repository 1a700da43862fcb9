"""chrF of every pair of a dialogue's candidates: agreement below the word, where Korean particles and endings differ."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ORDER, BETA = 6, 2.0  # of sacrebleu's default, chrF2
_PRIME = np.uint64(0x9E3779B97F4A7C15)


def chrf(texts: Sequence[str]) -> NDArray[np.float32]:
    """(n, n): chrF2 in [0, 1] of text i with text j as the reference, as sacrebleu's default without spaces.

    0 for blank texts. n-grams are told apart by 64-bit hashes.
    Source: Popović 2015, "chrF: character n-gram F-score"; precision and recall are averaged over the orders that
    both texts are long enough for, as in sacrebleu 2 (a test compares).
    """
    n = len(texts)
    letters = [np.fromiter(map(ord, "".join(text.split())), np.uint64) for text in texts]
    precision, recall, orders = (np.zeros((n, n)) for _ in range(3))
    grams = letters
    for order in range(1, ORDER + 1):
        if order > 1:  # each run of letters from the run that is one shorter and the letter after it
            grams = [
                run[:-1] * _PRIME + one[order - 1 :] if len(run) > 1 else run[:0]
                for run, one in zip(grams, letters, strict=True)
            ]
        counts = np.array([len(run) for run in grams], float)
        matches = _shared(grams)
        both = (counts[:, None] > 0) & (counts[None, :] > 0)
        precision += np.where(both, matches / np.maximum(1, counts)[:, None], 0)
        recall += np.where(both, matches / np.maximum(1, counts)[None, :], 0)
        orders += both
    precision, recall = precision / np.maximum(1, orders), recall / np.maximum(1, orders)
    below = BETA**2 * precision + recall
    found = (1 + BETA**2) * precision * recall / np.where(below > 0, below, 1)
    return found.astype(np.float32)


def _shared(grams: Sequence[NDArray[np.uint64]]) -> NDArray[np.float64]:
    """(n, n): how many n-grams two texts share, each as often as the text has it that has it less often."""
    text = np.repeat(np.arange(len(grams)), [len(run) for run in grams])
    if not len(text):
        return np.zeros((len(grams), len(grams)))
    gram = np.concatenate(grams)
    order = np.lexsort((gram, text))
    text, gram = text[order], gram[order]
    first = np.r_[True, (gram[1:] != gram[:-1]) | (text[1:] != text[:-1])]
    start = np.maximum.accumulate(np.where(first, np.arange(len(gram)), 0))
    occurrence = (np.arange(len(gram)) - start).astype(np.uint64)
    # The second "다" of a text is another thing than its first: then shared things are a product of 0s and 1s.
    _, column = np.unique(gram * _PRIME + occurrence, return_inverse=True)
    has = np.zeros((len(grams), int(column.max()) + 1), np.float32)
    has[text, column] = 1
    return (has @ has.T).astype(np.float64)
