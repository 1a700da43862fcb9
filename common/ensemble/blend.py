"""Measure a recipe's members, and choose texts for dev and test by its method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.core.progress import brief_progress
from common.core.threads import one_thread
from common.data.competition import Competition
from common.data.rows import SplitName, read_references, read_split
from common.ensemble.consensus import agreement, scores, vote
from common.ensemble.cross_validation import CHOICE_METHODS, FOLDS, MeasuredPool, out_of_fold
from common.ensemble.features import features
from common.ensemble.neighbours import neighbours
from common.ensemble.pool import Floats, Ints, Pool, choose, duplicate_members, pool
from common.ensemble.recipe import ENOUGH, Recipe
from common.ensemble.recombine import recombine
from common.runs.candidates import Candidate
from common.runs.scoring import example_scores

Members = Mapping[str, Mapping[str, list[Candidate]]]  # member -> id -> its candidates, the prediction first
Texts = Mapping[str, str]  # id -> text


@dataclass(frozen=True)
class Blended:
    """The texts that a recipe's method chose."""

    dev: Texts
    """By id. A method that learns chooses each dev text with what it learned on the other folds."""
    test: Texts
    choice: Mapping[str, float]
    """Shares of the test dialogues, in [0, 1]: candidates all alike, candidates all different, tied votes."""
    copies: Mapping[str, str]
    """Member → the member whose predictions it repeats; the two count as one."""


@one_thread()
def blend(recipe: Recipe, competition: Competition, dev: Members, test: Members) -> Blended:
    """Return the texts chosen for dev and for test.

    A member without dev predictions takes part on test only, and not at all in a method that learns on dev.
    Raises UserError when the members differ in their ids, or dev is too small for the folds of a method that learns.
    """
    recipe, dev, repeated = without_copies(recipe, dev, test)
    if recipe.learns:
        recipe = recipe.only(dev)
    test = {member.name: test[member.name] for member in recipe.members}
    if recipe.learns:
        known, unseen = measured(dev, competition, "dev", recipe), measured(test, competition, "test", recipe)
        method = CHOICE_METHODS[recipe.method]
        dev_pool, test_pool = known.pool, unseen.pool
        bar = brief_progress(FOLDS + 1, f"learn {recipe.method}", "fit")
        on_dev = out_of_fold(known, method, step=bar.update)
        on_test = choose(method(known)(unseen))
        bar.close()
        ties = 0.0
    else:
        dev_pool, test_pool = (pooled(members, competition, recipe) for members in (dev, test))
        (on_dev, _), (on_test, ties) = (
            _choose_by_weights(recipe.only(dev), dev_pool),
            _choose_by_weights(recipe, test_pool),
        )
    groups = [
        [text for text, real in zip(texts, row, strict=False) if real]
        for texts, row in zip(test_pool.texts, test_pool.from_members.tolist(), strict=True)
    ]
    choice = {
        "tied": ties,
        "all_alike": sum(len(set(group)) == 1 for group in groups) / len(groups),
        "all_different": sum(len(set(group)) == len(group) for group in groups) / len(groups),
    }
    return Blended(_texts(dev_pool, on_dev), _texts(test_pool, on_test), choice, repeated)


@one_thread()
def blend_on_dev(recipe: Recipe, competition: Competition, dev: Members) -> Texts:
    """Return the texts that `blend` chooses for dev, without the members' test candidates.

    Raises UserError as `blend` does.
    """
    recipe, dev, _ = without_copies(recipe, dev)
    recipe = recipe.only(dev)
    if recipe.learns:
        known = measured(dev, competition, "dev", recipe)
        bar = brief_progress(FOLDS, f"learn {recipe.method}", "fit")
        chosen = out_of_fold(known, CHOICE_METHODS[recipe.method], step=bar.update)
        bar.close()
        return _texts(known.pool, chosen)
    found = pooled(dev, competition, recipe)
    chosen, _ = _choose_by_weights(recipe, found)
    return _texts(found, chosen)


