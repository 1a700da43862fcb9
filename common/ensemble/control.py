"""Measure what a method gains without any relation between a dialogue and its summary: the control of a blend report.

Every candidate is scored against the references of another dialogue, and the same methods learn in the same folds. A method
can then learn only which texts suit any dialogue, such as a length or a common phrase; such a preference is no news.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from common.data.competition import Competition
from common.data.folds import groups
from common.ensemble.blend import targets
from common.ensemble.cross_validation import CHOICE_METHODS, MeasuredPool, Verdict, Verdicts, verdicts
from common.rouge import Comparison, compare

METHOD = "auto"
"""The method that is controlled: the one that the report's advice follows."""


@dataclass(frozen=True)
class Control:
    """What METHOD gains against references of other dialogues."""

    best: str
    """The member that is best against these references; the gain is measured over it."""
    verdict: Verdict
    beyond: Comparison
    """The gain against the right references minus this gain, paired by dialogue."""


def other_dialogues(known: MeasuredPool, seed: int = 0) -> dict[str, str]:
    """Return id → id of the dialogue whose references it gets: each is taken once, and none from a near-copy.

    Groups of near-copies stand in random order, and everyone takes the references that stand one largest group further. When
    one group has more than half of the dialogues, only a dialogue's own references are avoided.
    """
    found = groups(known.rows, known.near_copy)
    order = np.random.default_rng(seed).permutation(len(found))
    ids = [name for number in order for name in sorted(found[number])]
    largest = max(map(len, found))
    step = largest if 2 * largest <= len(ids) else max(1, len(ids) // 2)
    return {name: ids[(place + step) % len(ids)] for place, name in enumerate(ids)}


def control(known: MeasuredPool, real: Verdicts, competition: Competition, seed: int = 0) -> Control:
    """Return the control of METHOD for the verdicts on a pool; one permutation of the references, chosen by the seed.

    Raises UserError as `verdicts` does.
    """
    moved = targets(known.pool, competition, other_dialogues(known, seed))
    return of_targets(known, real, replace(known, target=moved))


def of_targets(known: MeasuredPool, real: Verdicts, moved: MeasuredPool) -> Control:
    """Return the control, given the same pool with the scores against the other references."""
    found = verdicts(moved, {METHOD: CHOICE_METHODS[METHOD]})
    return Control(found.best, found.methods[0], compare(_gains(moved, found), _gains(known, real)))


def _gains(known: MeasuredPool, found: Verdicts) -> NDArray[np.float64]:
    """Return METHOD's score minus the best member's, for each dialogue."""
    rows = np.arange(len(known.target))
    gains: NDArray[np.float64] = (
        known.target[rows, found.chosen[METHOD]] - known.target[rows, known.pool.of(found.best)]
    )
    return gains


def sentence(found: Control, gain: float, best: str) -> str:
    """Return what the control says about METHOD's gain over the best member, as one or two sentences."""
    test, beyond = found.verdict.against_best, found.beyond
    over = "" if found.best == best else f" over {found.best}, which is best there"
    start = (
        f"Control: against references of other dialogues, {METHOD} gains {test.difference:+.2f}{over} (95 % interval {test.low:+.2f} … "
        f"{test.high:+.2f}); that is a preference for texts that suit any dialogue. Of the gain of {gain:+.2f}, "
        f"{beyond.difference:+.2f} ({beyond.low:+.2f} … {beyond.high:+.2f}) goes beyond it"
    )
    if beyond.low > 0:
        return f"{start}: {METHOD} also chooses by content."
    return f"{start}: nothing shows that {METHOD} chooses by content."
