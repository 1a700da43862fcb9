"""Feeds texts to the compiled kernels. Importing it imports numba, so only ``counting.py`` does, when it pays."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import chain, count

import numpy as np

from common.rouge.counting import Counts, Index, ngram_sizes
from common.rouge.kernels import Ids, count_long, count_short
from common.rouge.kernels101 import count_rouge101, distinct_counts
from common.rouge.kernels_text import SEPARATOR, SPACE, CodeUnits, Places, fold, intern, letters

_WORD = 64  # reference tokens that fit in one machine word


def count_texts(
    texts: Sequence[str], groups: Index, hyp: Index, ref: Index, mode: str
) -> tuple[Counts, Counts] | None:
    """Overlaps [3, pairs] and sizes [3, texts], a row for each metric; tokens of mode "whitespace", "alnum",
    "sentences" or "lines" (one token a line, case as it is).

    None for texts that together hold more different characters than 16 bits can tell apart, or SEPARATOR;
    and in "lines" when a token holds one of the characters below U+0020 that the kernels use themselves.
    """
    _steady_memory()
    joined = SEPARATOR.join([*texts, ""])
    as_is = mode in ("sentences", "lines")
    units = _narrow(joined)
    folded, breaks, unsure = _fold(units, mode, as_is) if units is not None else (None, None, True)
    if unsure and not as_is:
        # "İ" lowers to two characters, what "Σ" lowers to depends on its neighbours, and letters beyond U+FFFF are
        # not in the tables: Python lowers each text.
        joined = SEPARATOR.join([*(text.lower() for text in texts), ""])
    if unsure:
        units = _narrow(joined)
        if units is None:
            units = _renamed(joined)
        if units is None:
            return None
        folded, breaks, _ = _fold(units, mode, True)
    assert folded is not None and breaks is not None
    read, room = -1, 128
    while read < 0:
        room *= 2
        read, ids, offsets, vocabulary, sentences, sentence_offsets = intern(
            folded, breaks, len(texts), groups, mode == "whitespace", mode == "sentences", room
        )
    if read < len(breaks):
        return None
    if mode != "sentences":
        return _count_ids(ids, offsets, vocabulary, hyp, ref)
    out = np.empty((3, len(hyp)), np.int64)
    count_rouge101(ids, offsets, sentences, sentence_offsets, vocabulary, hyp, ref, out)
    sizes = np.empty((3, len(texts)), np.int64)
    distinct_counts(ids, offsets, vocabulary, sizes)
    return out, sizes


@cache
def _steady_memory() -> None:
    """Nothing; stops glibc from handing each chunk's buffers back to the system, to fetch them anew page by page.

    It keeps pieces as large as the largest it has seen freed: this one is never touched. Worth a third of the time;
    elsewhere it does nothing.
    """
    np.empty(32_000_000, np.uint8)


def _fold(units: CodeUnits, mode: str, lowered: bool) -> tuple[CodeUnits, Places, bool]:
    """What each character counts as, with eight spare ones after; where words end; was some character unsure."""
    folded = np.empty(len(units) + 8, np.uint16)
    folded[-8:] = SPACE
    breaks = np.empty(len(units) + 1, np.int32)
    found, unsure = fold(units, letters(mode, lowered), folded, breaks)
    return folded, breaks[:found], unsure and not lowered


def _narrow(joined: str) -> CodeUnits | None:
    """The characters as 16-bit numbers, or None when one is beyond U+FFFF or half a surrogate pair."""
    try:
        narrow = joined.encode("utf-16-le")
    except UnicodeEncodeError:
        return None
    return np.frombuffer(narrow, np.uint16) if len(narrow) == 2 * len(joined) else None


def _renamed(joined: str) -> CodeUnits | None:
    """The characters as 16-bit numbers, those beyond U+FFFF in the place of private ones that do not occur."""
    wide = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32).copy()
    beyond = wide > 0xFFFF
    private = np.setdiff1d(np.arange(0xE000, 0xF900), wide)
    names, number = np.unique(wide[beyond], return_inverse=True)
    if len(names) > len(private):
        return None
    wide[beyond] = private[number]
    return wide.astype(np.uint16)


def count_tokens(tokens: Sequence[Sequence[str]], hyp: Index, ref: Index) -> tuple[Counts, Counts]:
    """Overlaps [3, pairs] and sizes [3, texts], a row for each metric, for texts that are tokens already."""
    number: defaultdict[str, int] = defaultdict(count().__next__)
    offsets = np.zeros(len(tokens) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, tokens), np.int64, len(tokens)), out=offsets[1:])
    ids = np.fromiter(map(number.__getitem__, chain.from_iterable(tokens)), np.int32, int(offsets[-1]))
    return _count_ids(ids, offsets, max(len(number), 1), hyp, ref)


def _count_ids(ids: Ids, offsets: Counts, vocabulary: int, hyp: Index, ref: Index) -> tuple[Counts, Counts]:
    out = np.empty((3, len(hyp)), np.int64)
    lengths = np.diff(offsets)
    short = lengths[ref] <= _WORD
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
    """Nothing; compiles every kernel, or loads it from disk.

    Run it once after installing (it takes some ten seconds the first time) and no later call waits for the compiler.
    """
    index, groups = np.array([0], np.int64), np.array([0, 2], np.int64)
    for mode in ("whitespace", "sentences"):
        count_texts(["가 나 다.", "가 나."], groups, index, index + 1, mode)
    long = ["가"] * (_WORD + 1)
    count_tokens([long, long], index, index + 1)
