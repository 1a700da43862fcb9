"""Compiled tokenizing: many texts to interned token ids in one pass, exact (no hash decides equality).

Imported only together with ``kernels.py``.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from common.rouge.kernels import Ids, Integer, Offsets, compiled

CodeUnits = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
Classes = npt.NDArray[np.uint8]

WORD, SPACE, CAPITAL, STOP, UNSURE = 0, 1, 2, 3, 4
"""What a character does: belongs to a word; ends one; belongs to one as its small letter; ends word and sentence;
changes under ``lower`` in a way only Python knows."""

_ZERO = np.uint64(0)
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_UNIT = np.uint64(16)
_TOP = np.uint64(48)
_INLINE = 8  # 16-bit characters that fit in the two words of a table entry


@cache
def _python_facts() -> tuple[Classes, Classes]:
    """For every character below U+10000: is it whitespace, does ``lower`` change it; asked of Python itself."""
    characters = [chr(c) for c in range(0x10000)]
    spaces = np.array([c.isspace() for c in characters], dtype=np.uint8)
    changing = np.array([c.lower() != c for c in characters], dtype=np.uint8)
    return spaces, changing


@cache
def classes(mode: str, lowered: bool = False) -> Classes:
    """The class of every character below U+10000 for "whitespace", "sentences" or "alnum" tokens.

    ``lowered``: the text has been lower-cased, so nothing is a capital or unsure.
    """
    spaces, changing = _python_facts()
    table = np.where(spaces, SPACE, WORD).astype(np.uint8)
    if mode == "sentences":
        table[ord(".")] = STOP
        return table
    if mode == "alnum":
        table[:] = SPACE
        table[ord("0") : ord("9") + 1] = WORD
        table[ord("a") : ord("z") + 1] = WORD
    if not lowered:
        table[changing == 1] = UNSURE
        table[ord("A") : ord("Z") + 1] = CAPITAL
    return table


@compiled
def tokenize(
    text: CodeUnits, starts: Offsets, groups: Offsets, classes: Classes, keep_edges: bool, sentences: bool
) -> tuple[bool, Ids, Offsets, Integer, Offsets, Offsets, Offsets, Offsets]:
    """Token ids of many texts that lie in one array, each followed by one separator.

    Text t is ``text[starts[t]:starts[t + 1] - 1]``; group g holds the texts from ``groups[g]`` up to
    ``groups[g + 1]``. Ids compare within a group only, so that its tokens fit in the fastest cache. Returns a flag;
    the ids, in each group numbered by first appearance after 0, which is the empty token; each text's token offsets;
    how many ids the richest group has; with ``sentences``, the token index where each sentence begins and each
    text's sentence offsets; and where each id of the last group begins and ends in ``text``. The flag is False, and
    the rest void, when a character is UNSURE: then call again with the text lowered by Python.

    ``keep_edges``: an empty text, and an edge with whitespace, give the empty token.
    """
    texts = starts.size - 1
    bound = text.size // 2 + 3 * texts + 1
    ids = np.empty(bound, np.int32)
    offsets = np.zeros(texts + 1, np.int64)
    sentence_begins = np.empty(bound if sentences else 1, np.int64)
    sentence_offsets = np.zeros(texts + 1, np.int64)
    begins = np.empty(bound, np.int64)
    ends = np.empty(bound, np.int64)
    places = np.empty(bound, np.int64)
    begins[0] = ends[0] = 0
    # A token of up to eight 16-bit characters is kept whole in two words, beside its size and id: comparing it
    # touches one cache line. Longer ones (and those outside 16 bits) keep a hash there and are compared in the text.
    inline = _INLINE if text.itemsize == 2 else 0
    table = np.full((256, 3), _FREE, np.uint64)
    shift = np.uint64(56)  # 64 - log2 of the table's size
    last_place = np.int64(255)
    known = np.int64(1)
    richest = np.int64(1)
    n = np.int64(0)
    found = np.int64(0)
    slot: Integer = np.int64(0)
    group = np.int64(0)
    for t in range(texts):
        if t == groups[group + 1]:
            group += 1
            for token in range(1, known):
                table[places[token], 2] = _FREE
            known = np.int64(1)
        first = starts[t]
        stop = starts[t + 1] - 1
        if keep_edges and (first == stop or _class(classes, text[first]) == SPACE):
            ids[n] = 0
            n += 1
        sentence_begin = first
        sentence_token = n
        i = first
        while i <= stop:
            begin = i
            low = _ZERO
            high = _ZERO
            kind: Integer = np.uint8(WORD)
            while i < stop:
                c = np.uint64(text[i])
                kind = _class(classes, text[i])
                if kind != WORD:
                    if kind == CAPITAL:
                        c += np.uint64(32)
                    elif kind == UNSURE:
                        return False, ids, offsets, 0, sentence_begins, sentence_offsets, begins, ends
                    else:
                        break
                out = high >> _TOP
                high = (high << _UNIT) | (low >> _TOP)
                low = ((low << _UNIT) | (c & np.uint64(0xFFFF))) ^ (out * _PRIME) ^ (c >> _UNIT)
                i += 1
            size = i - begin
            if size > 0:
                stirred = (low ^ (high * _PRIME)) * _PRIME
                slot = np.int64(stirred >> shift)  # the top bits depend on every character
                while True:
                    entry = table[slot, 2]
                    if entry == _FREE:
                        table[slot, 0] = low
                        table[slot, 1] = high
                        table[slot, 2] = (np.uint64(size) << _HALF) | np.uint64(known)
                        begins[known] = begin
                        ends[known] = i
                        places[known] = slot
                        ids[n] = known
                        known += 1
                        richest = max(richest, known)
                        if 2 * known > last_place:
                            shift -= np.uint64(2)
                            table = _grown(table, shift, places)
                            last_place = np.int64(table.shape[0] - 1)
                        break
                    if table[slot, 0] == low and table[slot, 1] == high and np.int64(entry >> _HALF) == size:
                        token = np.int64(entry & _LOW)
                        if size <= inline or _same(text, begin, begins[token], size, classes):
                            ids[n] = token
                            break
                    slot = (slot + 1) & last_place
                n += 1
            if sentences and (i == stop or kind == STOP):
                if i > sentence_begin:
                    if n == sentence_token:  # only spaces: one empty word
                        ids[n] = 0
                        n += 1
                    sentence_begins[found] = sentence_token
                    found += 1
                sentence_begin = i + 1
                sentence_token = n
            i += 1
        if keep_edges and first < stop and _class(classes, text[stop - 1]) == SPACE:
            ids[n] = 0
            n += 1
        offsets[t + 1] = n
        sentence_offsets[t + 1] = found
    return (
        True, ids[:n], offsets, richest, sentence_begins[:found], sentence_offsets, begins[:known], ends[:known]
    )  # fmt: skip


@compiled
def _class(classes: Classes, c: Integer) -> Integer:
    """Class of a character; those from U+10000 are words, for texts that hold any are lowered by Python first."""
    return classes[c] if np.uint64(c) < np.uint64(0x10000) else np.uint8(WORD)


@compiled
def _same(text: CodeUnits, first: Integer, second: Integer, size: Integer, classes: Classes) -> bool:
    """Whether two stretches of the text are the same token; capitals equal small letters where they fold."""
    for p in range(size):
        a = np.int64(text[first + p])
        b = np.int64(text[second + p])
        if a != b:
            a += 32 if a < 128 and classes[a] == CAPITAL else 0
            b += 32 if b < 128 and classes[b] == CAPITAL else 0
            if a != b:
                return False
    return True


@compiled
def _grown(table: npt.NDArray[np.uint64], shift: Integer, places: Offsets) -> npt.NDArray[np.uint64]:
    """The table with four times the room; updates where each id lies."""
    larger = np.full((4 * table.shape[0], 3), _FREE, np.uint64)
    for old in range(table.shape[0]):
        if table[old, 2] != _FREE:
            stirred = (table[old, 0] ^ (table[old, 1] * _PRIME)) * _PRIME
            slot: Integer = np.int64(stirred >> shift)
            while larger[slot, 2] != _FREE:
                slot = (slot + 1) & np.int64(larger.shape[0] - 1)
            for column in range(3):
                larger[slot, column] = table[old, column]
            places[np.int64(table[old, 2] & _LOW)] = slot
    return larger
