"""Tokenize in compiled code: turn many texts into interned token ids; a hash alone never decides equality.

Imported only together with ``kernels.py``.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from common.rouge.kernels import Ids, Integer, Offsets, compiled

CodeUnits = npt.NDArray[np.uint16]
Places = npt.NDArray[np.int32]

SPACE, STOP, END, NUL, UNSURE = 0x09, 0x0A, 0x0B, 0x0C, 0xFFFF
"""Codes of characters that end a word, a sentence or a text, of U+0000, or that need Python's own ``lower``.

See ``letters``. The first four numbers are whitespace in Unicode, so no character of a word has them.
"""
SPARE = 12
"""Number of codes after the last character that kernels may read."""
SEPARATOR = "\x01"
"""Stands after every text; a control character that real text does not contain."""

# ``intern`` uses unsigned indices throughout, because numba checks whether a signed index counts from the end, which
# costs a quarter of the time. Mixing them with plain Python numbers would turn them into floats.
_ZERO, _ONE, _TWO, _THREE, _FOUR = np.arange(5, dtype=np.uint64)
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_INLINE = np.uint64(8)  # characters that fit in the two words of a table entry
KEPT = np.array([[(1 << 16 * min(max(size - skipped, 0), 4)) - 1 for size in range(13)] for skipped in (0, 4, 8)], np.uint64)
"""Masks that keep the first, second and third four characters of a token of up to 12 characters, [3, 13]."""


@cache
def _character_properties() -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return two arrays over all characters below U+10000: is it whitespace, and does ``lower`` change it.

    Python itself is asked, so both agree with ``str`` methods.
    """
    characters = [chr(c) for c in range(0x10000)]
    spaces = np.array([c.isspace() for c in characters])
    changing = np.array([c.lower() != c for c in characters])
    return spaces, changing


@cache
def letters(mode: str, lowered: bool = False) -> CodeUnits:
    """Return the code of each character below U+10000 for "whitespace", "sentences", "alnum" or "lines" tokens.

    The code is the character itself or its lower-case letter, SPACE for everything that separates words, END for
    SEPARATOR, or UNSURE; in "sentences" also STOP for a full stop. ``lowered``: Python has already lower-cased the
    text (or case must be kept), so nothing is UNSURE and U+FFFF stands for itself.
    """
    spaces, changing = _character_properties()
    table = np.arange(0x10000, dtype=np.uint16)
    if mode == "lines":
        table[[SPACE, STOP, NUL]] = END  # one END too many, which ``intern`` reports by the number of breaks
        table[ord("\n")] = SPACE
    else:
        table[spaces] = SPACE
    table[0] = NUL  # 0 stands for no character
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
    """Fill ``folded`` with the code of each character, and ``breaks`` with the places of SPACE, STOP and END.

    Returns the number of breaks and whether any character was UNSURE. No branch depends on the text, because half of
    the branches at the end of a word would be mispredicted.
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
def four(text: CodeUnits, begin: Integer) -> Integer:
    """Return four characters packed into one word."""
    return (
        np.uint64(text[begin])
        | (np.uint64(text[begin + _ONE]) << np.uint64(16))
        | (np.uint64(text[begin + _TWO]) << np.uint64(32))
        | (np.uint64(text[begin + _THREE]) << np.uint64(48))
    )


@compiled
def intern(
    text: CodeUnits,
    breaks: Places,
    texts: int,
    groups: Offsets,
    keep_edges: bool,
    sentences: bool,
    capacity: int,
) -> tuple[Integer, Ids, Offsets, Integer, Offsets, Offsets]:
    """Return the token ids of many folded texts.

    The texts lie in one array, each followed by END, and the array ends with SPARE more characters. Group g has the
    texts from ``groups[g]`` up to ``groups[g + 1]``. Ids compare within a group only, so that the group's table fits
    in the fastest cache. ``capacity`` is the size of that table, a power of two. ``keep_edges``: an empty text, and
    an edge with whitespace, give the empty token.

    Returns in this order:
    - the number of breaks read: all of them unless a text contains SEPARATOR; -1, with the rest invalid, when a group
      has more different tokens than half of ``capacity``: call again with more (a table that grew here would slow
      every look-up by a third);
    - the ids, numbered within each group by first appearance from 1; 0 is the empty token;
    - the token offsets of the texts;
    - the largest number of ids in a group;
    - with ``sentences``, the token index where each sentence begins, and the sentence offsets of the texts.
    """
    bound = breaks.size + 2 * texts + 1
    ids = np.empty(bound, np.int32)
    offsets = np.zeros(texts + 1, np.int64)
    sentence_begins = np.empty(bound if sentences else 1, np.int64)
    sentence_offsets = np.zeros(texts + 1, np.int64)
    # A token of up to eight characters is stored whole in two words, next to its size and id, so comparing it
    # touches one cache line. For a longer token the second word is a hash, and the text is compared as well.
    table = np.full((capacity, 3), _FREE, np.uint64)
    begins = np.empty(capacity, np.uint64)
    places = np.empty(capacity, np.uint64)
    last_place = np.uint64(capacity - 1)
    shift = np.uint64(64)
    while capacity > 1:
        capacity //= 2
        shift -= _ONE
    next_id = _ONE
    largest = _ONE
    n = _ZERO
    sentence_count = _ZERO
    group = _ZERO
    next_break = _ZERO
    begin = _ZERO
    for t in range(np.uint64(texts)):
        if t == np.uint64(groups[group + _ONE]):
            group += _ONE
            for old in range(_ONE, next_id):
                table[places[old], _TWO] = _FREE
            next_id = _ONE
        first = begin
        if keep_edges and (text[first] == SPACE or text[first] == END):
            ids[n] = 0
            n += _ONE
        sentence_begin = first
        sentence_token = n
        ended = False
        while not ended:
            end = np.uint64(breaks[next_break])
            next_break += _ONE
            ended = text[end] == END
            size = end - begin
            if size > _ZERO:
                kept = min(size, _INLINE)
                low = four(text, begin) & KEPT[_ZERO, kept]
                high = four(text, begin + _FOUR) & KEPT[_ONE, kept]
                for q in range(_INLINE, size):
                    high = (high ^ np.uint64(text[begin + q])) * _PRIME
                mixed = (low ^ (high * _PRIME)) * _PRIME
                slot = (mixed ^ (mixed << _HALF)) >> shift
                while True:
                    entry = table[slot, _TWO]
                    if entry == _FREE:
                        table[slot, _ZERO] = low
                        table[slot, _ONE] = high
                        table[slot, _TWO] = (size << _HALF) | next_id
                        begins[next_id] = begin
                        places[next_id] = slot
                        ids[n] = next_id
                        next_id += _ONE
                        if _TWO * next_id > last_place:
                            return -1, ids, offsets, next_id, sentence_begins, sentence_offsets
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
                    if n == sentence_token:  # a sentence of only spaces is one empty word
                        ids[n] = 0
                        n += _ONE
                    sentence_begins[sentence_count] = sentence_token
                    sentence_count += _ONE
                sentence_begin = end + _ONE
                sentence_token = n
            begin = end + _ONE
        if keep_edges and begin - first > _ONE and text[begin - _TWO] == SPACE:
            ids[n] = 0
            n += _ONE
        largest = max(largest, next_id)
        offsets[t + _ONE] = n
        sentence_offsets[t + _ONE] = sentence_count
    return np.int64(next_break), ids[:n], offsets, largest, sentence_begins[:sentence_count], sentence_offsets
