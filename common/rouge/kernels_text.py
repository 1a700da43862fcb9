"""Compiled tokenizing: many texts to interned token ids, exact (no hash decides equality).

Imported only together with ``kernels.py``.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from common.rouge.kernels import Ids, Integer, Offsets, compiled

CodeUnits = npt.NDArray[np.uint16]
Places = npt.NDArray[np.int32]

SPACE, STOP, UNSURE = 0x20, 0x2E, 0xFFFF
"""What ``letters`` maps characters to that end a word, end a sentence, or need Python's own ``lower``."""

_ZERO = np.uint64(0)
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(16), np.uint64(32), np.uint64(48)
_INLINE = 8  # characters that fit in the two words of a table entry


@cache
def _python_facts() -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """For every character below U+10000: is it whitespace, does ``lower`` change it; asked of Python itself."""
    characters = [chr(c) for c in range(0x10000)]
    spaces = np.array([c.isspace() for c in characters])
    changing = np.array([c.lower() != c for c in characters])
    return spaces, changing


@cache
def letters(mode: str, lowered: bool = False) -> CodeUnits:
    """What each character below U+10000 counts as, for "whitespace", "sentences" or "alnum" tokens.

    Itself, its small letter, SPACE for all that separates words, or UNSURE. ``lowered``: Python has lower-cased the
    text already (or nobody should), so nothing is unsure, and U+FFFF is just itself.
    """
    spaces, changing = _python_facts()
    table = np.arange(0x10000, dtype=np.uint16)
    table[spaces] = SPACE
    if mode == "alnum":
        table[:] = SPACE
        for first, last in ("09", "az"):
            table[ord(first) : ord(last) + 1] = np.arange(ord(first), ord(last) + 1)
    if not lowered:
        table[changing] = UNSURE
        table[ord("A") : ord("Z") + 1] = np.arange(ord("a"), ord("z") + 1)
    return table


@compiled
def fold(
    text: CodeUnits, letters: CodeUnits, stop: int, folded: CodeUnits, breaks: Places
) -> tuple[int, bool]:
    """Fills ``folded`` with what each character counts as, and ``breaks`` with the places of SPACE and ``stop``.

    Returns the number of breaks and whether some character was UNSURE. No branch depends on the text: at the end of
    a word a processor would guess wrong half the time, and wait.
    """
    found: Integer = np.int64(0)
    unsure = False
    for i in range(text.size):
        letter = letters[text[i]]
        folded[i] = letter
        breaks[found] = i
        found += np.int64(letter == SPACE) | np.int64(letter == stop)
        unsure |= letter == UNSURE
    return found, unsure


@compiled
def four(text: CodeUnits, begin: Integer, size: Integer) -> Integer:
    """Up to four characters of a token side by side in one word, zero where the token has ended."""
    word = (
        np.uint64(text[begin])
        | (np.uint64(text[begin + 1]) << _SHIFT_1)
        | (np.uint64(text[begin + 2]) << _SHIFT_2)
        | (np.uint64(text[begin + 3]) << _SHIFT_3)
    )
    kept = min(max(size, 0), 4)
    # Two shifts, for one by 64 is undefined.
    return word & ~((_FREE << np.uint64(8 * kept)) << np.uint64(8 * kept))


@compiled
def intern(
    text: CodeUnits,
    breaks: Places,
    starts: Offsets,
    groups: Offsets,
    keep_edges: bool,
    sentences: bool,
    room: int,
) -> tuple[bool, Ids, Offsets, Integer, Offsets, Offsets]:
    """Token ids of many folded texts that lie in one array, each followed by a SPACE, with eight spare characters after.

    Text t is ``text[starts[t]:starts[t + 1] - 1]``; group g holds the texts from ``groups[g]`` up to
    ``groups[g + 1]``. Ids compare within a group only, so that its table fits in the fastest cache. ``room``
    is that table's size, a power of two. Returns a flag, False (and the rest void) when a group has more than half as
    many different tokens: then call again with more room (a table that grew in here would cost every look-up a
    third of its speed). Then the ids, in each group numbered by first appearance after 0, which is the empty token; each text's token offsets; how many
    ids the richest group has; and with ``sentences`` the token index where each sentence begins and each text's
    sentence offsets. ``keep_edges``: an empty text, and an edge with whitespace, give the empty token.
    """
    texts = starts.size - 1
    bound = breaks.size + 2 * texts + 1
    ids = np.empty(bound, np.int32)
    offsets = np.zeros(texts + 1, np.int64)
    sentence_begins = np.empty(bound if sentences else 1, np.int64)
    sentence_offsets = np.zeros(texts + 1, np.int64)
    # A token of up to eight characters is kept whole in two words, beside its size and id, so comparing it touches
    # one cache line. Of a longer one there is a hash instead of the second word, and the text is compared.
    table = np.full((room, 3), _FREE, np.uint64)
    begins = np.empty(room, np.int64)
    places = np.empty(room, np.int64)
    last_place = np.int64(room - 1)
    shift = np.uint64(64)
    while room > 1:
        room //= 2
        shift -= np.uint64(1)
    known = np.int64(1)
    richest = np.int64(1)
    n = np.int64(0)
    found = np.int64(0)
    group = np.int64(0)
    upcoming = np.int64(0)
    slot: Integer = np.int64(0)
    token: Integer = np.int64(0)
    for t in range(texts):
        if t == groups[group + 1]:
            group += 1
            for token in range(1, known):
                table[places[token], 2] = _FREE
            known = np.int64(1)
        first = starts[t]
        stop = starts[t + 1] - 1
        if keep_edges and text[first] == SPACE:
            ids[n] = 0
            n += 1
        begin = first
        sentence_begin = first
        sentence_token = n
        while begin <= stop:
            end = np.int64(breaks[upcoming])
            upcoming += 1
            size = end - begin
            if size > 0:
                low = four(text, begin, size)
                high = four(text, begin + 4, size - 4)
                for p in range(_INLINE, size):
                    high = (high ^ np.uint64(text[begin + p])) * _PRIME
                stirred = (low ^ (high * _PRIME)) * _PRIME
                slot = np.int64((stirred ^ (stirred << _HALF)) >> shift)
                while True:
                    entry = table[slot, 2]
                    if entry == _FREE:
                        table[slot, 0] = low
                        table[slot, 1] = high
                        table[slot, 2] = (np.uint64(size) << _HALF) | np.uint64(known)
                        begins[known] = begin
                        places[known] = slot
                        ids[n] = known
                        known += 1
                        if 2 * known > last_place:
                            return False, ids, offsets, known, sentence_begins, sentence_offsets
                        break
                    if table[slot, 0] == low and table[slot, 1] == high and np.int64(entry >> _HALF) == size:
                        token = np.int64(entry & _LOW)
                        p = _INLINE
                        while p < size and text[begin + p] == text[begins[token] + p]:
                            p += 1
                        if p >= size:
                            ids[n] = token
                            break
                    slot = (slot + 1) & last_place
                n += 1
            if sentences and (end == stop or text[end] == STOP):
                if end > sentence_begin:
                    if n == sentence_token:  # only spaces: one empty word
                        ids[n] = 0
                        n += 1
                    sentence_begins[found] = sentence_token
                    found += 1
                sentence_begin = end + 1
                sentence_token = n
            begin = end + 1
        if keep_edges and first < stop and text[stop - 1] == SPACE:
            ids[n] = 0
            n += 1
        richest = max(richest, known)
        offsets[t + 1] = n
        sentence_offsets[t + 1] = found
    return True, ids[:n], offsets, richest, sentence_begins[:found], sentence_offsets
