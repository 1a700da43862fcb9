"""Compiled tokenizing: many texts to interned token ids, exact (no hash decides equality).

Imported only together with ``kernels.py``.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from common.rouge.kernels import Ids, Integer, Offsets, compiled

CodeUnits = npt.NDArray[np.uint16]
Places = npt.NDArray[np.int32]

SPACE, STOP, END, UNSURE = 0x09, 0x0A, 0x0B, 0xFFFF
"""What ``letters`` maps characters to that end a word, a sentence, a text, or need Python's own ``lower``.

The first three are whitespace in Unicode, so no character that belongs to a word has their numbers.
"""
SEPARATOR = "\x01"
"""Stands after every text; a control character that no honest text holds."""

# Places are unsigned all through ``intern``: of a signed one numba asks whether it counts from the end, which costs a
# quarter of the time. A plain number beside them would make them floats.
_ZERO, _ONE, _TWO, _THREE, _FOUR = np.arange(5, dtype=np.uint64)
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_INLINE = np.uint64(8)  # characters that fit in the two words of a table entry


@cache
def _python_facts() -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """For every character below U+10000: is it whitespace, does ``lower`` change it; asked of Python itself."""
    characters = [chr(c) for c in range(0x10000)]
    spaces = np.array([c.isspace() for c in characters])
    changing = np.array([c.lower() != c for c in characters])
    return spaces, changing


@cache
def letters(mode: str, lowered: bool = False) -> CodeUnits:
    """What each character below U+10000 counts as, for "whitespace", "sentences" or "alnum" tokens, or "lines".

    Itself, its small letter, SPACE for all that separates words, END for SEPARATOR, or UNSURE; and in "sentences"
    STOP for a full stop. ``lowered``: Python has lower-cased the
    text already (or nobody should), so nothing is unsure, and U+FFFF is just itself.
    """
    spaces, changing = _python_facts()
    table = np.arange(0x10000, dtype=np.uint16)
    if mode == "lines":
        table[[SPACE, STOP]] = END  # one end too many: the caller is told
        table[ord("\n")] = SPACE
    else:
        table[spaces] = SPACE
    if mode == "alnum":
        table[:] = SPACE
        for first, last in ("09", "az"):
            table[ord(first) : ord(last) + 1] = np.arange(ord(first), ord(last) + 1)
    if mode == "sentences":
        table[ord(".")] = STOP
    table[ord(SEPARATOR)] = END
    if not lowered:
        table[changing] = UNSURE
        table[ord("A") : ord("Z") + 1] = np.arange(ord("a"), ord("z") + 1)
    return table


@compiled
def fold(text: CodeUnits, letters: CodeUnits, folded: CodeUnits, breaks: Places) -> tuple[int, bool]:
    """Fills ``folded`` with what each character counts as, and ``breaks`` with the places of SPACE, STOP and END.

    Returns the number of breaks and whether some character was UNSURE. No branch depends on the text: at the end of
    a word a processor would guess wrong half the time, and wait.
    """
    found: Integer = np.int64(0)
    unsure = False
    for i in range(text.size):
        letter = letters[text[i]]
        folded[i] = letter
        breaks[found] = i
        found += np.int64((letter >= SPACE) & (letter <= END))
        unsure |= letter == UNSURE
    return found, unsure


@compiled
def four(text: CodeUnits, begin: Integer, size: Integer) -> Integer:
    """Up to four characters of a token side by side in one word, zero where the token has ended."""
    word = (
        np.uint64(text[begin])
        | (np.uint64(text[begin + _ONE]) << np.uint64(16))
        | (np.uint64(text[begin + _TWO]) << np.uint64(32))
        | (np.uint64(text[begin + _THREE]) << np.uint64(48))
    )
    kept = np.uint64(8) * min(size, _FOUR)
    # Two shifts, for one by 64 is undefined.
    return word & ~((_FREE << kept) << kept)


@compiled
def intern(
    text: CodeUnits,
    breaks: Places,
    texts: int,
    groups: Offsets,
    keep_edges: bool,
    sentences: bool,
    room: int,
) -> tuple[Integer, Ids, Offsets, Integer, Offsets, Offsets]:
    """Token ids of many folded texts that lie in one array, each followed by END, with eight spare characters after.

    Group g holds the texts from ``groups[g]`` up to
    ``groups[g + 1]``. Ids compare within a group only, so that its table fits in the fastest cache. ``room``
    is that table's size, a power of two. Returns how many breaks were read: all, unless a text held SEPARATOR; or -1
    (and the rest void) when a group has more than half as many different tokens as ``room``: then call again with more
    (a table that grew in here would cost every look-up a third of its speed). Then the ids, in each group numbered by
    first appearance after 0, which is the empty token; each text's token offsets; how many ids the richest group has;
    and with ``sentences`` the token index where each sentence begins and each text's sentence offsets. ``keep_edges``: an empty text, and an edge with whitespace, give the empty token.
    """
    bound = breaks.size + 2 * texts + 1
    ids = np.empty(bound, np.int32)
    offsets = np.zeros(texts + 1, np.int64)
    sentence_begins = np.empty(bound if sentences else 1, np.int64)
    sentence_offsets = np.zeros(texts + 1, np.int64)
    # A token of up to eight characters is kept whole in two words, beside its size and id, so comparing it touches
    # one cache line. Of a longer one there is a hash instead of the second word, and the text is compared.
    table = np.full((room, 3), _FREE, np.uint64)
    begins = np.empty(room, np.uint64)
    places = np.empty(room, np.uint64)
    last_place = np.uint64(room - 1)
    shift = np.uint64(64)
    while room > 1:
        room //= 2
        shift -= _ONE
    known = _ONE
    richest = _ONE
    n = _ZERO
    found = _ZERO
    group = _ZERO
    upcoming = _ZERO
    begin = _ZERO
    for t in range(np.uint64(texts)):
        if t == np.uint64(groups[group + _ONE]):
            group += _ONE
            for old in range(_ONE, known):
                table[places[old], _TWO] = _FREE
            known = _ONE
        first = begin
        if keep_edges and (text[first] == SPACE or text[first] == END):
            ids[n] = 0
            n += _ONE
        sentence_begin = first
        sentence_token = n
        ended = False
        while not ended:
            end = np.uint64(breaks[upcoming])
            upcoming += _ONE
            ended = text[end] == END
            size = end - begin
            if size > _ZERO:
                low = four(text, begin, size)
                high = four(text, begin + _FOUR, size - min(size, _FOUR))
                for q in range(_INLINE, size):
                    high = (high ^ np.uint64(text[begin + q])) * _PRIME
                stirred = (low ^ (high * _PRIME)) * _PRIME
                slot = (stirred ^ (stirred << _HALF)) >> shift
                while True:
                    entry = table[slot, _TWO]
                    if entry == _FREE:
                        table[slot, _ZERO] = low
                        table[slot, _ONE] = high
                        table[slot, _TWO] = (size << _HALF) | known
                        begins[known] = begin
                        places[known] = slot
                        ids[n] = known
                        known += _ONE
                        if _TWO * known > last_place:
                            return -1, ids, offsets, known, sentence_begins, sentence_offsets
                        break
                    if table[slot, _ZERO] == low and table[slot, _ONE] == high and entry >> _HALF == size:
                        token = entry & _LOW
                        p = _INLINE
                        while p < size and text[begin + p] == text[begins[token] + p]:
                            p += _ONE
                        if p >= size:
                            ids[n] = token
                            break
                    slot = (slot + _ONE) & last_place
                n += _ONE
            if sentences and (ended or text[end] == STOP):
                if end > sentence_begin:
                    if n == sentence_token:  # only spaces: one empty word
                        ids[n] = 0
                        n += _ONE
                    sentence_begins[found] = sentence_token
                    found += _ONE
                sentence_begin = end + _ONE
                sentence_token = n
            begin = end + _ONE
        if keep_edges and begin - first > _ONE and text[begin - _TWO] == SPACE:
            ids[n] = 0
            n += _ONE
        richest = max(richest, known)
        offsets[t + _ONE] = n
        sentence_offsets[t + _ONE] = found
    return np.int64(upcoming), ids[:n], offsets, richest, sentence_begins[:found], sentence_offsets
