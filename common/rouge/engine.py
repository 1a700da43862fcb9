"""Feeds texts to the compiled kernels. Importing it imports numba, so only ``counting.py`` does, when it pays."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, count

import numpy as np
import numpy.typing as npt

from common.rouge.counting import Counts, Index, ngram_sizes
from common.rouge.kernels import Ids, count_long, count_short
from common.rouge.kernels101 import count_rouge101, distinct_counts
from common.rouge.kernels_text import classes, tokenize

_WORD = 64  # reference tokens that fit in one machine word


def count_texts(
    texts: Sequence[str], groups: Index, hyp: Index, ref: Index, mode: str
) -> tuple[Counts, Sequence[Counts]]:
    """Overlaps [pairs, 3] and, for each metric, sizes by text; tokens of mode "whitespace", "alnum" or "sentences"."""
    joined = "\n".join(texts) + "\n"
    lowered = False
    while True:
        units, starts = _units(joined, texts)
        if units.dtype == np.uint32 and mode != "sentences" and not lowered:
            done = False  # the tables know characters below U+10000 only; a few beyond have small letters
        else:
            done, ids, offsets, vocabulary, sentences, sentence_offsets, _, _ = tokenize(
                units, starts, groups, classes(mode, lowered), mode == "whitespace", mode == "sentences"
            )
        if done:
            break
        # Text by text: "İ" lowers to two characters, and what "Σ" lowers to depends on its neighbours.
        texts = [text.lower() for text in texts]
        joined = "\n".join(texts) + "\n"
        lowered = True
    if mode != "sentences":
        return _count_ids(ids, offsets, vocabulary, hyp, ref)
    out = np.empty((len(hyp), 3), np.int64)
    count_rouge101(ids, offsets, sentences, sentence_offsets, vocabulary, hyp, ref, out)
    sizes = np.empty((3, len(texts)), np.int64)
    distinct_counts(ids, offsets, vocabulary, sizes)
    return out, list(sizes)


def count_tokens(tokens: Sequence[Sequence[str]], hyp: Index, ref: Index) -> tuple[Counts, Sequence[Counts]]:
    """Overlaps [pairs, 3] and, for each metric, sizes by text, for texts that are tokens already."""
    number: defaultdict[str, int] = defaultdict(count().__next__)
    offsets = np.zeros(len(tokens) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, tokens), np.int64, len(tokens)), out=offsets[1:])
    ids = np.fromiter(map(number.__getitem__, chain.from_iterable(tokens)), np.int32, int(offsets[-1]))
    return _count_ids(ids, offsets, max(len(number), 1), hyp, ref)


def _count_ids(
    ids: Ids, offsets: Counts, vocabulary: int, hyp: Index, ref: Index
) -> tuple[Counts, Sequence[Counts]]:
    out = np.empty((len(hyp), 3), np.int64)
    lengths = np.diff(offsets)
    short = lengths[ref] <= _WORD
    if short.all():
        count_short(ids, offsets, vocabulary, hyp, ref, out)
    else:
        for chosen, kernel in ((short, count_short), (~short, count_long)):
            part = np.empty((int(chosen.sum()), 3), np.int64)
            if len(part):
                kernel(ids, offsets, vocabulary, hyp[chosen], ref[chosen], part)
                out[chosen] = part
    return out, ngram_sizes(lengths)


def _units(
    joined: str, texts: Sequence[str]
) -> tuple[npt.NDArray[np.uint16] | npt.NDArray[np.uint32], Counts]:
    """Code units of the joined texts, 16 bits each where that holds every character, and where each text begins."""
    starts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + 1, out=starts[1:])
    try:
        narrow = joined.encode("utf-16-le")
        if len(narrow) == 2 * len(joined):
            return np.frombuffer(narrow, np.uint16), starts
    except UnicodeEncodeError:
        pass  # half a surrogate pair: no honest text, but Python can hold it
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32), starts


def warm_up() -> None:
    """Nothing; compiles every kernel, or loads it from disk, for both widths of text.

    Run it once after installing (it takes some ten seconds the first time) and no later call waits for the compiler.
    """
    index = np.array([0], np.int64)
    for text in ("가 나 다.", "가 나 😀."):
        for mode in ("whitespace", "sentences", "alnum"):
            count_texts([text, text], np.array([0, 2]), index, index + 1, mode)
    long = ["가"] * (_WORD + 1)
    count_tokens([long, long], index, index + 1)
