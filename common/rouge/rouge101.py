"""Rouge101: the scores of the ``rouge`` 1.0.1 package, bit for bit, without its exceptions and recursion limit."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, overload

from common.core.errors import UserError
from common.rouge.checks import check_same_length, check_texts
from common.rouge.pure_python import rouge101_counts
from common.rouge.tokenizers import split_sentences_101

Scores = dict[str, dict[str, float]]
"""``{"rouge-1": {"r": …, "p": …, "f": …}, "rouge-2": …, "rouge-l": …}``, each in [0, 1]."""

_METRICS = ("rouge-1", "rouge-2", "rouge-l")


def precision_recall_f(overlap: int, hypothesis: int, reference: int) -> tuple[float, float, float]:
    """Return precision, recall and F in [0, 1] as ``rouge`` 1.0.1 computes them.

    The 1e-8 in the denominator keeps F below 1.
    """
    precision = overlap / hypothesis if hypothesis else 0.0
    recall = overlap / reference if reference else 0.0
    return precision, recall, 2.0 * ((precision * recall) / (precision + recall + 1e-8))


def pair_scores(hypothesis: str, reference: str) -> Scores | None:
    """Return the scores of one pair, or None when a side has no sentence, where the package raises ValueError."""
    hyp, ref = split_sentences_101(hypothesis), split_sentences_101(reference)
    if not hyp or not ref:
        return None
    hyp_words = [word for sentence in hyp for word in sentence]
    ref_words = [word for sentence in ref for word in sentence]
    sizes = (len(set(hyp_words)), len(set(ref_words)))
    pair_sizes = (
        len(set(pairwise(hyp_words))),
        len(set(pairwise(ref_words))),
    )
    result: Scores = {}
    for metric, overlap, (h, r) in zip(
        _METRICS, rouge101_counts(hyp, ref), (sizes, pair_sizes, sizes), strict=True
    ):
        precision, recall, f = precision_recall_f(overlap, h, r)
        result[metric] = {"r": recall, "p": precision, "f": f}
    return result


class Rouge101:
    """Drop-in replacement for ``rouge.Rouge()`` of the ``rouge`` 1.0.1 package with its default metrics.

    It also scores pairs for which the package raises an exception. A pair with a side that is empty or only full
    stops scores 0, and ``empty`` counts such pairs in the last call. A text too long for the package's recursion gets
    its true score.
    ROUGE-L is asymmetric: swapping hypothesis and reference can change it.
    """

    def __init__(self) -> None:
        self.empty = 0

    @overload
    def get_scores(
        self, hyps: str | Sequence[str], refs: str | Sequence[str], avg: Literal[False] = False
    ) -> list[Scores]: ...

    @overload
    def get_scores(
        self, hyps: str | Sequence[str], refs: str | Sequence[str], avg: Literal[True]
    ) -> Scores: ...

    def get_scores(
        self, hyps: str | Sequence[str], refs: str | Sequence[str], avg: bool = False
    ) -> list[Scores] | Scores:
        """Return one ``Scores`` per pair, or their mean with ``avg=True``; all values are in [0, 1].

        Two plain strings are one pair. Raises UserError for unequal lengths, for a value that is not text, and for
        the mean of no pairs.
        """
        hyps = [hyps] if isinstance(hyps, str) else hyps
        refs = [refs] if isinstance(refs, str) else refs
        check_same_length(hyps, refs, "hyps", "refs")
        check_texts(hyps, "hyps")
        check_texts(refs, "refs")
        scored = [pair_scores(hyp, ref) for hyp, ref in zip(hyps, refs, strict=True)]
        self.empty = sum(score is None for score in scored)
        filled = [score or {metric: dict.fromkeys("rpf", 0.0) for metric in _METRICS} for score in scored]
        if not avg:
            return filled
        if not filled:
            raise UserError("avg=True needs at least one pair: pass a hypothesis and a reference.")
        # Sum one by one, in order, as the package does: another order would differ in the last bits.
        total: Scores = {metric: dict.fromkeys("rpf", 0.0) for metric in _METRICS}
        for score in filled:
            for metric in _METRICS:
                for stat in "rpf":
                    total[metric][stat] += score[metric][stat]
        return {m: {stat: value / len(filled) for stat, value in total[m].items()} for m in _METRICS}
