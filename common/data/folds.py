"""Cross-validation folds that keep near-copies together and do not depend on the order of the rows."""

import hashlib
from collections.abc import Callable, Sequence

from common.core.errors import UserError
from common.core.messages import quoted
from common.data.competition import NEAR_COPY
from common.data.near_copies import CopyIndex, copy_index
from common.data.rows import Row


def folds(
    rows: Sequence[Row], k: int = 5, near_copy: float = NEAR_COPY, index: CopyIndex | None = None
) -> dict[str, int]:
    """Return row id → fold (0 to k - 1), in the order of the rows; near-copies are always in the same fold.

    The fold of a row depends only on the set of rows, not on their order. Near-copies form groups transitively, and
    the sizes of two folds differ by at most the size of the largest group. `near_copy` is the similarity
    (`near_copies.similarity`, greater than 0, at most 1) from which two dialogues count as near-copies. `index` is the
    index of the rows' dialogues, if the caller already has it.
    Raises UserError when k is below 2, an id occurs twice, or the rows form fewer than k groups.
    Source of the balancing: Graham 1969, "Bounds on Multiprocessing Timing Anomalies" (longest first).
    """
    if k < 2:
        raise UserError(f"folds: k is {k}; wanted 2 or more.")
    found = groups(rows, near_copy, index)
    if len(found) < k:
        raise UserError(
            f"folds: {len(rows)} rows form {len(found)} groups of near-copies at near_copy {near_copy}; wanted at least "
            f"{k} groups for {k} folds, because a group is never split. Raise [rules] near_copy in competition.toml, "
            "or use fewer folds."
        )
    sizes = [0] * k
    fold_of: dict[str, int] = {}
    for group in sorted(found, key=lambda ids: (-len(ids), _shuffle_key(min(ids)))):
        fold = sizes.index(min(sizes))
        sizes[fold] += len(group)
        fold_of |= dict.fromkeys(group, fold)
    return {row.id: fold_of[row.id] for row in rows}


def groups(
    rows: Sequence[Row],
    near_copy: float = NEAR_COPY,
    index: CopyIndex | None = None,
    step: Callable[[], object] = lambda: None,
) -> list[frozenset[str]]:
    """Return the row ids in groups of near-copies, grouped transitively; every row is in exactly one group.

    `step` is called after each row. Raises UserError when near_copy is not in (0, 1] or an id occurs twice.
    """
    if not 0 < near_copy <= 1:
        raise UserError(f"folds: near_copy is {near_copy}; wanted more than 0 and at most 1.")
    ids = [row.id for row in rows]
    if len(set(ids)) != len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise UserError(f"folds: id {quoted(twice)} occurs twice among the rows; ids must be unique.")
    index = index or copy_index([row.dialogue for row in rows])
    seen: set[int] = set()
    found: list[frozenset[str]] = []
    for position, grams in enumerate(index.grams):
        if position not in seen:
            group = index.group(grams, near_copy)
            seen |= group
            found.append(frozenset(ids[member] for member in group))
        step()
    return found


def _shuffle_key(row_id: str) -> str:
    """Return a pseudo-random sort key: the order of the file and of the ids may depend on the topic."""
    return hashlib.sha256(row_id.encode()).hexdigest()
