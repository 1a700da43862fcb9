"""Choose by weighted consensus over a whole pool at once, and search its weights; no pair of texts is scored twice."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from common.core.errors import UserError
from common.core.threads import one_thread
from common.ensemble.pool import Floats, Ints, Pool, choose
from common.rouge import METRICS

STEPS = (0.5, 0.2, 0.1, 0.05)
"""Step sizes by which the search changes a weight, from coarse to fine."""


@dataclass(frozen=True)
class Consensus:
    """Settings of a minimum-Bayes-risk choice over a pool."""

    weights: tuple[float, ...]
    """Weight of each member as a reference, divided evenly among its candidates for a dialogue; at least 0."""
    mix: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)
    """Share of ROUGE-1, ROUGE-2 and ROUGE-L in the utility; 0 or more."""
    length: float = 0.0
    """Utility added per unit of log(length / median length in the dialogue); above 0 prefers long candidates."""
    hypotheses: tuple[int, ...] = ()
    """Indices of the members that offer candidates to choose from; the index after the last member stands for
    recombined texts, and () means all. Other members serve only as references. Recombined texts are never
    references."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """Agreement of every candidate with each member: all that a trial of the search needs."""

    utility: NDArray[np.float32]
    """(members, 3, dialogues, n): mean utility over the member's candidates, without the candidate itself."""
    share: NDArray[np.float32]
    """(members, dialogues, n): share of the member's weight that remains without the candidate itself."""
    log_length: NDArray[np.float32]
    """(dialogues, n): log of the candidate's length over the median length of the members' candidates."""
    owner: Ints
    """(dialogues, n): as in `Pool.owner`."""

    def take(self, dialogues: Ints) -> "Agreement":
        """Return the agreement for these dialogues only."""
        return Agreement(
            self.utility[:, :, dialogues], self.share[:, dialogues], self.log_length[dialogues], self.owner[dialogues]
        )  # fmt: skip


def agreement(pool: Pool) -> Agreement:
    """Return the agreement of every candidate with each member, computed once per pool."""
    dialogues, n = pool.owner.shape
    members = len(pool.members)
    utility = np.zeros((members, len(METRICS), dialogues, n), np.float32)
    share = np.zeros((members, dialogues, n), np.float32)
    others = pool.utility * ~np.eye(n, dtype=bool)[None, :, :, None]
    for number in range(members):
        is_own = (pool.owner == number).astype(np.float32)
        count = is_own.sum(axis=1, keepdims=True)
        weight = np.divide(is_own, count, out=np.zeros_like(is_own), where=count > 0)
        utility[number] = np.einsum("dijk,dj->kdi", others, weight, optimize=True)
        share[number] = weight.sum(axis=1, keepdims=True) - weight
    lengths = np.zeros((dialogues, n))
    for row, texts in enumerate(pool.texts):
        logs = np.log([len(text) for text in texts])
        lengths[row, : len(texts)] = logs - np.median(logs[pool.from_members[row, : len(texts)]])
    return Agreement(utility, share, lengths.astype(np.float32), pool.owner)


def scores(found: Agreement, setting: Consensus) -> Floats:
    """Return the expected utility of every candidate, (dialogues, n); -inf for padding and excluded candidates.

    A candidate is never its own reference; the only candidate of a dialogue scores 0.
    Raises UserError when the number of weights is not the number of members, a weight or share is negative or not
    finite, or all of them are 0.
    Source: Kumar and Byrne 2004, "Minimum Bayes-Risk Decoding for Statistical Machine Translation".
    """
    weights = np.asarray(setting.weights, np.float32)
    mix = np.asarray(setting.mix, np.float32)
    members = len(found.share)
    if weights.shape != (members,) or mix.shape != (len(METRICS),):
        raise UserError(
            f"{len(setting.weights)} weights for {members} members and {len(setting.mix)} shares for "
            f"{len(METRICS)} utilities; wanted exactly one for each."
        )
    for name, values in (("weights", weights), ("mix", mix)):
        if not np.isfinite(values).all() or values.min() < 0 or values.sum() <= 0:
            raise UserError(
                f"{name} {[float(v) for v in values]}: wanted numbers of at least 0, and one above 0."
            )
    shape = found.owner.shape
    utility = np.outer(weights, mix / mix.sum()).ravel() @ found.utility.reshape(-1, found.owner.size)
    total = weights @ found.share.reshape(members, -1)
    expected = np.divide(utility, total, out=np.zeros_like(utility), where=total > 1e-9).reshape(shape)
    expected = expected + np.float32(setting.length) * found.log_length
    allowed = found.owner >= 0
    if setting.hypotheses:
        allowed &= np.isin(found.owner, setting.hypotheses)
    # If none of a dialogue's candidates may be chosen, all of them may.
    allowed |= ~allowed.any(axis=1, keepdims=True) & (found.owner >= 0)
    return np.where(allowed, expected, -np.inf).astype(np.float64)


