"""Apply the guards to the products: each is kept, or rejected with a reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.augment import guards
from common.augment.guards import Case, Duplicates, GuardConfig, near_forbidden, other_fold
from common.augment.products import Product
from common.core.progress import brief_progress, waiting
from common.data.folds import folds
from common.data.near_copies import CopyIndex, copy_index
from common.data.rows import Row


@dataclass(frozen=True)
class Judgement:
    """The result for one parent."""

    parent: Row
    fold: int
    case: Case | None
    """The measured product; None if the method made none."""
    reason: str
    """Why the product is rejected, as "reason: what was found"; "" if it is kept."""


def refused_parents(parents: Sequence[Row], forbidden: CopyIndex, near_copy: float) -> dict[str, str]:
    """Return the reason by id for each parent that is a near-copy of a dialogue of dev or test (`forbidden`)."""
    refused = {}
    bar = brief_progress(len(parents), "check parents", "row")
    for row in parents:
        if reason := near_forbidden(row.dialogue, forbidden, near_copy):
            refused[row.id] = f"parent_{reason}"
        bar.update()
    bar.close()
    return refused


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
) -> list[Judgement]:
    """Return a verdict on every parent, in order; the second of two similar products is rejected.

    `products` holds, by parent id, the product or the reason why there is none. `train` are all rows of the split, which
    is divided into k folds; `forbidden` are the dialogues of dev and test; `near_copy` is the competition's threshold.
    Raises UserError as `folds` does.
    """
    import numpy as np  # many commands start without it

    index = copy_index([row.dialogue for row in train])
    with waiting("divide train into folds"):
        fold_of = folds(train, k, near_copy, index)
    numbers = np.array([fold_of[row.id] for row in train], dtype=np.int64)
    made = [(row, p) for row in parents if isinstance(p := products[row.id], Product)]
    with waiting("compare new rows with their parents"):
        measured = guards.cases([row for row, _ in made], [p for _, p in made], morphemes=morphemes)
    by_parent = {case.parent.id: case for case in measured}
    seen = Duplicates()
    verdicts = []
    bar = brief_progress(len(parents), "check new rows", "row")
    for row in parents:
        fold, case = fold_of[row.id], by_parent.get(row.id)
        if case is None:
            reason = str(products[row.id])
        else:
            dialogue = case.product.dialogue
            reason = (
                guards.problem(case, config)
                or near_forbidden(dialogue, forbidden, near_copy)
                or other_fold(dialogue, fold, index, numbers, near_copy)
                or seen.duplicate(dialogue, config)
            )
            if not reason:
                seen.add(dialogue)
        verdicts.append(Judgement(row, fold, case, reason))
        bar.update()
    bar.close()
    return verdicts
