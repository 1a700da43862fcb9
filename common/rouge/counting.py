"""Turn texts into F1: choose tokenizer and engine, count overlaps, compute scores."""

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from common.core.errors import UserError
from common.core.messages import brief
from common.core.threads import cpu_threads
from common.rouge.arrays import Array, Counts, Index, ngram_sizes
from common.rouge.profiles import Profile
from common.rouge.pure_python import overlap_counts, position_masks, rouge101_counts
from common.rouge.tokenizers import get_tokenizer, refuse_hangul, split_sentences_101

TINY = 2_000
"""Number of characters up to which a job uses plain Python, even when compiled code is already loaded."""
WORTH_LOADING = 20_000_000
"""Number of characters to compare from which loading compiled code pays off.

They take plain Python about two seconds; importing numba and loading machine code takes half a second.
"""
WORTH_COMPILING = 80_000_000
"""The same when the machine code is not on disk yet and has to be compiled for several seconds."""

WORTH_THREADS = 1_000_000
"""Number of characters to compare from which several threads pay off: two milliseconds of work."""


def f1_from_counts(overlap: Counts, hypothesis: Counts, reference: Counts, rouge101: bool = False) -> Array:
    """Return F1 in [0, 1] from integer counts of equal shape.

    It runs the same float64 operations in the same order as the reference packages, so results are equal to the last
    bit. A side without n-grams scores 0.
    Source: korouge-score's ``fmeasure``; with ``rouge101`` the formula of ``rouge`` 1.0.1, which adds 1e-8 to the
    denominator.
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
    # Where the total is 0, the numerator is 0 too, so any other denominator gives 0.
    total[total == 0] = 1.0
    precision /= total
    return precision


class Counter:
    """Counter of overlaps under one profile and tokenizer.

    Plain Python and compiled code give the same counts. Raises UserError when the tokenizer is unknown, not
    installed, or not allowed for this profile.
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
                    "profile 'rouge101' always splits at full stops and whitespace and takes no tokenizer or stemmer; "
                    "remove the option, or use it with profile 'korouge'."
                )
        elif profile.name == "google" and wanted != "alnum":
            raise UserError(
                f"profile 'google' always uses rouge_score's own tokenizer and cannot use {brief(wanted)}; "
                "remove the option, or use it with profile 'korouge'."
            )
        else:
            self._tokenizer = get_tokenizer(wanted, use_stemmer, cache_dir)
            self.tokenizer = self._tokenizer.name
        self._joined = getattr(self._tokenizer, "joined_all", None)
        native = not use_stemmer and wanted in ("whitespace", "sentences", "alnum")
        self._native_mode = "lines" if self._joined else wanted if native else None

    def f1(self, texts: Sequence[str], groups: Index, hyp: Index, ref: Index, characters: int) -> Array:
        """Return F1 in [0, 1] of the pairs (``texts[hyp[k]]``, ``texts[ref[k]]``): ROUGE-1, 2 and L, [3, pairs].

        Group g holds the texts ``texts[groups[g]:groups[g + 1]]``. Both texts of a pair are in the same group, and
        pairs with the same reference are adjacent. ``characters`` is the size of the whole job, in characters to
        compare; it decides whether loading compiled code pays off.
        """
        if self._profile.refuses_hangul:
            for text in texts:
                if not text.isascii():
                    refuse_hangul(text, "a text to score")
        compiled = self._compiled(characters)
        if not (compiled and self._native_mode):
            return self._f1(self._count_tokenized(texts, hyp, ref, compiled), hyp, ref)
        # The cache returns morphemes joined; splitting them first would double the time.
        lines = texts if self._joined is None else self._joined(texts)
        from common.rouge.compiled import score_texts

        scored = score_texts(lines, groups, hyp, ref, self._native_mode)
        return self._f1(self._count_tokenized(texts, hyp, ref, True), hyp, ref) if scored is None else scored

    def threads(self, characters: int, most: int | None = None) -> int:
        """Return how many threads to use for a job of this size, of at most ``most`` (None: ``cpu_threads``).

        Only compiled code runs in several threads at once; looking up morphemes takes longer than counting them.
        """
        if self._native_mode is None or self._joined or characters < WORTH_THREADS:
            return 1
        most = cpu_threads() if most is None else most
        return most if most > 1 and self._compiled(characters) else 1

    def _compiled(self, characters: int) -> bool:
        # Plain Python takes twice as long on morphemes, because a text has more morphemes than words.
        return use_compiled(2 * characters if self._joined else characters)

    def _f1(self, counted: tuple[Counts, Counts], hyp: Index, ref: Index) -> Array:
        overlap, sizes = counted
        rouge101 = self._profile.name == "rouge101"
        return f1_from_counts(overlap, sizes.take(hyp, axis=1), sizes.take(ref, axis=1), rouge101)

    def _count_tokenized(
        self, texts: Sequence[str], hyp: Index, ref: Index, compiled: bool
    ) -> tuple[Counts, Counts]:
        """Return overlaps [3, pairs] and sizes [3, texts] of texts that are split into tokens in Python."""
        if self._tokenizer is None:
            return _count_sentences([split_sentences_101(text) for text in texts], hyp, ref)
        tokens = self._tokenizer.tokenize_all(texts)
        if compiled:
            from common.rouge.compiled import count_tokens

            return count_tokens(tokens, hyp, ref)
        return _count_tokens(tokens, hyp, ref)


def use_compiled(characters: int) -> bool:
    """Return whether a job with this many characters to compare should use compiled code.

    Once compiled code is loaded, every job uses it unless it is tiny.
    """
    if "common.rouge.compiled" in sys.modules:
        return characters > TINY
    folder = Path(__file__).parent
    written = max(kernels.stat().st_mtime for kernels in folder.glob("kernels*.py"))
    # Machine code older than the sources does not count, because numba would compile it again.
    on_disk = any(
        e.stat().st_mtime > written for e in folder.glob("__pycache__/kernels_chunk.score_chunk*.nbi")
    )
    return characters >= (WORTH_LOADING if on_disk else WORTH_COMPILING)


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
