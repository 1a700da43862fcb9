"""Count overlaps on Python integers: no compiler, no arrays, correct for any length.

The compiled kernels in ``kernels.py`` run the same algorithms on 64-bit words. This module serves small calls (where
loading a compiler would cost more than the work), ``RougeScorer`` and ``Rouge101``, and the kernels are tested
against it.
"""

from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

Token = TypeVar("Token", bound=Hashable)


def position_masks(tokens: Sequence[Token]) -> dict[Token, int]:
    """Return the positions of every distinct token as the bits of one integer."""
    masks: dict[Token, int] = {}
    bit = 1
    for token in tokens:
        masks[token] = masks.get(token, 0) | bit
        bit <<= 1
    return masks


def overlap_counts(
    hypothesis: Sequence[Token], masks: Mapping[Token, int], size: int
) -> tuple[int, int, int]:
    """Return shared unigrams, shared bigrams and LCS length of a hypothesis and a reference, each at least 0.

    ``masks`` are the ``position_masks`` of the reference and ``size`` is its length. N-grams count as multisets:
    every reference position may be used once. One scan of the hypothesis finds all three.
    Source: Lin 2004 "ROUGE" for the counts; Hyyrö 2004 "Bit-parallel LCS-length computation revisited" for the LCS.
    """
    unigrams = bigrams = 0
    used = used_pairs = previous = 0
    full = (1 << size) - 1
    row = full  # bit i is 0 where the LCS grows by one at reference position i
    for token in hypothesis:
        mask = masks.get(token, 0)
        if mask:
            free = mask & ~used
            if free:
                used |= free & -free
                unigrams += 1
            pairs = (previous << 1) & mask & ~used_pairs
            if pairs:
                used_pairs |= pairs & -pairs
                bigrams += 1
            hit = row & mask
            row = ((row + hit) | (row - hit)) & full
        previous = mask
    return unigrams, bigrams, size - row.bit_count()


def ngram_overlap(hypothesis: Sequence[Token], masks: Mapping[Token, int], order: int) -> int:
    """Return the number of n-grams of this order that both sides share, counted as multisets."""
    count = used = 0
    chain = [0] * order  # chain[k]: reference positions where the last k + 1 hypothesis tokens end
    for token in hypothesis:
        mask = masks.get(token, 0)
        for k in range(order - 1, 0, -1):
            chain[k] = (chain[k - 1] << 1) & mask
        chain[0] = mask
        free = chain[-1] & ~used
        if free:
            used |= free & -free
            count += 1
    return count


def lcs_rows(hypothesis: Sequence[Token], masks: Mapping[Token, int], size: int) -> list[int]:
    """Return one integer per hypothesis prefix, starting with the empty one.

    Bit i is 0 where the LCS grows at reference position i.
    """
    full = (1 << size) - 1
    row = full
    rows = [row]
    for token in hypothesis:
        hit = row & masks.get(token, 0)
        row = ((row + hit) | (row - hit)) & full
        rows.append(row)
    return rows


def lcs_positions(reference: Sequence[Token], hypothesis: Sequence[Token]) -> list[int]:
    """Return the reference positions of one LCS, last first, breaking ties as korouge-score does.

    The walk back from both ends drops the reference token unless that shortens the LCS more than dropping the
    hypothesis token does. The row bit alone decides, and no table is needed: where the LCS grows at (i, j), the
    hypothesis token is dropped, elsewhere the reference token.
    """
    size = len(reference)
    rows = lcs_rows(hypothesis, position_masks(reference), size)
    left = size - rows[-1].bit_count()
    i, j = size, len(hypothesis)
    found: list[int] = []
    while left:
        if reference[i - 1] == hypothesis[j - 1]:
            found.append(i - 1)
            i, j, left = i - 1, j - 1, left - 1
        elif not rows[j] >> (i - 1) & 1:
            j -= 1
        else:
            i -= 1
    return found


def lcs_tokens_rouge101(reference: Sequence[Token], hypothesis: Sequence[Token]) -> list[Token]:
    """Return the tokens of one LCS, last first, breaking ties as the ``rouge`` 1.0.1 package does.

    The walk back drops the reference token only when that keeps a strictly longer LCS than dropping the hypothesis
    token does; on a tie it drops the hypothesis token. Swapping the two sides may therefore select other tokens, so
    ROUGE-L is asymmetric.
    """
    size = len(reference)
    rows = lcs_rows(hypothesis, position_masks(reference), size)
    left = size - rows[-1].bit_count()
    i, j = size, len(hypothesis)
    found: list[Token] = []
    while left:
        if reference[i - 1] == hypothesis[j - 1]:
            found.append(reference[i - 1])
            i, j, left = i - 1, j - 1, left - 1
        elif not rows[j] >> (i - 1) & 1:
            j -= 1  # the LCS grows at (i, j), so it is strictly shorter without the reference token
        elif i - (rows[j - 1] & ((1 << i) - 1)).bit_count() < left:
            i -= 1
        else:
            j -= 1
    return found


def rouge101_counts(
    hypothesis: Sequence[Sequence[Token]], reference: Sequence[Sequence[Token]]
) -> tuple[int, int, int]:
    """Return shared distinct unigrams, shared distinct bigrams and union-LCS size, as ``rouge`` 1.0.1 counts them.

    Both sides are lists of sentences. Bigrams cross sentence ends. The union collects distinct tokens over every pair
    of sentences, so a token found twice counts once.
    """
    hyp_words = [word for sentence in hypothesis for word in sentence]
    ref_words = [word for sentence in reference for word in sentence]
    unigrams = len(set(hyp_words) & set(ref_words))
    bigrams = len(set(pairwise(hyp_words)) & set(pairwise(ref_words)))
    union: set[Token] = set()
    for ref_sentence in reference:
        for hyp_sentence in hypothesis:
            union.update(lcs_tokens_rouge101(ref_sentence, hyp_sentence))
    return unigrams, bigrams, len(union)
