"""Few-shot selection: the solved dialogues most like the question, never the question itself in other words."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.competition import NEAR_COPY
from common.dialogue import clean
from common.errors import UserError
from common.prompts.copies import CopyIndex, copy_index, grams, similarity
from common.rouge.tokenizers import Tokenizer, get_tokenizer
from common.rows import Row

if TYPE_CHECKING:  # it takes longest of all to import, and only few-shot prompts need it
    import bm25s


@dataclass(frozen=True)
class Selection:
    """The shots for one dialogue, and what the guards kept out."""

    shots: tuple[Row, ...]
    """From the least to the most similar: the best one stands last, next to the question, because models lean most
    on what they read last (Zhao et al. 2021, "Calibrate Before Use")."""
    copies: tuple[str, ...]
    """Ids of all rows that are the question itself or a near-copy of it, most similar first."""
    repeats: int
    """Rows passed over because a chosen, more similar shot is a near-copy of them."""


@dataclass(frozen=True, eq=False)
class ShotIndex:
    """Rows to choose shots from, ready to be searched. Made by `shot_index`."""

    rows: tuple[Row, ...]
    """Sorted by id, so that ties do not depend on the order of the file."""
    without_summary: int
    """Rows given that cannot be shots."""
    near_copy: float
    tokenizer: Tokenizer
    ranker: "bm25s.BM25"
    letters: CopyIndex

    def select(self, query: Row | str, k: int) -> Selection:
        """At most k shots for a dialogue, ranked by BM25 over morphemes; fewer when the guards leave fewer.

        Never a row with the query's id, of its text, or of its group of near-copies (copies of copies too), and no
        two that are near-copies of each other. Equal scores go by id. Raises UserError when k is negative.
        """
        return self.select_all([query], k)[0]

    def select_all(self, queries: Sequence[Row | str], k: int) -> list[Selection]:
        """`select` for many dialogues, in order; their morphemes come from the cache on disk where it has them."""
        if k < 0:
            raise UserError(f"shots: {k} were asked for; wanted 0 or more. Set prompt.shots.")
        texts = [query if isinstance(query, str) else query.dialogue for query in queries]
        analysed = self.tokenizer.tokenize_all([clean(text) for text in texts])
        return [
            self._choose(text, tokens, query.id if isinstance(query, Row) else None, k)
            for query, text, tokens in zip(queries, texts, analysed, strict=True)
        ]

    def _choose(self, text: str, tokens: Sequence[str], query_id: str | None, k: int) -> Selection:
        # Each morpheme counts once: a long question repeats its particles.
        known = self.ranker.get_tokens_ids(list(dict.fromkeys(tokens)))
        scores = self.ranker.get_scores_from_ids(known)
        forbidden = self.letters.group(grams(text), self.near_copy)
        copies: list[str] = []
        chosen: list[int] = []
        repeats = 0
        for place in np.argsort(-scores, kind="stable").tolist():
            if place in forbidden or self.rows[place].id == query_id:
                copies.append(self.rows[place].id)
            elif len(chosen) < k:
                mine = self.letters.grams[place]
                if any(similarity(mine, self.letters.grams[other]) >= self.near_copy for other in chosen):
                    repeats += 1
                else:
                    chosen.append(place)
        return Selection(tuple(self.rows[place] for place in reversed(chosen)), tuple(copies), repeats)


def shot_index(
    rows: Sequence[Row],
    tokenizer: str = "mecab",
    forbidden: Collection[Row] = (),
    near_copy: float = NEAR_COPY,
) -> ShotIndex:
    """An index over the train rows that have a summary.

    `forbidden` are the rows of dev and test: one of their ids among `rows` is a leak. `near_copy` is the similarity
    (`copies.similarity`, in (0, 1]) from which two dialogues count as one.
    Raises UserError on a forbidden or repeated id, when no row has a summary, and as `get_tokenizer` does.
    """
    if not 0 < near_copy <= 1:
        raise UserError(f"shots: near_copy is {near_copy}; wanted more than 0 and at most 1.")
    scored = {row.id for row in forbidden}
    ids: set[str] = set()
    for row in rows:
        if row.id in scored:
            count = sum(other.id in scored for other in rows)
            raise UserError(
                f'shots: row "{row.id}" is one of the dev and test rows ({count} of {len(rows)} rows are); its summary '
                "would leak into a score. Build the index from the train split alone."
            )
        if row.id in ids:
            raise UserError(
                f'shots: id "{row.id}" occurs twice among the rows; ids are unique. Give every row once.'
            )
        ids.add(row.id)
    usable = sorted((row for row in rows if any(map(str.strip, row.summaries))), key=lambda row: row.id)
    if not usable:
        raise UserError(
            f"shots: none of the {len(rows)} rows has a summary; a shot shows dialogue and summary. "
            "Build the index from the train split, or set prompt.shots to 0."
        )
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets a level of its own when imported
    chosen = get_tokenizer(tokenizer)
    analysed = chosen.tokenize_all([clean(row.dialogue) for row in usable])
    vocabulary = {
        token: i for i, token in enumerate(sorted({t for tokens in analysed for t in tokens} | {""}))
    }
    ranker = bm25s.BM25(dtype="float64")
    numbered = [[vocabulary[token] for token in tokens or [""]] for tokens in analysed]
    ranker.index((numbered, vocabulary), show_progress=False)
    return ShotIndex(
        rows=tuple(usable),
        without_summary=len(rows) - len(usable),
        near_copy=near_copy,
        tokenizer=chosen,
        ranker=ranker,
        letters=copy_index([row.dialogue for row in usable]),
    )
