"""Feed texts to the compiled kernels. Importing this imports numba, so ``counting.py`` does so only if it pays off."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, count

import numpy as np

from common.rouge.arrays import Array, Counts, Index, ngram_sizes
from common.rouge.kernels import Ids, count_long, count_short
from common.rouge.kernels101 import count_rouge101, distinct_counts
from common.rouge.kernels_chunk import SCORED, UNREADABLE, score_chunk
from common.rouge.kernels_pairs import fill_f1
from common.rouge.kernels_text import SEPARATOR, SPACE, SPARE, CodeUnits, Places, fold, letters, number, pack

_WORD_BITS = 64  # reference tokens that fit in one machine word


def count_texts(
    texts: Sequence[str], groups: Index, hyp: Index, ref: Index, mode: str
) -> tuple[Counts, Counts] | None:
    """Return overlaps [3, pairs] and sizes [3, texts], one row per metric.

    ``mode`` selects the tokens: "whitespace", "alnum", "sentences" or "lines" (one token per line, case kept).
    Returns None when the texts together contain SEPARATOR or more different characters than 16 bits can represent; in
    "lines" mode also when a token contains one of the characters below U+0020 that the kernels use as markers.
    """
    folded = breaks = None
    for units, table, lowered in _readings(texts, mode):
        folded, breaks, unsure = _fold(units, table)
        if lowered or not unsure:
            break
    if folded is None or breaks is None:
        return None
    read, words, offsets, sentences, sentence_offsets = pack(
        folded, breaks, len(texts), groups, mode == "whitespace", mode == "sentences"
    )
    if read < len(breaks):
        return None
    ids, vocabulary = number(words, offsets, groups)
    if mode != "sentences":
        return _count_ids(ids, offsets, vocabulary, hyp, ref)
    out = np.empty((3, len(hyp)), np.int64)
    count_rouge101(ids, offsets, sentences, sentence_offsets, vocabulary, hyp, ref, out)
    sizes = np.empty((3, len(texts)), np.int64)
    distinct_counts(ids, offsets, vocabulary, sizes)
    return out, sizes


def score_short(
    texts: Sequence[str], groups: Index, hyp: Index, ref: Index, mode: str
) -> tuple[Array, Index] | None:
    """Return F1 in [0, 1] of the pairs, [3, pairs], and the indices of pairs with a text too long for this way.

    The scores of these pairs are not set. Returns None as ``count_texts`` does.
    """
    out = np.empty((3, len(hyp)))
    left = np.empty(len(hyp), np.int64)
    for units, table, lowered in _readings(texts, mode):
        result, count_left = score_chunk(
            units, table, lowered, len(texts), groups, mode == "whitespace", mode == "sentences", hyp, ref, out, left
        )  # fmt: skip
        if result == SCORED:
            return out, left[:count_left]
        if result == UNREADABLE:
            break
    return None


def score_texts(texts: Sequence[str], groups: Index, hyp: Index, ref: Index, mode: str) -> Array | None:
    """Return F1 in [0, 1] of the pairs, [3, pairs]; None as ``count_texts`` does.

    A text of few pairs is compared with each of them as it is, without a table of tokens, if it is short.
    """
    left = None
    if len(hyp) <= len(texts):
        scored = score_short(texts, groups, hyp, ref, mode)
        if scored is None:
            return None
        out, left = scored
        if not left.size:
            return out
        hyp, ref = hyp[left], ref[left]
        needed = np.unique(np.concatenate((hyp, ref)))
        groups, hyp, ref = (np.searchsorted(needed, places) for places in (groups, hyp, ref))
        texts, groups = [texts[place] for place in needed.tolist()], np.unique(groups)
    counted = count_texts(texts, groups, hyp, ref, mode)
    if counted is None:
        return None
    found = np.empty((3, len(hyp)))
    fill_f1(*counted, hyp, ref, mode == "sentences", found)
    if left is None:
        return found
    out[:, left] = found
    return out


def _readings(texts: Sequence[str], mode: str) -> Iterator[tuple[CodeUnits, CodeUnits, bool]]:
    """Yield the joined texts as 16-bit characters, their ``letters``, and whether these are sure for every character.

    A second reading follows for texts with unsure characters. Nothing is left to yield when 16 bits cannot represent
    the characters.
    """
    _keep_freed_memory()
    joined = SEPARATOR.join([*texts, ""])
    as_is = mode in ("sentences", "lines")
    units = _narrow(joined)
    if units is not None:
        yield units, letters(mode, as_is), as_is
        if as_is:
            return
    if not as_is:
        # Python lower-cases each text: "İ" becomes two characters, the lower case of "Σ" depends on its
        # neighbours, and letters beyond U+FFFF are not in the tables.
        joined = SEPARATOR.join([*(text.lower() for text in texts), ""])
        units = _narrow(joined)
    if units is None:
        units = _renamed(joined)
    if units is not None:
        yield units, letters(mode, True), True


@cache
def _keep_freed_memory() -> None:
    """Stop glibc from returning each chunk's buffers to the system and fetching them again page by page.

    glibc keeps blocks up to the size of the largest block it has seen freed; this block is never touched. This saves
    a third of the time. Other allocators are not affected.
    """
    np.empty(32_000_000, np.uint8)


def _fold(units: CodeUnits, table: CodeUnits) -> tuple[CodeUnits, Places, bool]:
    """Return the code of each character, the places of breaks, and whether any character was unsure.

    SPARE more codes follow the last character. See ``kernels_text.letters`` for the codes.
    """
    folded = np.empty(len(units) + SPARE, np.uint16)
    folded[-SPARE:] = SPACE
    breaks = np.empty(len(units) + 1, np.int32)
    found, unsure = fold(units, table, folded, breaks)
    return folded, breaks[:found], unsure


def _narrow(joined: str) -> CodeUnits | None:
    """Return the characters as 16-bit numbers, or None when one is beyond U+FFFF or is a lone surrogate."""
    try:
        narrow = joined.encode("utf-16-le")
    except UnicodeEncodeError:
        return None
    return np.frombuffer(narrow, np.uint16) if len(narrow) == 2 * len(joined) else None


def _renamed(joined: str) -> CodeUnits | None:
    """Return the characters as 16-bit numbers, with unused private characters in place of those beyond U+FFFF.

    Returns None when there are not enough unused private characters.
    """
    wide = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32).copy()
    beyond = wide > 0xFFFF
    private = np.setdiff1d(np.arange(0xE000, 0xF900), wide)
    names, number = np.unique(wide[beyond], return_inverse=True)
    if len(names) > len(private):
        return None
    wide[beyond] = private[number]
    return wide.astype(np.uint16)


def count_tokens(tokens: Sequence[Sequence[str]], hyp: Index, ref: Index) -> tuple[Counts, Counts]:
    """Return overlaps [3, pairs] and sizes [3, texts], one row per metric, of texts that are split into tokens."""
    name: defaultdict[str, int] = defaultdict(count().__next__)
    offsets = np.zeros(len(tokens) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, tokens), np.int64, len(tokens)), out=offsets[1:])
    ids = np.fromiter(map(name.__getitem__, chain.from_iterable(tokens)), np.int32, int(offsets[-1]))
    return _count_ids(ids, offsets, max(len(name), 1), hyp, ref)


def _count_ids(ids: Ids, offsets: Counts, vocabulary: int, hyp: Index, ref: Index) -> tuple[Counts, Counts]:
    out = np.empty((3, len(hyp)), np.int64)
    lengths = np.diff(offsets)
    short = lengths[ref] <= _WORD_BITS
    if short.all():
        count_short(ids, offsets, vocabulary, hyp, ref, out)
    else:
        for chosen, kernel in ((short, count_short), (~short, count_long)):
            part = np.empty((3, int(chosen.sum())), np.int64)
            if part.size:
                kernel(ids, offsets, vocabulary, hyp[chosen], ref[chosen], part)
                out[:, chosen] = part
    return out, ngram_sizes(lengths)


def warm_up() -> None:
    """Compile every kernel, or load it from disk.

    Run it once after installation (about ten seconds the first time), so that no later call waits for the compiler.
    """
    texts, groups = ["가 나 다.", "가 나.", "가 " * (_WORD_BITS + 1)], np.array([0, 3], np.int64)
    hyp, ref = np.array([0, 1, 0, 0], np.int64), np.array([1, 0, 0, 2], np.int64)
    for mode in ("whitespace", "sentences"):
        score_texts(texts, groups, hyp, ref, mode)
        score_texts(texts, groups, hyp[-1:], ref[-1:], mode)
