"""Estimate the score of ways to choose by nested cross-validation, with the selection as part of the procedure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from common.core.progress import brief_progress
from common.core.threads import one_thread
from common.data.competition import NEAR_COPY
from common.data.folds import folds
from common.data.rows import Row
from common.ensemble import learned
from common.ensemble.consensus import Agreement, Consensus, scores, search, vote
from common.ensemble.learned import Examples, Model
from common.ensemble.pool import Floats, Ints, Pool, choose
from common.rouge import Comparison, compare

FOLDS, INNER_FOLDS = 5, 4


@dataclass(frozen=True, eq=False)
class MeasuredPool:
    """A pool with all measurements that a method may learn from."""

    pool: Pool
    agreement: Agreement
    columns: Floats
    """(dialogues, n, columns) of `features`."""
    target: Floats
    """(dialogues, n): dev ROUGE of every candidate; 0 for padding."""
    rows: tuple[Row, ...]
    """The dialogues; near-copies are always in the same fold (`common.data.folds`)."""
    near_copy: float = NEAR_COPY
    """Similarity from which two dialogues count as one."""

    def take(self, dialogues: Ints) -> "MeasuredPool":
        """Return the same for these dialogues only."""
        return MeasuredPool(
            self.pool.take(dialogues), self.agreement.take(dialogues), self.columns[dialogues],
            self.target[dialogues], tuple(self.rows[i] for i in dialogues), self.near_copy,
        )  # fmt: skip

    @property
    def examples(self) -> Examples:
        """Return the input of the learned methods."""
        return Examples(self.columns, self.target, self.pool.mask)


Chooser = Callable[[MeasuredPool], Floats]
"""Scores every candidate, (dialogues, n), -inf where it may not be chosen. It never reads `target`."""
Method = Callable[[MeasuredPool], Chooser]
"""Learns on dialogues with known targets and returns a chooser for other dialogues."""


def best_member(known: MeasuredPool) -> Chooser:
    """Return a chooser of the predictions of the member that is best on the dialogues learned from."""
    rows = np.arange(len(known.target))
    means = [known.target[rows, known.pool.of(name)].mean() for name in known.pool.members]
    chosen = known.pool.members[int(np.argmax(means))]

    def scored(other: MeasuredPool) -> Floats:
        found = np.full(other.target.shape, -np.inf)
        found[np.arange(len(found)), other.pool.of(chosen)] = 0.0
        return found

    return scored


def voted(known: MeasuredPool) -> Chooser:
    """Return an exact vote with equal weights; nothing is learned."""
    setting = Consensus((1.0,) * len(known.pool.members))
    return lambda other: vote(other.pool, other.agreement, setting)[0]


def uniform(known: MeasuredPool) -> Chooser:
    """Return consensus with equal weights; nothing is learned."""
    setting = Consensus((1.0,) * len(known.pool.members))
    return lambda other: scores(other.agreement, setting)


def searched(known: MeasuredPool) -> Chooser:
    """Return consensus with weights, mix and length preference searched on the dialogues learned from."""
    setting = search(known.agreement, known.target).setting
    return lambda other: scores(other.agreement, setting)


def _learned(fit: Callable[[Examples], Model]) -> Method:
    def method(known: MeasuredPool) -> Chooser:
        model = fit(known.examples)
        return lambda other: model(other.columns)

    return method


def out_of_fold(
    known: MeasuredPool, method: Method, k: int = FOLDS, step: Callable[[], object] = lambda: None
) -> Ints:
    """Return the choice for every dialogue by the method learned on the other folds, (dialogues,).

    `step` is called after each fold. Raises UserError as `folds` does.
    """
    fold_of = np.array(list(folds(known.rows, k, known.near_copy).values()))
    chosen = np.zeros(len(fold_of), np.int64)
    for fold in range(k):
        train, test = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        chosen[test] = choose(method(known.take(train))(known.take(test)))
        step()
    return chosen


PLAIN: Mapping[str, Method] = {
    "best_member": best_member,
    "vote": voted,
    "mbr": uniform,
    "mbr_searched": searched,
    "stack": _learned(learned.ridge),
    "stack_boosting": _learned(learned.boosting),
    "rank": _learned(learned.rank),
    "committee": _learned(learned.committee),
}


OF_AUTO = ("best_member", "vote", "mbr", "mbr_searched", "committee")
"""Methods that `automatic` chooses among. The committee's own models are left out, because they differ mostly by
chance."""


def automatic(known: MeasuredPool) -> Chooser:
    """Return the method of OF_AUTO that is best in an inner cross-validation, learned on all of `known`.

    Its verdict therefore includes the selection. Raises UserError as `folds` does.
    """
    rows = np.arange(len(known.target))
    inner = {
        name: known.target[rows, out_of_fold(known, PLAIN[name], INNER_FOLDS)].mean() for name in OF_AUTO
    }
    return PLAIN[max(inner, key=lambda name: inner[name])](known)


CHOICE_METHODS: Mapping[str, Method] = {**PLAIN, "auto": automatic}


@dataclass(frozen=True)
class Verdict:
    """A method compared with the best single member by nested cross-validation; scores in the target's scale."""

    method: str
    score: float
    against_best: Comparison
    """The method against the member that is best on all dialogues, which is known only in hindsight and so hard to
    beat."""
    gap_closed: float
    """Share of the gap that is closed between the best member and the oracle, which picks each dialogue's best
    candidate."""


@dataclass(frozen=True)
class Verdicts:
    """The verdicts on all methods for one pool."""

    members: Mapping[str, float]
    best: str
    oracle: float
    methods: tuple[Verdict, ...]
    chosen: Mapping[str, NDArray[np.int64]]
    """Method → its out-of-fold choice for every dialogue."""


@one_thread()
def verdicts(known: MeasuredPool, methods: Mapping[str, Method] | None = None, seed: int = 0) -> Verdicts:
    """Return the expected score of every method on unseen dialogues, compared with the best single member.

    Raises UserError when there are too few dialogues for folds.
    """
    rows = np.arange(len(known.target))
    per_member = {name: known.target[rows, known.pool.of(name)] for name in known.pool.members}
    best = max(per_member, key=lambda name: per_member[name].mean())
    oracle = float(np.where(known.pool.mask, known.target, -np.inf).max(axis=1).mean())
    single = float(per_member[best].mean())
    found, chosen = [], {}
    methods = methods or CHOICE_METHODS
    bar = brief_progress(FOLDS * len(methods), "cross-validate", "fold", even=False)
    for name, method in methods.items():
        bar.set_postfix_str(name)
        chosen[name] = out_of_fold(known, method, step=bar.update)
        values = known.target[rows, chosen[name]]
        gap = oracle - single
        found.append(
            Verdict(name, float(values.mean()), compare(per_member[best], values, seed=seed),
                    (float(values.mean()) - single) / gap if gap > 1e-9 else 0.0)
        )  # fmt: skip
    bar.close()
    return Verdicts(
        {name: float(v.mean()) for name, v in per_member.items()}, best, oracle, tuple(found), chosen
    )


def shuffled(known: MeasuredPool, seed: int = 0) -> MeasuredPool:
    """Return the same with the targets shuffled among each dialogue's candidates, so that any gain is chance."""
    rng = np.random.default_rng(seed)
    target = known.target.copy()
    for row, present in enumerate(known.pool.mask):
        places = np.flatnonzero(present)
        target[row, places] = target[row, rng.permutation(places)]
    return replace(known, target=target)
