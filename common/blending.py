"""A recipe's members with everything measured, and the texts of methods that learn on dev how to choose."""

from collections.abc import Mapping

import numpy as np

from common import rows as rows_of
from common import scoring
from common.candidates import Candidate
from common.competition import Competition
from common.ensemble.consensus import agreement
from common.ensemble.features import features
from common.ensemble.nested import METHODS, Known, out_of_fold
from common.ensemble.pool import Floats, Ints, Pool, choose, pool
from common.recipes import Recipe

Members = Mapping[str, Mapping[str, list[Candidate]]]  # member -> id -> its candidates, the prediction first


def measured(members: Members, competition: Competition, split: rows_of.SplitName, recipe: Recipe) -> Known:
    """The members' candidates of a split with agreement, features and, on dev, scores (0 on test: nobody knows them).

    Raises UserError when the members differ in their ids, and as reading the split does.
    """
    rows = rows_of.read_split(competition, split).rows
    found = pool(members, recipe.utility)
    dialogues = {row.id: row.dialogue for row in rows}
    tokenizer = "mecab" if competition.language == "ko" else "whitespace"
    target = targets(found, competition) if split == "dev" else np.zeros(found.owner.shape)
    return Known(
        found, agreement(found), features(found, dialogues, tokenizer), target, rows, competition.near_copy
    )


def targets(found: Pool, competition: Competition) -> Floats:
    """(dialogues, n): the dev profile's headline of every dev candidate, 0 for padding."""
    references = rows_of.read_references(competition, "dev")
    flat = [(row, place) for row, texts in enumerate(found.texts) for place in range(len(texts))]
    texts = {f"{row}/{place}": found.texts[row][place] for row, place in flat}
    wanted = {f"{row}/{place}": references[found.ids[row]] for row, place in flat}
    scored = scoring.examples(texts, wanted, competition.dev_profile, competition.leaderboard_references)
    values = np.zeros(found.owner.shape)
    values[tuple(np.array(flat).T)] = scored.per_example[scored.headline_key]
    return values


def learned(
    recipe: Recipe, competition: Competition, dev: Members, test: Members
) -> tuple[dict[str, str], dict[str, str]]:
    """The texts chosen for dev, each by what the other folds taught, and for test, by what all of dev taught.

    Raises UserError when dev is too small for folds.
    """
    method = METHODS[recipe.method]
    known = measured(dev, competition, "dev", recipe)
    asked = measured(test, competition, "test", recipe)
    return _texts(known.pool, out_of_fold(known, method)), _texts(asked.pool, choose(method(known)(asked)))


def _texts(found: Pool, chosen: Ints) -> dict[str, str]:
    return {
        name: texts[place] for name, texts, place in zip(found.ids, found.texts, chosen.tolist(), strict=True)
    }
