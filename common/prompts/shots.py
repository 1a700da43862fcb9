"""Select few-shot examples: the solved dialogues most similar to the question, without near-copies of it."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from common.core.errors import UserError
from common.core.progress import waiting
from common.data.competition import NEAR_COPY
from common.data.dialogue import clean
from common.data.near_copies import CopyIndex, copy_index, grams, similarity
from common.data.rows import Row

if TYPE_CHECKING:  # slow to import, and only few-shot prompts need them
    import bm25s

    from common.rouge.tokenizers import Tokenizer


@dataclass(frozen=True)
class Selection:
    """The shots for one dialogue, and the rows that were excluded."""

    shots: tuple[Row, ...]
    """The shots in ascending order of similarity: the best one stands next to the question, because models rely most on
    the last example (Zhao et al. 2021, "Calibrate Before Use")."""
    copies: tuple[str, ...]
    """Ids of all rows that are the question itself or a near-copy of it, in descending order of similarity."""
    repeats: int
    """Number of rows skipped because they are near-copies of a chosen shot."""


@dataclass(frozen=True, eq=False)
class ShotIndex:
    """A search index over the rows that may be shots. Made by `shot_index`."""

    rows: tuple[Row, ...]
    """The rows, sorted by id so that ties do not depend on the order of the file."""
    without_summary: int
    """Number of rows left out because they have no summary."""
    near_copy: float
    tokenizer: "Tokenizer"
    ranker: "bm25s.BM25"
    letters: CopyIndex

    def select(self, query: Row | str, k: int) -> Selection:
        """Return at most k shots for a dialogue, ranked by BM25 over morphemes; equal scores are ordered by id.

        Excluded are the row with the query's id, its near-copies, the near-copies of its near-copies, and rows that are
        near-copies of a better shot. Raises UserError if k is negative.
        """
        return self.select_all([query], k)[0]

    def select_all(self, queries: Sequence[Row | str], k: int) -> list[Selection]:
        """Return the selection of every dialogue, in order, as `select` does; morphemes are cached on disk."""
        if k < 0:
            raise UserError(f"shots: {k} requested; wanted 0 or more. Set prompt.shots.")
        texts = [query if isinstance(query, str) else query.dialogue for query in queries]
        analysed = self.tokenizer.tokenize_all([clean(text) for text in texts])
        return [
            self._choose(text, tokens, query.id if isinstance(query, Row) else None, k)
            for query, text, tokens in zip(queries, texts, analysed, strict=True)
        ]

    def _choose(self, text: str, tokens: Sequence[str], query_id: str | None, k: int) -> Selection:
        # Each morpheme counts once, because a long question repeats its particles.
        known = self.ranker.get_tokens_ids(list(dict.fromkeys(tokens)))
        scores = self.ranker.get_scores_from_ids(known)
        forbidden = self.letters.group(grams(text), self.near_copy)
        copies: list[str] = []
        chosen: list[int] = []
        repeats = 0
        for place in (-scores).argsort(kind="stable").tolist():
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
    """Return an index over the train rows that have a summary.

    `forbidden` are the rows of dev and test, whose ids must not be among `rows`. `near_copy` is the similarity in (0, 1]
    (`near_copies.similarity`) from which two dialogues count as copies.
    Raises UserError for a forbidden or repeated id, if no row has a summary, and as `get_tokenizer` does.
    """
    if not 0 < near_copy <= 1:
        raise UserError(f"shots: near_copy is {near_copy}; wanted more than 0 and at most 1.")
    scored = {row.id for row in forbidden}
    ids: set[str] = set()
    for row in rows:
        if row.id in scored:
            count = sum(other.id in scored for other in rows)
            raise UserError(
                f'shots: row "{row.id}" belongs to dev or test ({count} of {len(rows)} rows do); its summary '
                "would leak into a score. Build the index from the train split only."
            )
        if row.id in ids:
            raise UserError(
                f'shots: id "{row.id}" occurs twice among the rows; wanted unique ids. Pass every row once.'
            )
        ids.add(row.id)
    usable = sorted((row for row in rows if any(map(str.strip, row.summaries))), key=lambda row: row.id)
    if not usable:
        raise UserError(
            f"shots: none of the {len(rows)} rows has a summary; a shot needs a dialogue and a summary. "
            "Build the index from the train split, or set prompt.shots to 0."
        )
    import bm25s

    from common.rouge.tokenizers import get_tokenizer

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets its own level when imported
    chosen = get_tokenizer(tokenizer)
    with waiting("index the words of train"):
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
