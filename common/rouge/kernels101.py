"""Count overlaps of the ``rouge`` 1.0.1 profile in compiled code: sets, and the union of backtracked LCSs.

Imported only together with ``kernels.py``.
"""

import numpy as np
import numpy.typing as npt

from common.rouge.kernels import _ONE, Ids, Integer, Offsets, compiled, find_pair, popcount, table_size
from common.rouge.kernels_pairs import MOST, f1_rouge101, positions
from common.rouge.kernels_text import Words

_ZERO = np.uint64(0)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)


@compiled
def distinct_counts(ids: Ids, offsets: Offsets, vocabulary: int, out: npt.NDArray[np.int64]) -> None:
    """Fill ``out[:, t]`` with the number of distinct unigrams, bigrams and again unigrams of text t."""
    seen = np.full(vocabulary, -1, np.int64)
    longest = np.int64(1)
    for t in range(offsets.size - 1):
        longest = max(longest, offsets[t + 1] - offsets[t])
    keys = np.full(table_size(longest), -1, np.int64)
    used = np.empty(longest, np.int64)
    for t in range(offsets.size - 1):
        unigrams = 0
        bigrams = 0
        for i in range(offsets[t], offsets[t + 1]):
            if seen[ids[i]] != t:
                seen[ids[i]] = t
                unigrams += 1
            if i > offsets[t]:
                key = np.int64(ids[i - 1]) * vocabulary + ids[i]
                place = find_pair(keys, key)
                if keys[place] == -1:
                    keys[place] = key
                    used[bigrams] = place
                    bigrams += 1
        for n in range(bigrams):
            keys[used[n]] = -1
        out[0, t] = unigrams
        out[1, t] = bigrams
        out[2, t] = unigrams


@compiled
def count_rouge101(
    ids: Ids, offsets: Offsets, sentences: Offsets, sentence_offsets: Offsets, vocabulary: int,
    hyp: Offsets, ref: Offsets, out: npt.NDArray[np.int64],
) -> None:  # fmt: skip
    """Fill ``out[:, k]`` with shared distinct unigrams, shared distinct bigrams and union-LCS size of pair k.

    Sentence s begins at token ``sentences[s]``; text t has the sentences from ``sentence_offsets[t]`` up to
    ``sentence_offsets[t + 1]``. The LCS keeps one row of bits per hypothesis prefix and walks back through them,
    breaking ties as the package does (see ``pure_python.lcs_tokens_rouge101``).
    """
    in_ref = np.full(vocabulary, -1, np.int64)  # the last reference (or pair) that touched the token
    in_hyp = np.full(vocabulary, -1, np.int64)
    in_union = np.full(vocabulary, -1, np.int64)
    slots = np.zeros(vocabulary, np.int64)
    longest = np.int64(1)
    longest_hyp = np.int64(1)
    for k in range(hyp.size):
        longest = max(longest, offsets[ref[k] + 1] - offsets[ref[k]])
        longest_hyp = max(longest_hyp, offsets[hyp[k] + 1] - offsets[hyp[k]])
    keys = np.full(table_size(longest), -1, np.int64)
    pair_seen = np.full(keys.size, -1, np.int64)
    most_words = (longest + 63) // 64
    masks = np.zeros((longest + 1, most_words), np.uint64)  # row 0: tokens not in the reference sentence
    rows = np.empty((longest_hyp + 1, most_words), np.uint64)
    last = np.int64(-1)
    for k in range(hyp.size):
        r = ref[k]
        h = hyp[k]
        if r != last:
            keys[:] = -1
            for i in range(offsets[r], offsets[r + 1]):
                in_ref[ids[i]] = r
                if i > offsets[r]:
                    key = np.int64(ids[i - 1]) * vocabulary + ids[i]
                    keys[find_pair(keys, key)] = key
            last = r
        unigrams = 0
        bigrams = 0
        for i in range(offsets[h], offsets[h + 1]):
            token = ids[i]
            if in_ref[token] == r:
                if in_hyp[token] != k:
                    in_hyp[token] = k
                    unigrams += 1
                if i > offsets[h] and in_ref[ids[i - 1]] == r:
                    key = np.int64(ids[i - 1]) * vocabulary + token
                    place = find_pair(keys, key)
                    if keys[place] == key and pair_seen[place] != k:
                        pair_seen[place] = k
                        bigrams += 1
        union = 0
        # Without a shared token there is no LCS.
        for s in range(sentence_offsets[r], sentence_offsets[r + 1] if unigrams else sentence_offsets[r]):
            ref_begin = sentences[s]
            ref_end = sentences[s + 1] if s + 1 < sentence_offsets[r + 1] else offsets[r + 1]
            size = ref_end - ref_begin
            words = (size + 63) // 64
            used = 0
            for p in range(size):
                token = ids[ref_begin + p]
                if slots[token] == 0:
                    used += 1
                    slots[token] = used
                    masks[used, :words] = _ZERO
                masks[slots[token], p // 64] |= _ONE << np.uint64(p % 64)
            for q in range(sentence_offsets[h], sentence_offsets[h + 1]):
                hyp_begin = sentences[q]
                hyp_end = sentences[q + 1] if q + 1 < sentence_offsets[h + 1] else offsets[h + 1]
                j = hyp_end - hyp_begin
                rows[0, :words] = _FULL
                for n in range(j):
                    slot = slots[ids[hyp_begin + n]]
                    carry = _ZERO
                    for w in range(words):
                        old = rows[n, w]
                        hit = old & masks[slot, w]
                        total = old + hit
                        over = _ONE if total < old else _ZERO
                        total += carry
                        if total < carry:
                            over = _ONE
                        rows[n + 1, w] = total | (old - hit)
                        carry = over
                left = np.int64(0)
                for w in range(words):
                    left += popcount(~rows[j, w])
                i = size
                while left > 0:
                    token = ids[ref_begin + i - 1]
                    if token == ids[hyp_begin + j - 1]:
                        if in_union[token] != k:
                            in_union[token] = k
                            union += 1
                        i -= 1
                        j -= 1
                        left -= 1
                    elif ((rows[j, (i - 1) // 64] >> np.uint64((i - 1) % 64)) & _ONE) == _ZERO:
                        j -= 1
                    else:
                        # The LCS of i reference tokens and j - 1 hypothesis tokens: the zero bits below i.
                        shorter = np.int64(0)
                        for w in range(i // 64):
                            shorter += popcount(~rows[j - 1, w])
                        if i % 64:
                            shorter += popcount(~rows[j - 1, i // 64] & ((_ONE << np.uint64(i % 64)) - _ONE))
                        if shorter < left:
                            i -= 1
                        else:
                            j -= 1
            for p in range(size):
                slots[ids[ref_begin + p]] = 0
        out[0, k] = unigrams
        out[1, k] = bigrams
        out[2, k] = union


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

    The counts are those of ``count_rouge101``: bits stand for positions in the reference, where the first
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
                for token in range(begin, j):
                    hit = row & masks[token]
                    row = ((row + hit) | (row - hit)) & inside
                    rows[token + _ONE] = row
                left_over: Integer = popcount(inside & ~row)
                bit = _ONE << (high - _ONE)
                i: Integer = high - _ONE
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
