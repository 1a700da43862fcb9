"""Score pairs of short texts in compiled code: no table of tokens, but comparisons of whole words in registers.

A token of up to 12 characters fits into three 64-bit words. A text of at most 64 tokens is compared with one token in
a few vector instructions, which give the positions as the bits of one word. For two summaries this is faster than
any table. Pairs that do not fit are left to the kernels for texts of any length.

Imported only together with ``kernels.py``.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from common.rouge.kernels import Integer, Offsets, compiled, popcount
from common.rouge.kernels_text import END, KEPT, SPACE, STOP, CodeUnits, Places, four

Words = npt.NDArray[np.uint64]
"""Tokens, [3, tokens]: up to four characters in each of three words, with zeros after the token's end."""

MOST = 64
"""Number of tokens up to which a text fits."""
LANES = 8
"""Number of tokens compared at a time; as many spare ones follow the last token."""

_ZERO, _ONE, _TWO, _THREE, _FOUR, _EIGHT = np.array([0, 1, 2, 3, 4, 8], np.uint64)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_INLINE = np.uint64(12)  # characters of a token that fit in its words
_LANES = np.uint64(LANES)
_SPACE = np.uint64(SPACE)
_EMPTY = np.array([0 if size else SPACE for size in range(KEPT.shape[1])], np.uint64)


@compiled
def pack(
    text: CodeUnits, breaks: Places, texts: int, groups: Offsets, keep_edges: bool, sentences: bool
) -> tuple[Integer, Words, Offsets, Offsets, Offsets]:
    """Return the words of all tokens of folded texts; words compare within a group only.

    Returns in this order: the number of breaks read, which is smaller than all if a text contains SEPARATOR; the
    words; the token offsets of the texts; with ``sentences``, the token where each sentence begins, and the sentence
    offsets of the texts. The tokens are those of ``kernels_text.intern``. The empty token is a single SPACE, and one of
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
        words[_ZERO, n] = four(text, begin) & KEPT[_ZERO, kept] | _EMPTY[kept]
        words[_ONE, n] = four(text, begin + _FOUR) & KEPT[_ONE, kept]
        words[_TWO, n] = four(text, begin + _EIGHT) & KEPT[_TWO, kept]
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
    name_long(text, words, offsets, groups, longs, found)
    return np.int64(next_break), words, offsets, begins, sentence_offsets


@compiled
def name_long(
    text: CodeUnits, words: Words, offsets: Offsets, groups: Offsets, longs: Words, found: Integer
) -> None:
    """Give each token of more than 12 characters the place where it first stands in its group.

    ``longs[:, i]`` holds the text, the token, the place and the size of the i-th such token. Texts of more than MOST
    tokens are left out, which bounds the search.
    """
    group = first = _ZERO
    for i in range(found):
        t = longs[_ZERO, i]
        if t >= np.uint64(groups[group + _ONE]):
            first = i
            while t >= np.uint64(groups[group + _ONE]):
                group += _ONE
        if offsets[t + _ONE] - offsets[t] > MOST:
            continue
        size = longs[_THREE, i]
        name = begin = longs[_TWO, i]
        for j in range(first, i):
            if longs[_THREE, j] == size:
                before = longs[_TWO, j]
                p = _ZERO
                while p < size and text[before + p] == text[begin + p]:
                    p += _ONE
                if p == size:
                    name = before
                    break
        words[_ZERO, longs[_ONE, i]] = name
        words[_ONE, longs[_ONE, i]] = _SPACE
        words[_TWO, longs[_ONE, i]] = _ZERO


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
def f1(overlap: Integer, hypothesis: Integer, reference: Integer) -> float:
    """Return F1 by the operations of ``counting.f1_from_counts``."""
    precision = overlap / max(hypothesis, 1)
    recall = overlap / max(reference, 1)
    total = precision + recall
    return precision * 2.0 * recall / total if total > 0.0 else 0.0


@compiled
def f1_rouge101(overlap: Integer, hypothesis: Integer, reference: Integer) -> float:
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


@compiled
def lowest(bits: Integer) -> Integer:
    """Return the lowest one bit alone, or 0."""
    return bits & (~bits + _ONE)


@compiled
def fill(words: Words, begin: Integer, count: Integer, tokens: Integer, size: Integer, masks: Words) -> None:
    """Fill ``masks`` with the positions of ``size`` tokens, from the place ``tokens`` on, in the text at ``begin``."""
    for i in range(size):
        masks[i] = positions(words, begin, count, tokens + i)


@compiled
def distinct(masks: Words, count: Integer) -> tuple[Integer, Integer]:
    """Return the numbers of distinct unigrams and bigrams of a text, from its tokens' positions in itself."""
    unigrams = bigrams = previous = _ZERO
    for i in range(count):
        unigrams |= lowest(masks[i])
        bigrams |= lowest((previous << _ONE) & masks[i])
        previous = masks[i]
    return popcount(unigrams), popcount(bigrams)


