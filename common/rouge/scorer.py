"""RougeScorer and BootstrapAggregator: drop-in replacements for korouge-score 0.1.4 with bit-identical results."""

from collections import Counter as Multiset
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from common.core.errors import UserError
from common.core.messages import brief
from common.rouge.checks import check_text
from common.rouge.pure_python import lcs_positions, ngram_overlap, overlap_counts, position_masks
from common.rouge.tokenizers import whitespace_tokenizer


class Score(NamedTuple):
    """Precision, recall and F1, each in [0, 1]."""

    precision: float
    recall: float
    fmeasure: float


class AggregateScore(NamedTuple):
    """Lower end, middle and upper end of a bootstrap interval, each a ``Score``."""

    low: Score
    mid: Score
    high: Score


class TextTokenizer(Protocol):
    """Any object with a ``tokenize`` method, as korouge-score accepts it."""

    def tokenize(self, text: str) -> Sequence[str]:
        """Return the tokens of one text."""


ROUGE_TYPES = (*(f"rouge{n}" for n in range(1, 10)), "rougeL", "rougeLsum")


def _score(overlap: int, prediction: int, target: int) -> Score:
    precision = overlap / max(prediction, 1)
    recall = overlap / max(target, 1)
    total = precision + recall
    return Score(precision, recall, 2 * precision * recall / total if total > 0 else 0.0)


class RougeScorer:
    """ROUGE of text pairs, with the interface and results of korouge-score 0.1.4.

    Default tokens: lower case, split on whitespace, with an empty token at each edge that has spaces. So ``''``
    against ``''`` scores 1.0, and a trailing space on both sides is a match; ``corpus`` scores blank predictions 0
    instead. ``use_stemmer`` applies the Porter stemmer to tokens of more than three characters (ignored if you pass a
    ``tokenizer``). ``split_summaries`` splits sentences for rougeLsum with NLTK instead of at newlines.

    Raises UserError for an unknown rouge type at construction; korouge-score raises ValueError when scoring.
    """

    def __init__(
        self,
        rouge_types: Sequence[str],
        use_stemmer: bool = False,
        split_summaries: bool = False,
        tokenizer: TextTokenizer | None = None,
    ) -> None:
        for name in rouge_types:
            if name not in ROUGE_TYPES:
                raise UserError(f"unknown rouge type {brief(name)}; choose from: {', '.join(ROUGE_TYPES)}.")
        self.rouge_types = rouge_types
        self._split_summaries = split_summaries
        self._tokenizer: TextTokenizer = tokenizer or whitespace_tokenizer(use_stemmer)

    def score(self, target: str, prediction: str) -> dict[str, Score]:
        """Return the scores of one prediction against one target, by type; raise UserError if either is not text."""
        check_text(target, "target")
        check_text(prediction, "prediction")
        wants_tokens = any(name != "rougeLsum" for name in self.rouge_types)
        target_tokens = self._tokenizer.tokenize(target) if wants_tokens else ()
        tokens = self._tokenizer.tokenize(prediction) if wants_tokens else ()
        return self._scores(target, prediction, target_tokens, tokens)

    def score_multi(self, targets: Sequence[str], prediction: str) -> dict[str, Score]:
        """Return the score against the target with the best F (the first one on a tie), for each rouge type.

        Raises UserError for no targets or a value that is not text.
        """
        if isinstance(targets, str) or len(targets) == 0:
            raise UserError(f"targets is {targets!r:.60}; wanted a list with at least one text.")
        all_scores = [self.score(target, prediction) for target in targets]
        return {
            name: max((s[name] for s in all_scores), key=lambda s: s.fmeasure) for name in self.rouge_types
        }

    def _scores(
        self, target: str, prediction: str, target_tokens: Sequence[str], tokens: Sequence[str]
    ) -> dict[str, Score]:
        masks = position_masks(target_tokens)
        counts: tuple[int, int, int] | None = None
        result: dict[str, Score] = {}
        for name in self.rouge_types:
            if name == "rougeLsum":
                result[name] = self._summary_level(target, prediction)
                continue
            if name in ("rouge1", "rouge2", "rougeL"):
                counts = counts or overlap_counts(tokens, masks, len(target_tokens))
                overlap = counts[("rouge1", "rouge2", "rougeL").index(name)]
            else:
                overlap = ngram_overlap(tokens, masks, int(name[5:]))
            shorter = 0 if name == "rougeL" else int(name[5:]) - 1
            result[name] = _score(overlap, len(tokens) - shorter, len(target_tokens) - shorter)
        return result

    def _sentences(self, text: str) -> list[list[str]]:
        lines = _nltk_sentences(text) if self._split_summaries else text.split("\n")
        return [list(self._tokenizer.tokenize(line)) for line in lines if line]

    def _summary_level(self, target: str, prediction: str) -> Score:
        """Return the union-LCS score over sentences; a token counts at most as often as it occurs on each side.

        Source: Lin 2004, section 3.2, with the clipping of ROUGE-1.5.5 that korouge-score follows.
        """
        target_sentences, sentences = self._sentences(target), self._sentences(prediction)
        in_target = Multiset(token for sentence in target_sentences for token in sentence)
        in_prediction = Multiset(token for sentence in sentences for token in sentence)
        found: Multiset[str] = Multiset()
        for sentence in target_sentences:
            union = {place for other in sentences for place in lcs_positions(sentence, other)}
            found.update(sentence[place] for place in union)
        hits = sum(min(count, in_prediction[token]) for token, count in found.items())
        return _score(hits, in_prediction.total(), in_target.total())


