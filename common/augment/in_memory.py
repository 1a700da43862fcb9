"""Augment in memory: make rows by the local methods and filter them by the same guards, without files."""

from collections.abc import Sequence
from dataclasses import replace

from common.augment.augmented_rows import AugmentedRow
from common.augment.judging import judge, refused_parents
from common.augment.making import Job, provenance, sample_parents
from common.augment.methods import method
from common.augment.settings import LOCAL, settings
from common.core.errors import UserError
from common.core.messages import brief
from common.data.competition import Competition
from common.data.near_copies import copy_index
from common.data.rows import Row


def augment_in_memory(
    name: str,
    competition: Competition,
    train: Sequence[Row],
    others: Sequence[Row],
    near_copy: float,
    seed: int,
) -> tuple[AugmentedRow, ...]:
    """Return the rows that a local method makes from the training rows and that pass the guards.

    They are the rows that `make augment` would write. `others` are the rows of dev and test; a near-copy of one
    (similarity of at least `near_copy`) is rejected. Raises UserError if the method is not local, and as `folds` does.
    """
    if name not in LOCAL:
        raise UserError(
            f"method {brief(name)} cannot run in memory as {', '.join(LOCAL)} can; make its rows first with: "
            f"make augment method={name} comp={competition.name}"
        )
    config = replace(settings(name), seed=seed)
    chosen = method(name, config, competition.language)
    forbidden = copy_index([row.dialogue for row in others])
    parents = sample_parents(train, None, seed)
    refused = refused_parents(parents, forbidden, near_copy)
    usable = [row for row in parents if row.id not in refused]
    made = dict(zip((row.id for row in usable), chosen.make(usable), strict=True))
    verdicts = judge(
        parents, {**made, **refused}, train, forbidden, config.guards, near_copy, config.folds,
        morphemes=competition.language == "ko",
    )  # fmt: skip
    job = Job(competition, name, name, None, config, {})
    taken = {row.id for row in [*train, *others]}
    rows = [provenance(job, chosen, verdict, taken) for verdict in verdicts]
    return tuple(row for row, reason in rows if not reason)
