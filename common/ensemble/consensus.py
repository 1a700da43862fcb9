"""Weighted consensus over a whole pool at once, and the search for its weights: nothing is scored twice."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from common.ensemble.pool import Floats, Ints, Pool, choose
from common.errors import UserError
from common.rouge import METRICS

STEPS = (0.5, 0.2, 0.1, 0.05)
"""By how much the search moves a weight, coarse to fine."""


@dataclass(frozen=True)
class Consensus:
    """What minimum-Bayes-risk choice over a pool trusts and prefers."""

    weights: tuple[float, ...]
    """How far each member is trusted as a reference, shared evenly among its candidates of a dialogue; 0 or more."""
    mix: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)
    """Share of ROUGE-1, ROUGE-2 and ROUGE-L in the utility; 0 or more."""
    length: float = 0.0
    """Utility added for the logarithm of a candidate's length over the median of its dialogue: above 0 prefers long."""
    hypotheses: tuple[int, ...] = ()
    """Members (and after the last of them, what is put together) whose candidates may be chosen; () means all. Others
    are references only; what is put together never is one."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well every candidate agrees with each member: all that a trial of the search needs."""

    utility: NDArray[np.float32]
    """(members, 3, dialogues, n): mean utility over the member's candidates, the candidate itself left out."""
    share: NDArray[np.float32]
    """(members, dialogues, n): share of the member's weight that is left when the candidate itself is left out."""
    log_length: NDArray[np.float32]
    """(dialogues, n): of the candidate's length over the median of its dialogue's members."""
    owner: Ints
    """(dialogues, n)"""

    def take(self, dialogues: Ints) -> "Agreement":
        """The same of these dialogues alone."""
        return Agreement(
            self.utility[:, :, dialogues], self.share[:, dialogues], self.log_length[dialogues], self.owner[dialogues]
        )  # fmt: skip


def agreement(pool: Pool) -> Agreement:
    """The sums over each member's candidates, made once for a pool."""
    dialogues, n = pool.owner.shape
    members = len(pool.members)
    utility = np.zeros((members, len(METRICS), dialogues, n), np.float32)
    share = np.zeros((members, dialogues, n), np.float32)
    others = pool.utility * ~np.eye(n, dtype=bool)[None, :, :, None]
    for number in range(members):
        mine = (pool.owner == number).astype(np.float32)
        count = mine.sum(axis=1, keepdims=True)
        weight = np.divide(mine, count, out=np.zeros_like(mine), where=count > 0)
        utility[number] = np.einsum("dijk,dj->kdi", others, weight, optimize=True)
        share[number] = weight.sum(axis=1, keepdims=True) - weight
    lengths = np.zeros((dialogues, n))
    for row, texts in enumerate(pool.texts):
        logs = np.log([len(text) for text in texts])
        lengths[row, : len(texts)] = logs - np.median(logs[pool.said[row, : len(texts)]])
    return Agreement(utility, share, lengths.astype(np.float32), pool.owner)


def scores(found: Agreement, setting: Consensus) -> Floats:
    """Expected utility of every candidate, (dialogues, n); -inf where there is none, or it may not be chosen.

    A candidate is never its own reference; one alone in its dialogue has 0.
    Raises UserError when the weights do not match the members or are no numbers from 0 up with a positive sum.
    Source: Kumar and Byrne 2004, "Minimum Bayes-Risk Decoding for Statistical Machine Translation".
    """
    weights = np.asarray(setting.weights, np.float32)
    mix = np.asarray(setting.mix, np.float32)
    members = len(found.share)
    if weights.shape != (members,) or mix.shape != (len(METRICS),):
        raise UserError(
            f"{len(setting.weights)} weights and {len(setting.mix)} shares for {members} members and "
            f"{len(METRICS)} utilities; wanted one for each."
        )
    for name, values in (("weights", weights), ("mix", mix)):
        if not np.isfinite(values).all() or values.min() < 0 or values.sum() <= 0:
            raise UserError(
                f"{name} {[float(v) for v in values]}: wanted numbers from 0 up, one of them above 0."
            )
    shape = found.owner.shape
    utility = np.outer(weights, mix / mix.sum()).ravel() @ found.utility.reshape(-1, found.owner.size)
    total = weights @ found.share.reshape(members, -1)
    expected = np.divide(utility, total, out=np.zeros_like(utility), where=total > 1e-9).reshape(shape)
    expected = expected + np.float32(setting.length) * found.log_length
    allowed = found.owner >= 0
    if setting.hypotheses:
        allowed &= np.isin(found.owner, setting.hypotheses)
    # A dialogue none of whose candidates may be chosen keeps them all.
    allowed |= ~allowed.any(axis=1, keepdims=True) & (found.owner >= 0)
    return np.where(allowed, expected, -np.inf).astype(np.float64)


