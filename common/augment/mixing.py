"""Mix original rows with a share of augmented ones."""

import random
from collections.abc import Sequence

from common.augment.augmented_rows import AugmentedRow
from common.core.errors import UserError
from common.core.messages import quoted
from common.data.rows import Row


def mix(
    originals: Sequence[Row],
    augmented: Sequence[AugmentedRow],
    ratio: float,
    lowest_similarity: float = 0.0,
    highest_similarity: float = 1.0,
    seed: int = 42,
) -> list[Row]:
    """Return the originals in their order, then at most ratio × len(originals) augmented rows.

    Eligible are augmented rows whose parent is among the originals (a parent of another fold would leak) and whose
    similarity lies in the given range. They are sampled evenly over parents: every parent contributes one row before any
    contributes a second. A higher ratio extends the sample of a lower one; the order of `augmented` does not matter.
    Raises UserError for a negative ratio, an empty range, and an augmented id that is not unique or that an original has.
    """
    if not ratio >= 0:
        raise UserError(f"mix: ratio is {ratio}; wanted 0 or more.")
    if not 0 <= lowest_similarity <= highest_similarity <= 1:
        raise UserError(
            f"mix: similarity from {lowest_similarity} to {highest_similarity}; wanted 0 ≤ lowest ≤ highest ≤ 1."
        )
    ids = {row.id for row in originals}
    by_parent: dict[str, list[Row]] = {}
    for one in sorted(augmented, key=lambda one: one.row.id):
        if one.row.id in ids:
            raise UserError(
                f"mix: id {quoted(one.row.id)} occurs twice; wanted a new and unique id for every augmented row."
            )
        ids.add(one.row.id)
        by_parent.setdefault(one.parent, [])
        if lowest_similarity <= one.similarity <= highest_similarity:
            by_parent[one.parent].append(one.row)
    rng = random.Random(seed)
    own = {row.id for row in originals}
    queues = [by_parent[parent] for parent in sorted(by_parent) if parent in own]
    rng.shuffle(queues)
    for queue in queues:
        rng.shuffle(queue)
    most = int(ratio * len(originals) + 1e-9)
    rounds = max(map(len, queues), default=0)
    sampled = [queue[number] for number in range(rounds) for queue in queues if number < len(queue)]
    return [*originals, *sampled[:most]]