def pooled(members: Members, competition: Competition, recipe: Recipe) -> Pool:
    """Return the members' candidates and, if the recipe asks for them, texts recombined from them.

    A dialogue with fewer than `recipe.ENOUGH` different candidates gets no recombined texts.
    Raises UserError when the members differ in their ids.
    """

    def combine(texts: Sequence[Sequence[str]]) -> list[list[str]]:
        enough = [group if len(set(group)) >= ENOUGH else () for group in texts]
        return recombine(enough, recipe.recombined, competition.submission.max_characters, recipe.utility)

    return pool(members, recipe.utility, combine if recipe.recombined else None)


def _choose_by_weights(recipe: Recipe, found: Pool) -> tuple[Ints, float]:
    """Return the choice by a recipe with given weights, and the share of dialogues whose vote is tied."""
    measured_once = agreement(found)
    if recipe.method == "mbr":
        return choose(scores(measured_once, recipe.consensus)), 0.0
    counted, ties = vote(found, measured_once, recipe.consensus)
    return choose(counted), float(ties.mean())


def without_copies(
    recipe: Recipe, dev: Members, test: Members | None = None
) -> tuple[Recipe, Members, dict[str, str]]:
    """Return recipe and dev candidates without members that repeat another's predictions, and repeated → original.

    Dev predictions are compared, and with `test` those of test for members that have no others.
    """
    repeated = duplicate_members(dev)
    if test and (alone := [name for name in test if name not in dev]):
        ordered = {name: test[name] for name in (*dev, *alone) if name not in repeated}
        repeated |= {name: other for name, other in duplicate_members(ordered).items() if name in alone}
    recipe = recipe.without(repeated)
    return (
        recipe,
        {member.name: dev[member.name] for member in recipe.members if member.name in dev},
        repeated,
    )


def measured(members: Members, competition: Competition, split: SplitName, recipe: Recipe) -> MeasuredPool:
    """Return the members' candidates of a split with agreement, features and scores.

    On test the scores are unknown and set to 0. Raises UserError when the members differ in their ids, and as reading
    the splits does.
    """
    rows = read_split(competition, split).rows
    train = read_split(competition, "train").rows
    bar = brief_progress(4, f"measure {split} candidates", "step", even=False)
    found = pooled(members, competition, recipe)
    bar.update()
    dialogues = {row.id: row.dialogue for row in rows}
    tokenizer = "mecab" if competition.language == "ko" else "whitespace"
    near = neighbours(found, rows, train, competition.near_copy, tokenizer, recipe.utility)
    bar.update()
    columns = np.concatenate([features(found, dialogues, tokenizer), near], axis=2)
    bar.update()
    target = targets(found, competition) if split == "dev" else np.zeros(found.owner.shape)
    bar.close()
    return MeasuredPool(found, agreement(found), columns, target, rows, competition.near_copy)


def targets(found: Pool, competition: Competition, whose: Mapping[str, str] | None = None) -> Floats:
    """Return the dev profile's headline of every dev candidate, (dialogues, n), 0 for padding.

    `whose`: id → id of the dialogue whose references count; default: each dialogue's own.
    """
    references = read_references(competition, "dev")
    places = [(row, place) for row, texts in enumerate(found.texts) for place in range(len(texts))]
    texts = {f"{row}/{place}": found.texts[row][place] for row, place in places}
    references_by_key = {
        f"{row}/{place}": references[(whose or {}).get(found.ids[row], found.ids[row])]
        for row, place in places
    }
    scored = example_scores(
        texts, references_by_key, competition.dev_profile, competition.leaderboard_references
    )
    values = np.zeros(found.owner.shape)
    values[tuple(np.array(places).T)] = scored.per_example[scored.headline_key]
    return values


def _texts(found: Pool, chosen: Ints) -> dict[str, str]:
    return {
        name: texts[place] for name, texts, place in zip(found.ids, found.texts, chosen.tolist(), strict=True)
    }
