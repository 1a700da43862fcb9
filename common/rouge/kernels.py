"""Count overlaps in compiled code: the algorithms of ``pure_python.py`` on 64-bit words and arrays of token ids.

Importing this module imports numba (about half a second), so ``counting.py`` loads it only when the work is worth it.
Every function releases the GIL and stores its machine code on disk; where no folder is writable, each process
compiles it again.
"""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt

log = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])
Ids = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Integer = Any
"""A scalar inside a kernel: numba gives it a machine type that has no type stub."""

_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_EVEN = np.uint64(0x5555555555555555)
_PAIRS = np.uint64(0x3333333333333333)
_NIBBLES = np.uint64(0x0F0F0F0F0F0F0F0F)
_BYTES = np.uint64(0x0101010101010101)


def compiled(function: F) -> F:
    """Return the function compiled on first call, with its machine code cached on disk if a folder is writable."""
    compiler: Any = numba.njit
    try:
        result: Any = compiler(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError as error:  # numba found no folder to write its cache to
        _warn_once(str(error))
        result = compiler(nogil=True, error_model="numpy")(function)
    else:
        result._cache.save_overload = _tolerant(result._cache.save_overload)
    found: F = result
    return found


def _tolerant(save: Callable[..., None]) -> Callable[..., None]:
    """Return numba's function that saves machine code, changed so that a full disk is no error."""

    def saved(*arguments: Any) -> None:
        try:
            save(*arguments)
        except OSError as error:
            _warn_once(str(error))

    return saved


@cache
def _warn_once(reason: str) -> None:
    log.warning(
        "warning: compiled code is not cached (%s); every process compiles it again, in seconds.", reason
    )


@compiled
def popcount(x: Integer) -> Integer:
    """Return the number of one bits of a uint64."""
    x = x - ((x >> _ONE) & _EVEN)
    x = (x & _PAIRS) + ((x >> np.uint64(2)) & _PAIRS)
    x = (x + (x >> np.uint64(4))) & _NIBBLES
    return np.int64((x * _BYTES) >> np.uint64(56))


@compiled
def count_short(
    ids: Ids, offsets: Offsets, vocabulary: int, hyp: Offsets, ref: Offsets, out: npt.NDArray[np.int64]
) -> None:
    """Fill ``out[:, k]`` with shared unigrams, shared bigrams and LCS length of pair k.

    Only for references of at most 64 tokens. Text t is ``ids[offsets[t]:offsets[t + 1]]``, with ids in [0,
    vocabulary). One word per token holds its positions in the reference as bits; the words are rebuilt only when the
    reference changes. Indices in inner loops are unsigned, because numba checks whether a signed index counts from
    the end.
    """
    masks = np.zeros(vocabulary, np.uint64)
    last = np.int64(-1)
    for k in range(hyp.size):
        r = ref[k]
        if r != last:
            if last >= 0:
                for i in range(np.uint64(offsets[last]), np.uint64(offsets[last + 1])):
                    masks[np.uint64(ids[i])] = _ZERO
            bit = _ONE
            for i in range(np.uint64(offsets[r]), np.uint64(offsets[r + 1])):
                masks[np.uint64(ids[i])] |= bit
                bit <<= _ONE
            last = r
        used = _ZERO
        used_pairs = _ZERO
        previous = _ZERO
        row = _FULL
        # As in ``overlap_counts``, but without branches, because half of them would be mispredicted.
        for i in range(np.uint64(offsets[hyp[k]]), np.uint64(offsets[hyp[k] + 1])):
            mask = masks[np.uint64(ids[i])]
            free = mask & ~used
            used |= free & (~free + _ONE)
            pairs = (previous << _ONE) & mask & ~used_pairs
            used_pairs |= pairs & (~pairs + _ONE)
            hit = row & mask
            row = (row + hit) | (row - hit)
            previous = mask
        out[0, k] = popcount(used)
        out[1, k] = popcount(used_pairs)
        # Masks have no bits above the reference's length; only carries reach these bits, and leave them 1.
        out[2, k] = popcount(~row)


@compiled
def find_pair(keys: Offsets, key: Integer) -> Integer:
    """Return the place of the key in an open-addressing table, or the free place where it belongs.

    The table's size is a power of two, and free places hold -1.
    """
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    place: Integer = np.int64(mixed >> np.uint64(32)) & (keys.size - 1)
    while keys[place] != -1 and keys[place] != key:
        place = (place + 1) & (keys.size - 1)
    return place


@compiled
def table_size(entries: Integer) -> Integer:
    """Return a power of two that is at least twice the number of entries."""
    size = 8
    while size < 2 * entries:
        size *= 2
    return size


@compiled
def count_long(
    ids: Ids, offsets: Offsets, vocabulary: int, hyp: Offsets, ref: Offsets, out: npt.NDArray[np.int64]
) -> None:
    """Fill ``out`` as ``count_short`` does, for references of any length: several words with carry, counted n-grams."""
    longest = np.int64(1)
    for k in range(ref.size):
        longest = max(longest, offsets[ref[k] + 1] - offsets[ref[k]])
    slots = np.zeros(vocabulary, np.int32)  # 0: not in this reference
    times = np.zeros(longest + 1, np.int64)
    times_left = np.zeros(longest + 1, np.int64)
    masks = np.empty((longest + 1, (longest + 63) // 64), np.uint64)
    row = np.empty(masks.shape[1], np.uint64)
    pair_keys = np.full(table_size(longest), -1, np.int64)
    pair_times = np.zeros(pair_keys.size, np.int64)
    pair_left = np.zeros(pair_keys.size, np.int64)
    last = np.int64(-1)
    words: Integer = np.int64(0)
    for k in range(hyp.size):
        r = ref[k]
        if r != last:
            if last >= 0:
                for i in range(offsets[last], offsets[last + 1]):
                    slots[ids[i]] = 0
            pair_keys[:] = -1
            pair_times[:] = 0
            times[:] = 0
            used = 0
            size = offsets[r + 1] - offsets[r]
            words = (size + 63) // 64
            before = np.int64(0)
            for p in range(size):
                token = ids[offsets[r] + p]
                if slots[token] == 0:
                    used += 1
                    slots[token] = used
                    masks[used, :words] = _ZERO
                slot = np.int64(slots[token])
                times[slot] += 1
                masks[slot, p // 64] |= _ONE << np.uint64(p % 64)
                if before != 0:
                    place = find_pair(pair_keys, before * (longest + 1) + slot)
                    pair_keys[place] = before * (longest + 1) + slot
                    pair_times[place] += 1
                before = slot
            last = r
        times_left[:] = times
        pair_left[:] = pair_times
        row[:words] = _FULL
        unigrams = 0
        bigrams = 0
        before = np.int64(0)
        for i in range(offsets[hyp[k]], offsets[hyp[k] + 1]):
            slot = np.int64(slots[ids[i]])
            if slot != 0:
                if times_left[slot] > 0:
                    times_left[slot] -= 1
                    unigrams += 1
                if before != 0:
                    place = find_pair(pair_keys, before * (longest + 1) + slot)
                    if pair_left[place] > 0:
                        pair_left[place] -= 1
                        bigrams += 1
                carry = _ZERO
                for word in range(words):
                    old = row[word]
                    hit = old & masks[slot, word]
                    partial = old + hit
                    total = partial + carry
                    row[word] = total | (old - hit)
                    # At most one of the two additions overflows.
                    carry = np.uint64(partial < old) | np.uint64(total < partial)
            before = slot
        grown = np.int64(0)
        for word in range(words):
            grown += popcount(~row[word])
        out[0, k] = unigrams
        out[1, k] = bigrams
        out[2, k] = grown
