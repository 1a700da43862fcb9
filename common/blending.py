"""A recipe's members with everything measured, and the texts that its method chooses for dev and test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common import rows as rows_of
from common import scoring
from common.candidates import Candidate
from common.competition import Competition
from common.ensemble.consensus import agreement, scores, vote
from common.ensemble.features import features
from common.ensemble.fusion import fused
from common.ensemble.neighbours import neighbours
from common.ensemble.nested import METHODS, Known, out_of_fold
from common.ensemble.pool import Floats, Ints, Pool, choose, copies, pool
from common.recipes import ENOUGH, Recipe

Members = Mapping[str, Mapping[str, list[Candidate]]]  # member -> id -> its candidates, the prediction first
Texts = Mapping[str, str]  # id -> text


@dataclass(frozen=True)
class Blended:
    """What a recipe's method chose."""

    dev: Texts
    """By id; of methods that learn, each by what the other folds taught."""
    test: Texts
    choice: Mapping[str, float]
    """On test, in [0, 1]: shares of dialogues whose candidates are all alike, all different, and (of a vote) tied."""
    copies: Mapping[str, str]
    """Member → the member whose predictions it repeats: the two count as one."""


def blend(recipe: Recipe, competition: Competition, dev: Members, test: Members) -> Blended:
    """The texts chosen for dev and for test.

    Raises UserError when the members differ in their ids, or dev is too small for the folds of a method that learns.
    """
    recipe, dev, repeated = distinct(recipe, dev)
    test = {member.run: test[member.run] for member in recipe.members}
    if recipe.learns:
        known, asked = measured(dev, competition, "dev", recipe), measured(test, competition, "test", recipe)
        method = METHODS[recipe.method]
        found, wanted = known.pool, asked.pool
        on_dev, on_test = out_of_fold(known, method), choose(method(known)(asked))
        ties = 0.0
    else:
        found, wanted = (pooled(members, competition, recipe) for members in (dev, test))
        (on_dev, _), (on_test, ties) = _told(recipe, found), _told(recipe, wanted)
    groups = [
        [text for text, said in zip(texts, row, strict=False) if said]
        for texts, row in zip(wanted.texts, wanted.said.tolist(), strict=True)
    ]
    choice = {
        "tied": ties,
        "all_alike": sum(len(set(group)) == 1 for group in groups) / len(groups),
        "all_different": sum(len(set(group)) == len(group) for group in groups) / len(groups),
    }
    return Blended(_texts(found, on_dev), _texts(wanted, on_test), choice, repeated)


def pooled(members: Members, competition: Competition, recipe: Recipe) -> Pool:
    """The members' candidates, and what is put together of them when the recipe asks for that.

    Of a dialogue with fewer than `recipes.ENOUGH` different candidates nothing is.
    Raises UserError when the members differ in their ids.
    """

    def fuse(texts: Sequence[Sequence[str]]) -> list[list[str]]:
        enough = [group if len(set(group)) >= ENOUGH else () for group in texts]
        return fused(enough, recipe.fused, competition.submission.max_characters, recipe.utility)

    return pool(members, recipe.utility, fuse if recipe.fused else None)


def _told(recipe: Recipe, found: Pool) -> tuple[Ints, float]:
    """The choice by a recipe that says whom to trust, and the share of dialogues in which a vote was tied."""
    measured_once = agreement(found)
    if recipe.method == "mbr":
        return choose(scores(measured_once, recipe.consensus)), 0.0
    counted, ties = vote(found, measured_once, recipe.consensus)
    return choose(counted), float(ties.mean())


def distinct(recipe: Recipe, dev: Members) -> tuple[Recipe, Members, dict[str, str]]:
    """Recipe and members without those whose dev predictions repeat another's, and who repeats whom."""
    repeated = copies(dev)
    recipe = recipe.without(repeated)
    return recipe, {member.run: dev[member.run] for member in recipe.members}, repeated


def measured(members: Members, competition: Competition, split: rows_of.SplitName, recipe: Recipe) -> Known:
    """The members' candidates of a split with agreement, features and, on dev, scores (0 on test: nobody knows them).

    Raises UserError when the members differ in their ids, and as reading the splits does.
    """
    rows = rows_of.read_split(competition, split).rows
    train = rows_of.read_split(competition, "train").rows
    found = pooled(members, competition, recipe)
    dialogues = {row.id: row.dialogue for row in rows}
    tokenizer = "mecab" if competition.language == "ko" else "whitespace"
    near = neighbours(found, rows, train, competition.near_copy, tokenizer, recipe.utility)
    columns = np.concatenate([features(found, dialogues, tokenizer), near], axis=2)
    target = targets(found, competition) if split == "dev" else np.zeros(found.owner.shape)
    return Known(found, agreement(found), columns, target, rows, competition.near_copy)


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


def _texts(found: Pool, chosen: Ints) -> dict[str, str]:
    return {
        name: texts[place] for name, texts, place in zip(found.ids, found.texts, chosen.tolist(), strict=True)
    }
