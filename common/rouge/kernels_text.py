"""Tokenize in compiled code: turn many texts into words and token ids; a hash alone never decides equality.

Imported only together with ``kernels.py``.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from common.rouge.kernels import Ids, Integer, Offsets, compiled, table_size

CodeUnits = npt.NDArray[np.uint16]
Places = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]
"""Tokens, [3, tokens]: up to four characters in each of three words, with zeros after the token's end."""
LANES = 8
"""Number of spare tokens after the last one, which kernels may read."""

SPACE, STOP, END, NUL, UNSURE = 0x09, 0x0A, 0x0B, 0x0C, 0xFFFF
"""Codes of characters that end a word, a sentence or a text, of U+0000, or that need Python's own ``lower``.

See ``letters``. The first four numbers are whitespace in Unicode, so no character of a word has them.
"""
SPARE = 12
"""Number of codes after the last character that kernels may read."""
SEPARATOR = "\x01"
"""Stands after every text; a control character that real text does not contain."""

# Kernels use unsigned indices throughout, because numba checks whether a signed index counts from the end, which
# costs a quarter of the time. Mixing them with plain Python numbers would turn them into floats.
_ZERO, _ONE, _TWO, _THREE, _FOUR, _EIGHT = np.array([0, 1, 2, 3, 4, 8], np.uint64)
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_INLINE = np.uint64(12)  # characters of a token that fit in its words
_SPACE = np.uint64(SPACE)
_SIZES = range(int(_INLINE) + 1)
_KEPT = np.array(
    [[(1 << 16 * min(max(size - skipped, 0), 4)) - 1 for size in _SIZES] for skipped in (0, 4, 8)], np.uint64
)
_EMPTY = np.array([0 if size else SPACE for size in _SIZES], np.uint64)


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
        table[[SPACE, STOP, NUL]] = END  # one END too many, which ``pack`` reports by the number of breaks
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
def pack(
    text: CodeUnits, breaks: Places, texts: int, groups: Offsets, keep_edges: bool, sentences: bool
) -> tuple[Integer, Words, Offsets, Offsets, Offsets]:
    """Return the words of all tokens of folded texts; words compare within a group only.

    Returns in this order: the number of breaks read, which is smaller than all if a text contains SEPARATOR; the
    words; the token offsets of the texts; with ``sentences``, the token where each sentence begins, and the sentence
    offsets of the texts.

    The texts lie in one array, each followed by END, and the array ends with SPARE more characters. Group g has the
    texts from ``groups[g]`` up to ``groups[g + 1]``. ``keep_edges``: an empty text, and an edge with whitespace, give
    the empty token. The empty token is a single SPACE, and one of
    more than 12 characters is the place where it first stands in its group, then SPACE: no other token has a SPACE.
    """
    bound = breaks.size + 2 * texts + LANES
    words = np.empty((3, bound), np.uint64)
    offsets = np.zeros(texts + 1, np.int64)
    begins = np.empty(bound if sentences else 1, np.int64)
    sentence_offsets = np.zeros(texts + 1, np.int64)
    longs = np.empty((4, breaks.size), np.uint64)
    found = _ZERO
    edges = np.uint64(keep_edges)
    n = t = count = begin = sentence_begin = sentence_token = next_break = _ZERO
    first = _ONE
    # Few branches depend on the text, because they would often be mispredicted.
    while t < np.uint64(texts):
        end = np.uint64(breaks[next_break])
        next_break += _ONE
        ended = np.uint64(text[end] == END)
        size = end - begin
        kept = min(size, _INLINE)
        words[_ZERO, n] = four(text, begin) & _KEPT[_ZERO, kept] | _EMPTY[kept]
        words[_ONE, n] = four(text, begin + _FOUR) & _KEPT[_ONE, kept]
        words[_TWO, n] = four(text, begin + _EIGHT) & _KEPT[_TWO, kept]
        if size > _INLINE:
            longs[_ZERO, found] = t
            longs[_ONE, found] = n
            longs[_TWO, found] = begin
            longs[_THREE, found] = size
            found += _ONE
        n += np.uint64(size > _ZERO) | ((first | ended) & edges)
        if sentences and (ended == _ONE or text[end] == STOP):
            if end > sentence_begin:
                # A sentence of only spaces is one empty word, which stands there already.
                n += np.uint64(n == sentence_token)
                begins[count] = sentence_token
                count += _ONE
            sentence_begin = end + _ONE
            sentence_token = n
        begin = end + _ONE
        offsets[t + _ONE] = n
        sentence_offsets[t + _ONE] = count
        t += ended
        first = ended
    name_long(text, words, groups, longs, found)
    return np.int64(next_break), words, offsets, begins, sentence_offsets


