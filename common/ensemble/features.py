"""Compute features of candidates that need no reference: the columns that stacking and ranking learn from."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.data.dialogue import clean, parse, tags
from common.ensemble.pool import Floats, Pool
from common.postprocess.sentences import sentences
from common.rouge import METRICS
from common.rouge.tokenizers import get_tokenizer

_NUMBER = re.compile(r"[0-9]+")
OF_TEXT = (
    "characters",
    "morphemes",
    "sentences",
    "ends_in_stop",
    "share_of_source_length",
    "source_coverage",
    "copied_trigrams",
    "novel",
    "repeated_bigrams",
    "tags",
    "tags_of_source",
    "tags_invented",
    "speakers_missing",
    "numbers_invented",
    "numbers_kept",
)
"""Columns that need only the candidate and its dialogue."""


def names(pool: Pool) -> tuple[str, ...]:
    """Return the column names of `features`, in order."""
    agreement = [f"agrees_{metric}" for metric in METRICS]
    return (
        *OF_TEXT,
        *agreement,
        *(f"{name}_elsewhere" for name in agreement),
        *(f"agrees_with_{member}" for member in pool.members),
        "length_to_median",
        "logprob",
        "logprob_known",
        "is_prediction",
        *(f"member_{member}" for member in pool.members),
        "put_together",
    )


def features(pool: Pool, dialogues: Mapping[str, str], tokenizer: str = "mecab") -> Floats:
    """Return the columns of every candidate, (dialogues, n, columns), 0 for padding; see `names` for the columns.

    No column uses a reference, so dev and test are treated alike. `dialogues`: the texts by id.
    """
    size = (*pool.owner.shape, len(names(pool)))
    found = np.zeros(size)
    analyser = get_tokenizer(tokenizer)
    flat = [text for texts in pool.texts for text in texts]
    analysed = iter(analyser.tokenize_all(flat))
    sources = analyser.tokenize_all([clean(dialogues[name]) for name in pool.ids])
    for row, (name, texts) in enumerate(zip(pool.ids, pool.texts, strict=True)):
        source = AnalysedDialogue(clean(dialogues[name]), sources[row])
        for place, text in enumerate(texts):
            found[row, place, : len(OF_TEXT)] = source.columns(text, next(analysed))
    found[:, :, len(OF_TEXT) :] = _of_pool(pool)
    return found * pool.mask[:, :, None]


class AnalysedDialogue:
    """A dialogue, analysed once for all its candidates."""

    def __init__(self, dialogue: str, morphemes: Sequence[str]) -> None:
        self.characters = max(1, len(dialogue))
        self.morphemes = set(morphemes)
        self.trigrams = set(zip(morphemes, morphemes[1:], morphemes[2:], strict=False))
        self.tags = set(tags(dialogue))
        self.speakers = {turn.speaker for turn in parse(dialogue) if turn.speaker}
        self.numbers = set(_NUMBER.findall(_without_tags(dialogue)))

    def columns(self, text: str, morphemes: Sequence[str]) -> list[float]:
        """Return the values of the columns OF_TEXT."""
        count = max(1, len(morphemes))
        bigrams = Counter(pairwise(morphemes))
        trigrams = list(zip(morphemes, morphemes[1:], morphemes[2:], strict=False))
        own_tags, numbers = tags(text), set(_NUMBER.findall(_without_tags(text)))
        covered = sum(word in self.morphemes for word in morphemes)
        return [
            len(text),
            len(morphemes),
            len(sentences(text)),
            text.rstrip().endswith((".", "!", "?")),
            len(text) / self.characters,
            covered / count,
            sum(gram in self.trigrams for gram in trigrams) / max(1, len(trigrams)),
            len(set(morphemes) - self.morphemes) / count,
            1 - len(bigrams) / max(1, sum(bigrams.values())),
            len(own_tags),
            len(self.tags & set(own_tags)) / max(1, len(self.tags)),
            len(set(own_tags) - self.tags),
            len(self.speakers - set(own_tags)),
            len(numbers - self.numbers),
            len(numbers & self.numbers) / max(1, len(self.numbers)),
        ]


def _without_tags(text: str) -> str:
    return re.sub(r"#\w+#", " ", text)


def _of_pool(pool: Pool) -> Floats:
    """Return the columns that compare a candidate with the members' other candidates for its dialogue."""
    n = pool.owner.shape[1]
    others = pool.from_members[:, None, :] & ~np.eye(n, dtype=bool)
    elsewhere = others & (pool.owner[:, :, None] != pool.owner[:, None, :])
    columns = [
        *np.moveaxis(_mean(pool.utility, others), 2, 0),
        *np.moveaxis(_mean(pool.utility, elsewhere), 2, 0),
    ]
    for number in range(len(pool.members)):
        of_member = others & (pool.owner == number)[:, None, :]
        columns.append(_mean(pool.utility, of_member).mean(axis=2))
    lengths = np.array([[len(t) for t in texts] + [0] * (n - len(texts)) for texts in pool.texts], float)
    median = np.array([np.median(row[own]) for row, own in zip(lengths, pool.from_members, strict=True)])
    columns.append(lengths / np.maximum(1, median)[:, None])
    columns += [np.nan_to_num(pool.logprob), ~np.isnan(pool.logprob), pool.place == 0]
    columns += [pool.owner == number for number in range(len(pool.members) + 1)]
    return np.stack([np.asarray(column, float) for column in columns], axis=2)


def _mean(utility: NDArray[np.float32], over: NDArray[Any]) -> Floats:
    """Return the mean utility of each candidate over the marked references, (dialogues, n, metrics); 0 without any."""
    total = np.einsum("dijk,dij->dik", utility, over.astype(np.float32), optimize=True)
    count = over.sum(axis=2)[:, :, None]
    mean: Floats = np.divide(total, count, out=np.zeros(total.shape), where=count > 0)
    return mean
