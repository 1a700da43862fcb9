"""Count overlaps of the ``rouge`` 1.0.1 profile in compiled code: sets, and the union of backtracked LCSs.

Imported only together with ``kernels.py``.
"""

import numpy as np
import numpy.typing as npt

from common.rouge.kernels import _ONE, Ids, Offsets, compiled, find_pair, popcount, table_size

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
