"""Products before the guards: what each parent's product is rejected for, or that it may stay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.augment import guards
from common.augment.guards import Case, GuardConfig
from common.augment.products import Product
from common.folds import folds
from common.prompts.copies import CopyIndex, copy_index
from common.rows import Row


@dataclass(frozen=True)
class Verdict:
    """What became of one parent."""

    parent: Row
    fold: int
    case: Case | None
    """None when nothing was made of it."""
    reason: str
    """"" when the product is kept, else "reason: what was found"."""


def judge(
    parents: Sequence[Row],
    products: Mapping[str, Product | str],
    train: Sequence[Row],
    forbidden: CopyIndex,
    config: GuardConfig,
    near_copy: float,
    k: int,
    *,
    morphemes: bool,
) -> list[Verdict]:
    """A verdict on every parent's product (or on why there is none), in their order; of two alike the first stays.

    `train`: every row of the split, which k folds are made of; `forbidden`: the dialogues of dev and test;
    `near_copy`: the competition's.
    Raises UserError as `folds` does.
    """
    index = copy_index([row.dialogue for row in train])
    fold_of = folds(train, k, near_copy, index)
    numbers = np.array([fold_of[row.id] for row in train], dtype=np.int64)
    made = [(row, p) for row in parents if isinstance(p := products[row.id], Product)]
    measured = guards.cases([row for row, _ in made], [p for _, p in made], morphemes=morphemes)
    by_parent = {case.parent.id: case for case in measured}
    seen = guards.Seen()
    verdicts = []
    for row in parents:
        fold, case = fold_of[row.id], by_parent.get(row.id)
        if case is None:
            reason = str(products[row.id])
        else:
            dialogue = case.product.dialogue
            reason = (
                guards.problem(case, config)
                or guards.near_forbidden(dialogue, forbidden, near_copy)
                or guards.other_fold(dialogue, fold, index, numbers, near_copy)
                or seen.duplicate(dialogue, config)
            )
            if not reason:
                seen.add(dialogue)
        verdicts.append(Verdict(row, fold, case, reason))
    return verdicts
