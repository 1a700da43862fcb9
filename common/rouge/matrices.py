"""Score candidates against each other or against references: one matrix of F1 for each dialogue."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.core.errors import UserError
from common.core.threads import side_by_side
from common.rouge.arrays import Array, Index, with_headline
from common.rouge.batch import characters_in
from common.rouge.checks import blank_texts, check_same_length, check_texts
from common.rouge.counting import Counter
from common.rouge.profiles import METRICS, Profile, get_profile

CELLS = 16_384
"""Number of cells of pairwise matrices counted at a time: more than CHUNK, because the cells share few texts."""


def pairwise(
    candidates: Sequence[Sequence[str]],
    profile: str = "leaderboard",
    *,
    tokenizer: str | None = None,
    use_stemmer: bool = False,
    cache_dir: str | Path | None = None,
    threads: int | None = None,
) -> list[dict[str, Array]]:
    """Return the n x n matrices of F1 of every dialogue, with candidate i as hypothesis and j as reference.

    Keys are "rouge1", "rouge2", "rougeL" and the profile's headline, in the profile's scale. All matrices are
    symmetric except ROUGE-L of rouge101. Rows and columns of blank candidates are 0, so that empty texts do not
    support each other. A dialogue may have any number of candidates, including none. The options are those of ``batch.corpus``.
    Raises UserError as ``batch.corpus`` does.
    """
    chosen = get_profile(profile)
    counter = Counter(chosen, tokenizer, use_stemmer, cache_dir)
    if isinstance(candidates, str) or not hasattr(candidates, "__len__"):
        raise UserError(
            f"candidates is {type(candidates).__name__}; wanted one list of texts for each dialogue."
        )
    all_lists = set(map(type, candidates)) <= {list, tuple}
    if not all_lists or not set(map(type, chain.from_iterable(candidates))) <= {str}:
        for place, texts in enumerate(candidates):
            check_texts(texts, f"candidates[{place}]")
    sizes = np.fromiter(map(len, candidates), np.int64, len(candidates))
    # Each text is compared with every candidate of its dialogue.
    of_texts = characters_in(candidates)
    characters = of_texts * int(sizes.max(initial=0))
    results: list[dict[str, Array]] = [{}] * len(sizes)
    parts = []
    # The pairs of a text share its tokens, so the texts decide: two threads are slower than one for a few thousand texts.
    most = min(counter.threads(size, threads) for size in (characters, of_texts))
    for n in set(sizes.tolist()):  # dialogues with equally many candidates share one array
        cells, places = _cells(n, chosen.name != "rouge101"), np.flatnonzero(sizes == n).tolist()
        step = max(1, (CELLS if most == 1 else CELLS // 2) // max(1, n * n))
        parts += [(cells, places[first : first + step]) for first in range(0, len(places), step)]

    def score(part: tuple[_Cells, list[int]]) -> None:
        cells, places = part
        squares = _squares([candidates[place] for place in places], cells, counter, chosen, characters)
        for place, matrices in zip(places, squares, strict=True):
            results[place] = matrices

    side_by_side(score, parts, most)
    return results


class _Cells(NamedTuple):
    """The pairs to count of a square matrix, and which of them each cell shows."""

    row: Index
    """Place of each pair's reference; it changes slowest, so that the masks of a reference are built once."""
    column: Index
    """Place of each pair's hypothesis."""
    pair: Index
    """(n, n): index of the pair of each cell, where the hypothesis selects the row."""


def _cells(n: int, symmetric: bool) -> _Cells:
    """Return all pairs of n candidates, or half of them where swapping the sides changes nothing.

    Swapping swaps precision and recall, and F stays the same to the last bit, except in rouge101.
    """
    row, column = np.triu_indices(n) if symmetric else np.indices((n, n)).reshape(2, -1)
    pair = np.empty((n, n), np.int64)
    # The second assignment overwrites the first.
    pair[row, column] = np.arange(len(row))
    pair[column, row] = np.arange(len(row))
    return _Cells(row, column, pair)


def _squares(
    dialogues: Sequence[Sequence[str]], cells: _Cells, counter: Counter, profile: Profile, characters: int
) -> list[dict[str, Array]]:
    """Return the matrices of dialogues with equally many candidates."""
    texts = list(chain.from_iterable(dialogues))
    groups = np.arange(0, len(texts) + 1, max(1, len(cells.pair)))
    hyp = np.add.outer(groups[:-1], cells.column).ravel()
    ref = np.add.outer(groups[:-1], cells.row).ravel()
    f1 = counter.f1(texts, groups, hyp, ref, characters)
    blank = blank_texts(texts, "candidates")
    if blank.any():
        f1[:, blank[hyp] | blank[ref]] = 0.0
    values = with_headline({key: f1[k] for k, key in enumerate(METRICS)}, profile)
    stacks = [value.reshape(len(dialogues), -1).take(cells.pair, axis=1) for value in values.values()]
    one, two, three, headline = values
    return [{one: a, two: b, three: c, headline: d} for a, b, c, d in zip(*stacks, strict=True)]


def cross(
    candidates: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
    profile: str = "leaderboard",
    *,
    tokenizer: str | None = None,
    use_stemmer: bool = False,
    cache_dir: str | Path | None = None,
) -> list[Array]:
    """Return the (candidates, references) matrix of the profile's headline for every dialogue, in its scale.

    A dialogue may have any number of candidates and of references. Rows and columns of blank texts are 0. The options
    are those of ``corpus``.
    Raises UserError as ``corpus`` does.
    """
    chosen = get_profile(profile)
    counter = Counter(chosen, tokenizer, use_stemmer, cache_dir)
    check_same_length(candidates, references, "candidates", "references")
    for name, lists in (("candidates", candidates), ("references", references)):
        for place, texts in enumerate(lists):
            check_texts(texts, f"{name}[{place}]")
    # Each candidate is compared with every reference of its dialogue.
    sizes = zip(map(len, candidates), map(len, references), candidates, references, strict=True)
    characters = sum(
        m * sum(map(len, hypotheses)) + n * sum(map(len, targets)) for n, m, hypotheses, targets in sizes
    )
    results = []
    for hypotheses, targets in zip(candidates, references, strict=True):
        texts, n = [*hypotheses, *targets], len(hypotheses)
        # References change slowest, so the masks of each are built once.
        ref, hyp = np.indices((len(targets), n)).reshape(2, -1)
        groups = np.array([0, len(texts)])
        f1 = counter.f1(texts, groups, hyp, ref + n, characters)
        values = with_headline({key: f1[k] for k, key in enumerate(METRICS)}, chosen)[chosen.headline_key]
        blank = blank_texts(texts, "texts")
        values[blank[hyp] | blank[ref + n]] = 0.0
        results.append(values.reshape(len(targets), n).T)
    return results
