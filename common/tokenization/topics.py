"""Guess the topic of every dialogue from the training rows, and show it to the model in a line before the dialogue."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from transformers import PreTrainedTokenizerFast

from common import prompts
from common.core.progress import waiting
from common.data.dialogue import clean
from common.data.rows import Row, require_topics
from common.tokenization.layout import InputTemplate, TemplateOf, template_of

NEIGHBOURS = 10
"""Number of most similar training dialogues whose topics are counted."""
_ROWS_AT_ONCE = 1000  # rows of the similarity matrix that are in memory at once


def guessed_topics(train: Sequence[Row], others: Sequence[Row]) -> dict[Row, str]:
    """Return the guessed topic of every row of `train` and `others`.

    The guess is the topic with the largest sum of similarities (TF-IDF of character n-grams) among the most similar
    other training dialogues. It never uses the row's own topic, not even for a row of train or dev: the model then
    learns from topics that are as often wrong as those of test. Topics are nearly free text, so most of them occur once,
    and a classifier with one class for each has nothing to learn from.
    Raises UserError when train has no topics.
    """
    known = require_topics(train)
    from sklearn.feature_extraction.text import TfidfVectorizer  # slow to import, and few runs need it

    rows = [*train, *others]
    with waiting("guess topics"):
        vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(2, 3), sublinear_tf=True)
        wanted = vectorizer.fit_transform([clean(row.dialogue) for row in known]).T.tocsc()
        vectors = vectorizer.transform([clean(row.dialogue) for row in rows])
        found: dict[Row, str] = {}
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            similar = (vectors[start : start + _ROWS_AT_ONCE] @ wanted).toarray()
            for row, values in zip(rows[start : start + _ROWS_AT_ONCE], similar, strict=True):
                nearest = (-values).argsort(kind="stable")[: NEIGHBOURS + 1]
                chosen = [place for place in nearest if known[place] != row][:NEIGHBOURS]
                found[row] = _most(known, chosen, values)
    return found


def _most(known: Sequence[Row], places: Sequence[int], similarity: Sequence[float]) -> str:
    """Return the topic with the largest sum of similarities; on a tie the one of the most similar row."""
    sums: dict[str, float] = {}
    for place in places:
        topic = known[place].topic.strip()
        sums[topic] = sums.get(topic, 0.0) + float(similarity[place])
    return max(sums, key=lambda topic: sums[topic])


def with_topics(
    template: InputTemplate | TemplateOf, tokenizer: PreTrainedTokenizerFast, topics: Mapping[Row, str]
) -> TemplateOf:
    """Return an input template that shows the topic of its row in a line before the dialogue, as "주제: 점심 약속".

    The line is a part of the template, so a long dialogue is cut and the topic stays.
    """

    def made(row: Row) -> InputTemplate:
        one = template_of(template, row)
        topic = " ".join((prompts.safe(topics[row]) if one.safe else clean(topics[row])).split())
        line = tokenizer.encode(f"주제: {topic}\n", add_special_tokens=False, split_special_tokens=True)
        return replace(one, prefix=(*one.prefix, *line))

    return made