def vote(pool: Pool, found: Agreement, setting: Consensus) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores of an exact vote among the members' predictions, (dialogues, n), and which dialogues were tied.

    A candidate's score is the weight of the members that predict its very text; -inf for what is no prediction. Where
    several texts have the highest weight, consensus (`scores`) decides among those alone.
    Raises UserError as `scores` does. Source: the field's guide; the fall to consensus is ours.
    """
    agreed = scores(found, setting)
    counted = np.full(pool.owner.shape, -np.inf)
    ties = np.zeros(len(pool.ids), bool)
    for row, texts in enumerate(pool.texts):
        places = np.flatnonzero(pool.place[row] == 0)
        behind: dict[str, float] = {}
        for place in places:
            weight = setting.weights[pool.owner[row, place]]
            behind[texts[place]] = behind.get(texts[place], 0.0) + weight
        counted[row, places] = [behind[texts[place]] for place in places]
        highest = max(behind.values())
        ties[row] = sum(math.isclose(weight, highest) for weight in behind.values()) > 1
        if ties[row]:
            top = np.isclose(counted[row], highest)
            counted[row] = np.where(top, agreed[row], -np.inf)
    return counted, ties


@dataclass(frozen=True)
class Searched:
    """What a search found, and how much it tried: the best of many tries flatters itself."""

    setting: Consensus
    score: float
    """Mean target of what the setting chooses, on the dialogues it was searched on."""
    trials: int


def search(
    found: Agreement,
    target: Floats,
    *,
    trials: int = 400,
    seed: int = 0,
) -> Searched:
    """The weights, mix and length preference whose choices have the highest mean target; at most `trials` tries.

    `target`: (dialogues, n), what each candidate is worth. Coordinate ascent with ever finer steps, from the best of
    equal weights and each member's candidates (and what is put together) alone, then from random settings until the
    trials are used up; a tie keeps the earlier setting.
    """
    members, kinds = len(found.share), int(found.owner.max()) + 1
    rng = np.random.default_rng(seed)
    rows = np.arange(len(target))
    used = 0

    def worth(setting: Consensus) -> float:
        nonlocal used
        used += 1
        return float(target[rows, choose(scores(found, setting))].mean())

    best = equal = Consensus((1.0,) * members)
    best_score = worth(best)
    # Where one member is far better, its candidates alone are a start that no single step from all of them reaches.
    for member in range(kinds if kinds > 1 else 0):
        if (
            used < trials
            and (score := worth(alone := replace(equal, hypotheses=(member,)))) > best_score + 1e-9
        ):
            best, best_score = alone, score
    current, current_score = best, best_score
    while used < trials:
        for step in STEPS:
            improved = True
            while improved and used < trials:
                improved = False
                for setting in _neighbours(current, step, kinds):
                    if used >= trials:
                        break
                    if (score := worth(setting)) > current_score + 1e-9:
                        current, current_score, improved = setting, score, True
        if current_score > best_score + 1e-9:
            best, best_score = current, current_score
        if used < trials:
            weights = tuple(float(w) for w in rng.dirichlet(np.ones(members)) * members)
            mix = tuple(float(v) for v in rng.dirichlet(np.ones(len(METRICS))))
            some = tuple(np.flatnonzero(rng.random(kinds) < 0.5).tolist())
            current = Consensus(weights, mix, float(rng.normal(0, 0.05)), some)
            current_score = worth(current)
    return Searched(best, best_score, used)


def _neighbours(setting: Consensus, step: float, kinds: int) -> list[Consensus]:
    """The settings one step away along each coordinate, and with one member's candidates, or what is put together, let
    in or shut out."""
    found = [replace(setting, weights=moved) for moved in _moved(setting.weights, step)]
    found += [replace(setting, mix=moved) for moved in _moved(setting.mix, step)]
    found += [replace(setting, length=setting.length + sign * step / 5) for sign in (1, -1)]
    members = set(range(kinds))
    chosen = set(setting.hypotheses) or members
    toggled = [tuple(sorted(chosen ^ {member})) for member in sorted(members)]
    return [
        *found,
        *(replace(setting, hypotheses=some if len(some) < len(members) else ()) for some in toggled if some),
    ]


def _moved(values: tuple[float, ...], step: float) -> list[tuple[float, ...]]:
    """The values with one of them raised or lowered by a step, not below 0 and never all 0."""
    found = []
    for place, value in enumerate(values):
        for new in (value + step, max(0.0, value - step)):
            moved = (*values[:place], new, *values[place + 1 :])
            if moved != values and sum(moved) > 0:
                found.append(moved)
    return found