def vote(pool: Pool, found: Agreement, setting: Consensus) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the scores of an exact vote among predictions, (dialogues, n), and which dialogues are tied.

    The score of a prediction is the total weight of the members that predict exactly this text; other candidates
    score -inf. If several texts tie for the highest weight, consensus (`scores`) decides among them.
    Raises UserError as `scores` does.
    Source: the competition's guide, which votes among its models; consensus on ties is added here.
    """
    by_consensus = scores(found, setting)
    votes = np.full(pool.owner.shape, -np.inf)
    ties = np.zeros(len(pool.ids), bool)
    for row, texts in enumerate(pool.texts):
        places = np.flatnonzero(pool.place[row] == 0)
        weight_by_text: dict[str, float] = {}
        for place in places:
            weight = setting.weights[pool.owner[row, place]]
            weight_by_text[texts[place]] = weight_by_text.get(texts[place], 0.0) + weight
        votes[row, places] = [weight_by_text[texts[place]] for place in places]
        highest = max(weight_by_text.values())
        ties[row] = sum(math.isclose(weight, highest) for weight in weight_by_text.values()) > 1
        if ties[row]:
            is_best = np.isclose(votes[row], highest)
            votes[row] = np.where(is_best, by_consensus[row], -np.inf)
    return votes, ties


@dataclass(frozen=True)
class SearchResult:
    """Result of a search, with the number of trials: the more trials, the more optimistic the best score."""

    setting: Consensus
    score: float
    """Mean target of the chosen candidates on the dialogues used by the search."""
    trials: int


@one_thread()
def search(
    found: Agreement,
    target: Floats,
    *,
    trials: int = 400,
    seed: int = 0,
) -> SearchResult:
    """Return the weights, mix and length preference with the highest mean target, after at most `trials` trials.

    `target`: (dialogues, n), the score of each candidate. The search is coordinate ascent with decreasing step sizes.
    It starts at the best of equal weights, each member's candidates alone, and the recombined texts alone. Then it
    restarts at random settings until the trials are used up. On a tie the earlier setting is kept.
    """
    members, kinds = len(found.share), int(found.owner.max()) + 1
    rng = np.random.default_rng(seed)
    rows = np.arange(len(target))
    used = 0

    def mean_target(setting: Consensus) -> float:
        nonlocal used
        used += 1
        return float(target[rows, choose(scores(found, setting))].mean())

    best = equal = Consensus((1.0,) * members)
    best_score = mean_target(best)
    # If one member is far better, the best start is its candidates alone, which no single step from all members reaches.
    for member in range(kinds if kinds > 1 else 0):
        if (
            used < trials
            and (score := mean_target(alone := replace(equal, hypotheses=(member,)))) > best_score + 1e-9
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
                    if (score := mean_target(setting)) > current_score + 1e-9:
                        current, current_score, improved = setting, score, True
        if current_score > best_score + 1e-9:
            best, best_score = current, current_score
        if used < trials:
            weights = tuple(float(w) for w in rng.dirichlet(np.ones(members)) * members)
            mix = tuple(float(v) for v in rng.dirichlet(np.ones(len(METRICS))))
            some = tuple(np.flatnonzero(rng.random(kinds) < 0.5).tolist())
            current = Consensus(weights, mix, float(rng.normal(0, 0.05)), some)
            current_score = mean_target(current)
    return SearchResult(best, best_score, used)


def _neighbours(setting: Consensus, step: float, kinds: int) -> list[Consensus]:
    """Return the settings one step away along each coordinate.

    One step also allows or excludes the candidates of one member, or the recombined texts.
    """
    moves = [replace(setting, weights=moved) for moved in _moved(setting.weights, step)]
    moves += [replace(setting, mix=moved) for moved in _moved(setting.mix, step)]
    moves += [replace(setting, length=setting.length + sign * step / 5) for sign in (1, -1)]
    members = set(range(kinds))
    chosen = set(setting.hypotheses) or members
    choices = [tuple(sorted(chosen ^ {member})) for member in sorted(members)]
    return [
        *moves,
        *(replace(setting, hypotheses=some if len(some) < len(members) else ()) for some in choices if some),
    ]


def _moved(values: tuple[float, ...], step: float) -> list[tuple[float, ...]]:
    """Return the values with one of them raised or lowered by a step, never below 0 and never all 0."""
    found = []
    for place, value in enumerate(values):
        for new in (value + step, max(0.0, value - step)):
            moved = (*values[:place], new, *values[place + 1 :])
            if moved != values and sum(moved) > 0:
                found.append(moved)
    return found