@compiled
def name_long(text: CodeUnits, words: Words, groups: Offsets, longs: Words, found: Integer) -> None:
    """Give each token of more than 12 characters the place where it first stands in its group.

    ``longs[:, i]`` holds the text, the token, the place and the size of the i-th such token.
    """
    first_seen = np.full(table_size(np.int64(found)), -1, np.int64)
    last_place = np.uint64(first_seen.size - 1)
    group = _ZERO
    for i in range(found):
        while longs[_ZERO, i] >= np.uint64(groups[group + _ONE]):
            group += _ONE
        longs[_ZERO, i] = group
        begin, size = longs[_TWO, i], longs[_THREE, i]
        mixed = (group ^ (size << _HALF)) * _PRIME
        for p in range(begin, begin + size):
            mixed = (mixed ^ np.uint64(text[p])) * _PRIME
        slot = (mixed >> _HALF) & last_place
        name = begin
        while first_seen[slot] >= 0:
            j = np.uint64(first_seen[slot])
            before = longs[_TWO, j]
            p = _ZERO
            if longs[_ZERO, j] == group and longs[_THREE, j] == size:
                while p < size and text[before + p] == text[begin + p]:
                    p += _ONE
            if p == size:
                name = before
                break
            slot = (slot + _ONE) & last_place
        else:
            first_seen[slot] = i
        words[_ZERO, longs[_ONE, i]] = name
        words[_ONE, longs[_ONE, i]] = _SPACE
        words[_TWO, longs[_ONE, i]] = _ZERO


@compiled
def number(words: Words, offsets: Offsets, groups: Offsets) -> tuple[Ids, Integer]:
    """Return the ids of packed tokens, numbered within each group by first appearance from 1, and a number above all.

    Ids compare within a group only, so that the group's table fits in the fastest cache.
    """
    most = np.int64(1)
    for g in range(groups.size - 1):
        most = max(most, offsets[groups[g + 1]] - offsets[groups[g]])
    ids = np.empty(offsets[-1], np.int32)
    # The three words of a token and its id are adjacent, so that comparing it touches one cache line.
    table = np.zeros((table_size(most), 4), np.uint64)
    places = np.empty(most + 1, np.uint64)
    last_place = np.uint64(len(table) - 1)
    largest = _ONE
    for g in range(np.uint64(groups.size - 1)):
        next_id = _ONE
        for i in range(np.uint64(offsets[groups[g]]), np.uint64(offsets[groups[g + _ONE]])):
            low, middle, high = words[_ZERO, i], words[_ONE, i], words[_TWO, i]
            mixed = (low ^ ((middle ^ (high * _PRIME)) * _PRIME)) * _PRIME
            slot = (mixed >> _HALF) & last_place
            while True:
                differs = (
                    (table[slot, _ZERO] ^ low) | (table[slot, _ONE] ^ middle) | (table[slot, _TWO] ^ high)
                )
                free = table[slot, _THREE] == _ZERO
                if free | (differs == _ZERO):
                    break
                slot = (slot + _ONE) & last_place
            # Whether a token is new is not a branch, because it would often be mispredicted.
            token = next_id if free else table[slot, _THREE]
            table[slot, _ZERO] = low
            table[slot, _ONE] = middle
            table[slot, _TWO] = high
            table[slot, _THREE] = token
            places[next_id] = slot
            next_id += np.uint64(free)
            ids[i] = token
        largest = max(largest, next_id)
        for old in range(_ONE, next_id):
            table[places[old], _THREE] = _ZERO
    return ids, np.int64(largest)