def _nltk_sentences(text: str) -> list[str]:
    try:
        import nltk  # type: ignore[import-untyped, unused-ignore]

        sentences: list[str] = nltk.sent_tokenize(text)
    except ImportError:
        raise UserError("split_summaries=True needs nltk. Install it with: pip install nltk") from None
    except LookupError:
        raise UserError(
            "split_summaries=True needs NLTK's punkt data, which is not on this machine. "
            "Download it with: python -m nltk.downloader punkt_tab  (or leave split_summaries off and separate sentences "
            "with newlines)."
        ) from None
    return sentences


class BootstrapAggregator:
    """Percentile bootstrap of mean scores, with korouge-score's interface and a seedable generator.

    ``generator``: a ``numpy.random.Generator``, a legacy ``RandomState``, a seed, or None for seed 0. With
    ``np.random.RandomState(s)`` the result equals korouge-score's after ``np.random.seed(s)``, bit for bit.
    Raises UserError for a confidence outside [0, 1] or fewer than one sample.
    """

    def __init__(
        self,
        confidence_interval: float = 0.95,
        n_samples: int = 1000,
        generator: np.random.Generator | np.random.RandomState | int | None = None,
    ) -> None:
        if not 0 <= confidence_interval <= 1:
            raise UserError(f"confidence_interval is {confidence_interval}; wanted a number from 0 to 1.")
        if n_samples <= 0:
            raise UserError(f"n_samples is {n_samples}; wanted at least 1.")
        self._confidence = confidence_interval
        self._n_samples = n_samples
        if generator is None or isinstance(generator, int):
            generator = np.random.default_rng(generator or 0)
        self._generator: Any = generator
        self._scores: dict[str, list[Score]] = {}

    def add_scores(self, scores: Mapping[str, Score]) -> None:
        """Add the scores of one example."""
        for name, score in scores.items():
            self._scores.setdefault(name, []).append(score)

    def aggregate(self) -> dict[str, AggregateScore]:
        """Return the bootstrap interval of the mean for every score type added so far."""
        result = {}
        for name, scores in self._scores.items():
            low, mid, high = (Score(*map(float, row)) for row in self._percentiles(np.array(scores)))
            result[name] = AggregateScore(low, mid, high)
        return result

    def _percentiles(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        means = np.empty((self._n_samples, matrix.shape[1]))
        for k in range(self._n_samples):
            rows = self._generator.choice(matrix.shape[0], size=matrix.shape[0])
            means[k] = matrix[rows].mean(axis=0)
        tail = (1 - self._confidence) / 2
        ends: npt.NDArray[np.float64] = np.percentile(means, 100 * np.array([tail, 0.5, 1 - tail]), axis=0)
        return ends
