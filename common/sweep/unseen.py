"""Find the dev dialogues that no trial of a sweep was scored on: the best of many trials flatters itself on the others."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from common.data.rows import Row
from common.data.sampled_rows import other_rows, sampled_rows


def dev_rows_of_trials(asked: int, rows: int) -> int:
    """Return on how many of dev's `rows` dialogues trials are scored: `asked`, the recipe's `dev_rows`, but at most half of them.

    The other half, which the sweep does not see, measures by how much its best score flatters.
    """
    return min(asked, max(1, rows // 2))


def unseen_rows(rows: Sequence[Row], trials: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return dev's rows without those that a trial was scored on during training, in their order.

    `trials`: the recorded settings of each trial, by dotted name; `seed` and `dev_rows` choose the rows.
    """
    chosen = {(trial["dev_rows"], trial["seed"]) for trial in trials}
    return other_rows(rows, {row.id for count, seed in chosen for row in sampled_rows(rows, count, seed)})