@compiled
def score_short_rouge101(
    words: Words, offsets: Offsets, sentences: Offsets, sentence_offsets: Offsets,
    hyps: Offsets, refs: Offsets, out: npt.NDArray[np.float64], left: Offsets,
) -> Integer:  # fmt: skip
    """Fill ``out`` and ``left`` as ``score_short`` does, for the ``rouge`` 1.0.1 profile.

    The counts are those of ``kernels101.count_rouge101``: bits stand for positions in the reference, where the first
    position of a token stands for the token.
    """
    own = np.empty(MOST, np.uint64)
    masks = np.empty(MOST, np.uint64)
    rows = np.empty(MOST + 1, np.uint64)
    skipped = 0
    for k in range(hyps.size):
        h, r = np.uint64(hyps[k]), np.uint64(refs[k])
        hyp, ref = np.uint64(offsets[h]), np.uint64(offsets[r])
        n, m = np.uint64(offsets[h + _ONE]) - hyp, np.uint64(offsets[r + _ONE]) - ref
        if max(n, m) > np.uint64(MOST):
            left[skipped] = k
            skipped += 1
            continue
        if min(n, m) == _ZERO:
            out[:, k] = 0.0
            continue
        fill(words, hyp, n, hyp, n, masks)
        hyp_unigrams, hyp_bigrams = distinct(masks, n)
        fill(words, ref, m, ref, m, own)
        ref_unigrams, ref_bigrams = distinct(own, m)
        fill(words, ref, m, hyp, n, masks)
        unigrams, bigrams = distinct(masks, n)
        union = _ZERO
        for s in range(np.uint64(sentence_offsets[r]), np.uint64(sentence_offsets[r + _ONE])):
            low = np.uint64(sentences[s]) - ref
            last = s + _ONE == np.uint64(sentence_offsets[r + _ONE])
            high = m if last else np.uint64(sentences[s + _ONE]) - ref
            inside = (_FULL >> (np.uint64(64) - (high - low))) << low
            for q in range(np.uint64(sentence_offsets[h]), np.uint64(sentence_offsets[h + _ONE])):
                begin = np.uint64(sentences[q]) - hyp
                last = q + _ONE == np.uint64(sentence_offsets[h + _ONE])
                j = n if last else np.uint64(sentences[q + _ONE]) - hyp
                rows[begin] = row = inside
                for i in range(begin, j):
                    hit = row & masks[i]
                    row = ((row + hit) | (row - hit)) & inside
                    rows[i + _ONE] = row
                left_over = popcount(inside & ~row)
                bit = _ONE << (high - _ONE)
                i = high - _ONE
                while left_over > 0:
                    if masks[j - _ONE] & bit:
                        union |= lowest(own[i])
                        left_over -= 1
                        i -= _ONE
                        bit >>= _ONE
                        j -= _ONE
                    elif not rows[j] & bit:
                        j -= _ONE
                    # The LCS of the reference up to here and one hypothesis token fewer: the zero bits up to here.
                    elif popcount(inside & ~rows[j - _ONE] & (bit | (bit - _ONE))) < left_over:
                        i -= _ONE
                        bit >>= _ONE
                    else:
                        j -= _ONE
        out[0, k] = f1_rouge101(unigrams, hyp_unigrams, ref_unigrams)
        out[1, k] = f1_rouge101(bigrams, hyp_bigrams, ref_bigrams)
        out[2, k] = f1_rouge101(popcount(union), hyp_unigrams, ref_unigrams)
    return skipped
