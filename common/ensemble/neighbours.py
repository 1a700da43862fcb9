"""Compare candidates with the summaries of the most similar train dialogues, which resemble the reference."""

from collections.abc import Sequence

import numpy as np

from common.core.progress import waiting
from common.data.rows import Row
from common.ensemble.pool import Floats, Pool
from common.prompts.shots import shot_index
from common.rouge import METRICS, corpus, get_profile

NEIGHBOURS = 16
NAMES = tuple(f"neighbours_{kind}_{metric}" for metric in METRICS for kind in ("best", "mean"))


def neighbours(
    pool: Pool, rows: Sequence[Row], train: Sequence[Row], near_copy: float, tokenizer: str, profile: str
) -> Floats:
    """Return F1 in [0, 1] with the 16 nearest train summaries, (dialogues, n, 6): best and mean of ROUGE-1, 2 and L.

    `rows` are the pool's dialogues. Nearest is by BM25; in the mean the r-th nearest has weight 1/r. Near-copies of a
    row in train (`near_copy`) are left out, because a dialogue that occurs twice would reveal its own reference, on
    dev more often than on test.
    Raises UserError as `shot_index` does, also when a row of the pool is in train.
    """
    index = shot_index(train, tokenizer, forbidden=rows, near_copy=near_copy)
    with waiting("find similar dialogues in train"):
        shots = [list(reversed(found.shots)) for found in index.select_all(list(rows), NEIGHBOURS)]
    pairs = [
        (text, shot.summaries[0])
        for texts, nearest in zip(pool.texts, shots, strict=True)
        for text in texts
        for shot in nearest
    ]
    found = np.zeros((*pool.owner.shape, len(NAMES)))
    if not pairs:
        return found
    scored = corpus([text for text, _ in pairs], [[summary] for _, summary in pairs], profile).per_example
    values = np.stack([scored[metric] for metric in METRICS], axis=1) / get_profile(profile).scale
    start = 0
    for row, (texts, nearest) in enumerate(zip(pool.texts, shots, strict=True)):
        if not nearest:
            continue
        end = start + len(texts) * len(nearest)
        own = values[start:end].reshape(len(texts), len(nearest), len(METRICS))
        share = 1 / np.arange(1, len(nearest) + 1)
        mean = np.einsum("trm,r->tm", own, share / share.sum())
        found[row, : len(texts), 0::2], found[row, : len(texts), 1::2] = own.max(axis=1), mean
        start = end
    return found
