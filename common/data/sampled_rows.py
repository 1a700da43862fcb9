"""Choose some rows of a split: at random by a seed, with short and long dialogues as often as in the whole split."""

import random
from collections.abc import Collection, Sequence
from itertools import pairwise

from common.data.rows import Row


def sampled_rows(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """Return `count` of the rows in their order, or all when there are fewer.

    The rows are ordered by the length of the dialogue and cut into `count` parts of equal size; the seed chooses one row
    of each part (stratified sampling), so every length occurs as often as in all rows. The choice does not depend on
    the order of the rows, which in a file may follow the topic or the difficulty.
    """
    if count >= len(rows):
        return list(rows)
    ordered = sorted(rows, key=lambda row: (len(row.dialogue), row.id))
    chooser = random.Random(seed)
    ends = [part * len(ordered) // count for part in range(count + 1)]
    chosen = {ordered[chooser.randrange(*part)].id for part in pairwise(ends)}
    return [row for row in rows if row.id in chosen]


def other_rows(rows: Sequence[Row], ids: Collection[str]) -> list[Row]:
    """Return the rows without those of the given ids, in their order."""
    left_out = frozenset(ids)
    return [row for row in rows if row.id not in left_out]
