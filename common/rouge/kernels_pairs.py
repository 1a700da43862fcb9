"""Score pairs of short texts in compiled code: no table of tokens, but comparisons of whole words in registers.

A token of up to 12 characters fits into three 64-bit words. A text of at most 64 tokens is compared with one token in
a few vector instructions, which give the positions as the bits of one word. For two summaries this is faster than
any table. Pairs that do not fit are left to the kernels for texts of any length.

Imported only together with ``kernels.py``.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped, unused-ignore]
from numba import types
from numba.extending import intrinsic

from common.rouge.kernels import Integer, Offsets, compiled, popcount
from common.rouge.kernels_text import LANES, Words

MOST = 64
"""Number of tokens up to which a text is short."""

_ZERO, _ONE = np.array([0, 1], np.uint64)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_LANES = np.uint64(LANES)


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def equal_lanes(context: Any, words: Any, place: Any, token: Any) -> Any:
    """Return which of the LANES tokens from ``place`` on are the same as ``token``, as bits. Both are places.

    Written in LLVM's vector instructions, which every processor's code generator knows: numba's own loop over the
    lanes takes five times as long.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        width = builder.extract_value(array.shape, 1)
        vector = ir.VectorType(ir.IntType(64), LANES)
        nothing = ir.Constant(vector, ir.Undefined)
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        row, differs = array.data, ir.Constant(vector, [0] * LANES)
        for _ in range(3):
            lanes = builder.bitcast(builder.gep(row, [arguments[1]]), vector.as_pointer())
            word = builder.load(builder.gep(row, [arguments[2]]))
            spread = builder.shuffle_vector(
                builder.insert_element(nothing, word, ir.IntType(32)(0)), nothing, everywhere
            )
            differs = builder.or_(differs, builder.xor(builder.load(lanes, align=8), spread))
            row = builder.gep(row, [width])
        equal = builder.icmp_unsigned("==", differs, ir.Constant(vector, [0] * LANES))
        return builder.zext(builder.bitcast(equal, ir.IntType(LANES)), ir.IntType(64))

    return types.uint64(words, types.uint64, types.uint64), generate


@compiled
def positions(words: Words, begin: Integer, count: Integer, token: Integer) -> Integer:
    """Return where the text of ``count`` tokens from ``begin`` on has the token at place ``token``, as bits."""
    found = _ZERO
    for shift in range(_ZERO, count, _LANES):
        found |= equal_lanes(words, begin + shift, token) << shift
    # The lanes after the last token belong to the next text.
    return found & (_FULL >> (np.uint64(64) - count))


@compiled
def f1(overlap: Integer, hypothesis: Integer, reference: Integer) -> Integer:
    """Return F1 by the operations of ``counting.f1_from_counts``."""
    precision = overlap / max(hypothesis, 1)
    recall = overlap / max(reference, 1)
    total = precision + recall
    # Where the total is 0, the numerator is 0 too, so any other denominator gives 0.
    return precision * 2.0 * recall / (total if total > 0.0 else 1.0)


@compiled
def f1_rouge101(overlap: Integer, hypothesis: Integer, reference: Integer) -> Integer:
    """Return the same with ``rouge101``."""
    precision = overlap / max(hypothesis, 1)
    recall = overlap / max(reference, 1)
    return precision * recall / (precision + recall + 1e-8) * 2.0


@compiled
def fill_f1(
    overlap: Offsets, sizes: Offsets, hyp: Offsets, ref: Offsets, rouge101: bool, out: npt.NDArray[np.float64]
) -> None:
    """Fill ``out`` with F1 of every metric and pair, from overlaps [3, pairs] and the sizes [3, texts]."""
    for metric in range(3):
        for k in range(hyp.size):
            shared = overlap[metric, k]
            h, r = sizes[metric, hyp[k]], sizes[metric, ref[k]]
            out[metric, k] = f1_rouge101(shared, h, r) if rouge101 else f1(shared, h, r)


@compiled
def score_short(
    words: Words, offsets: Offsets, hyp: Offsets, ref: Offsets, out: npt.NDArray[np.float64], left: Offsets
) -> Integer:
    """Fill ``out[:, k]`` with F1 of pair k; return how many pairs do not fit. These stand in ``left``."""
    skipped = 0
    for k in range(hyp.size):
        h, r = np.uint64(hyp[k]), np.uint64(ref[k])
        begin, end = np.uint64(offsets[h]), np.uint64(offsets[h + _ONE])
        target = np.uint64(offsets[r])
        n = np.uint64(offsets[r + _ONE]) - target
        if end - begin > np.uint64(MOST) or n > np.uint64(MOST):
            left[skipped] = k
            skipped += 1
            continue
        used = used_pairs = previous = _ZERO
        row = _FULL
        if n > _ZERO:
            for i in range(begin, end):
                mask = positions(words, target, n, i)
                free = mask & ~used
                used |= free & (~free + _ONE)
                pairs = (previous << _ONE) & mask & ~used_pairs
                used_pairs |= pairs & (~pairs + _ONE)
                hit = row & mask
                row = (row + hit) | (row - hit)
                previous = mask
        a, b = np.int64(end - begin), np.int64(n)
        out[0, k] = f1(popcount(used), a, b)
        out[1, k] = f1(popcount(used_pairs), a - 1, b - 1)
        out[2, k] = f1(popcount(~row), a, b)
    return skipped
