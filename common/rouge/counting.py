"""From texts to F1: picks tokenizer and engine, counts overlaps, turns counts into scores."""

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.errors import UserError
from common.rouge.exact import overlap_counts, position_masks, rouge101_counts
from common.rouge.profiles import Profile
from common.rouge.tokenizers import get_tokenizer, refuse_hangul, split_sentences_101

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Index = npt.NDArray[np.int64]

TINY = 2_000
"""Up to so many characters, plain Python is used even when compiled code is at hand."""
WORTH_LOADING = 20_000_000
"""Characters to compare before loading compiled code pays: about two seconds of plain Python, against half a second
to import numba and fetch machine code."""
WORTH_COMPILING = 80_000_000
"""The same when the machine code is not on disk yet and takes several seconds to make."""


def f1_from_counts(overlap: Counts, hypothesis: Counts, reference: Counts, rouge101: bool = False) -> Array:
    """F1 in [0, 1] from integer counts of one shape; the same float64 operations in the same order as the packages
    use, so the results are theirs to the last bit.

    A side without n-grams scores 0. Source: korouge-score's ``fmeasure``; ``rouge`` 1.0.1's formula has 1e-8 in it.
    """
    precision = overlap / np.maximum(hypothesis, 1)
    recall = overlap / np.maximum(reference, 1)
    total = precision + recall
    if rouge101:
        precision *= recall
        precision /= total + 1e-8
        precision *= 2.0
        return precision
    precision *= 2
    precision *= recall
    # A zero total has a zero numerator; any other denominator would do.
    total[total == 0] = 1.0
    precision /= total
    return precision


class Counter:
    """Counts overlaps under one profile and tokenizer.

    ``characters`` is the size of the whole job, in characters compared: it decides whether loading compiled code pays.
    Both engines give the same counts. Raises UserError when the tokenizer is unknown, missing, or not for this
    profile.
    """

    def __init__(
        self, profile: Profile, tokenizer: str | None, use_stemmer: bool, cache_dir: str | Path | None
    ) -> None:
        wanted = tokenizer or profile.tokenizer
        self._profile = profile
        self._tokenizer = None
        self.tokenizer = wanted
        if profile.name == "rouge101":
            if wanted != "sentences" or use_stemmer:
                raise UserError(
                    "profile 'rouge101' has its own tokens (full stops, then whitespace) and takes no tokenizer or "
                    "stemmer; drop the option, or use profile 'korouge' with it."
                )
        elif profile.name == "google" and wanted != "alnum":
            raise UserError(
                f"profile 'google' is rouge_score's own tokenizer and cannot use {wanted!r}; "
                "drop the option, or use profile 'korouge' with it."
            )
        else:
            self._tokenizer = get_tokenizer(wanted, use_stemmer, cache_dir)
            self.tokenizer = self._tokenizer.name
        self._joined = getattr(self._tokenizer, "joined_all", None)
        native = not use_stemmer and wanted in ("whitespace", "sentences", "alnum")
        self._native_mode = "lines" if self._joined else wanted if native else None

    def f1(self, texts: Sequence[str], groups: Index, hyp: Index, ref: Index, characters: int) -> Array:
        """F1 in [0, 1] of the pairs (``texts[hyp[k]]``, ``texts[ref[k]]``), shape [3, pairs]: R1, R2, RL.

        Group g holds the texts from ``groups[g]`` up to ``groups[g + 1]``; a pair lies in one group, and pairs with
        the same reference are neighbours.
        """
        if self._profile.refuses_hangul:
            for text in texts:
                if not text.isascii():
                    refuse_hangul(text, "a text to score")
        overlap, sizes = self._count(texts, groups, hyp, ref, characters)
        rouge101 = self._profile.name == "rouge101"
        return f1_from_counts(overlap, sizes.take(hyp, axis=1), sizes.take(ref, axis=1), rouge101)

    def _count(
        self, texts: Sequence[str], groups: Index, hyp: Index, ref: Index, characters: int
    ) -> tuple[Counts, Counts]:
        # Python spends twice the time on morphemes: there are more of them than words.
        compiled = use_compiled(2 * characters if self._joined else characters)
        if self._native_mode and compiled:
            from common.rouge import engine

            # Morphemes come joined from their cache; to split them first would double the time.
            lines = texts if self._joined is None else self._joined(texts)
            counted = engine.count_texts(lines, groups, hyp, ref, self._native_mode)
            if counted is not None:
                return counted
        if self._tokenizer is None:
            return _count_sentences([split_sentences_101(text) for text in texts], hyp, ref)
        tokens = self._tokenizer.tokenize_all(texts)
        if compiled:
            from common.rouge import engine

            return engine.count_tokens(tokens, hyp, ref)
        return _count_tokens(tokens, hyp, ref)


def use_compiled(characters: int) -> bool:
    """Whether a job of that many characters is worth compiled code: unless tiny, always when it is loaded already."""
    if "common.rouge.engine" in sys.modules:
        return characters > TINY
    folder = Path(__file__).parent
    written = max(kernels.stat().st_mtime for kernels in folder.glob("kernels*.py"))
    # Older machine code is of other sources, and numba would not take it.
    on_disk = any(e.stat().st_mtime > written for e in folder.glob("__pycache__/kernels_text.intern*.nbi"))
    return characters >= (WORTH_LOADING if on_disk else WORTH_COMPILING)


def ngram_sizes(lengths: Counts) -> Counts:
    """Number of unigrams, bigrams and (for the LCS) unigrams of texts with so many tokens, [3, texts]."""
    return np.stack((lengths, np.maximum(lengths - 1, 0), lengths))


def _count_tokens(tokens: Sequence[Sequence[str]], hyp: Index, ref: Index) -> tuple[Counts, Counts]:
    rows = []
    last = -1
    masks: dict[str, int] = {}
    for h, r in zip(hyp.tolist(), ref.tolist(), strict=True):
        if r != last:
            masks, last = position_masks(tokens[r]), r
        rows.append(overlap_counts(tokens[h], masks, len(tokens[r])))
    lengths = np.array([len(entry) for entry in tokens], dtype=np.int64)
    return np.array(rows, dtype=np.int64).reshape(-1, 3).T, ngram_sizes(lengths)


def _count_sentences(
    texts: Sequence[Sequence[Sequence[str]]], hyp: Index, ref: Index
) -> tuple[Counts, Counts]:
    pairs = zip(hyp.tolist(), ref.tolist(), strict=True)
    counts = (
        np.array([rouge101_counts(texts[h], texts[r]) for h, r in pairs], dtype=np.int64).reshape(-1, 3).T
    )
    words = [[word for sentence in sentences for word in sentence] for sentences in texts]
    unigrams = np.array([len(set(entry)) for entry in words], dtype=np.int64)
    bigrams = np.array([len(set(pairwise(entry))) for entry in words], dtype=np.int64)
    return counts, np.stack((unigrams, bigrams, unigrams))
