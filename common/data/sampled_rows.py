"""Choose some rows of a split: at random by a seed, with short and long dialogues as often as in the whole split."""

import math
import random
from collections.abc import Collection, Sequence

from common.data.rows import Row


def sampled_rows(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """Return `count` of the rows in their order, or all when there are fewer.

    The rows are ordered by the length of the dialogue, rows of similar length are shuffled, and from a random start every
    n-th is chosen (systematic sampling of an ordered list, which is stratified by it: Cochran 1977, "Sampling Techniques",
    8.5). So every length occurs as often as in all rows, and each row is chosen with the same probability. The choice
    does not depend on the order of the rows, which in a file may follow the topic or the difficulty.
    """
    if count >= len(rows):
        return list(rows)
    chooser = random.Random(seed)
    step = len(rows) / count
    similar = 2 * math.ceil(step)
    by_length = sorted(rows, key=lambda row: (len(row.dialogue), row.id))
    ordered: list[Row] = []
    for first in range(0, len(rows), similar):
        part = by_length[first : first + similar]
        ordered += chooser.sample(part, len(part))
    start = chooser.random()
    chosen = {ordered[int((place + start) * step)].id for place in range(count)}
    return [row for row in rows if row.id in chosen]


def other_rows(rows: Sequence[Row], ids: Collection[str]) -> list[Row]:
    """Return the rows without those of the given ids, in their order."""
    left_out = frozenset(ids)
    return [row for row in rows if row.id not in left_out]
