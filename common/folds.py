"""Cross-validation folds of training rows: near-copies always together, the same whatever the rows' order."""

import hashlib
from collections.abc import Sequence

from common.competition import NEAR_COPY
from common.errors import UserError
from common.prompts.copies import CopyIndex, copy_index
from common.rows import Row


def folds(
    rows: Sequence[Row], k: int = 5, near_copy: float = NEAR_COPY, index: CopyIndex | None = None
) -> dict[str, int]:
    """Row id → fold, 0 to k - 1, in the order of the rows; no two folds hold near-copies of each other.

    Which fold a row is in depends on the set of rows alone, not on their order. Folds differ in size by no more than
    the largest group of near-copies (of copies of copies too). `near_copy` is the similarity (`prompts.copies`, more
    than 0 and at most 1) from which two dialogues count as one told twice. `index`: of the rows' dialogues, when the
    caller has made it already.
    Raises UserError when k is below 2, an id occurs twice, or the rows fall into fewer than k groups.
    Source of the balancing: Graham 1969, "Bounds on Multiprocessing Timing Anomalies" (longest first).
    """
    if k < 2:
        raise UserError(f"folds: k is {k}; wanted 2 or more.")
    found = groups(rows, near_copy, index)
    if len(found) < k:
        raise UserError(
            f"folds: {len(rows)} rows fall into {len(found)} groups of near-copies at near_copy {near_copy}, and no "
            f"group may be split: {k} folds cannot all have rows. Raise [rules] near_copy of the competition.toml, or "
            "take fewer folds."
        )
    sizes = [0] * k
    fold_of: dict[str, int] = {}
    for group in sorted(found, key=lambda ids: (-len(ids), _drawn(min(ids)))):
        fold = sizes.index(min(sizes))
        sizes[fold] += len(group)
        fold_of |= dict.fromkeys(group, fold)
    return {row.id: fold_of[row.id] for row in rows}


def groups(
    rows: Sequence[Row], near_copy: float = NEAR_COPY, index: CopyIndex | None = None
) -> list[frozenset[str]]:
    """The ids of the rows, parted into groups of near-copies and their near-copies; every row is in one.

    Raises UserError when near_copy is not in (0, 1] or an id occurs twice.
    """
    if not 0 < near_copy <= 1:
        raise UserError(f"folds: near_copy is {near_copy}; wanted more than 0 and at most 1.")
    ids = [row.id for row in rows]
    if len(set(ids)) != len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise UserError(f'folds: id "{twice}" occurs twice among the rows; ids are unique.')
    index = index or copy_index([row.dialogue for row in rows])
    seen: set[int] = set()
    found: list[frozenset[str]] = []
    for place, of in enumerate(index.grams):
        if place not in seen:
            group = index.group(of, near_copy)
            seen |= group
            found.append(frozenset(ids[member] for member in group))
    return found


def _drawn(name: str) -> str:
    """What orders groups of one size: neither the file's order nor the ids', which may follow the topic."""
    return hashlib.sha256(name.encode()).hexdigest()
