"""Augmentation in memory: rows of the local methods, filtered by the same guards, without files."""

from collections.abc import Sequence
from dataclasses import replace

from common.augment.files import AugmentedRow
from common.augment.guards import near_forbidden
from common.augment.judging import judge
from common.augment.making import Job, draw, provenance
from common.augment.methods import method
from common.augment.settings import LOCAL, settings
from common.competition import Competition
from common.errors import UserError
from common.prompts.copies import copy_index
from common.rows import Row


def on_the_spot(
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
            f"method {name!r} cannot run in memory as {', '.join(LOCAL)} can; make its rows first with: "
            f"make augment method={name} comp={competition.name}"
        )
    config = replace(settings(name), seed=seed)
    chosen = method(name, config, competition.language)
    forbidden = copy_index([row.dialogue for row in others])
    parents = draw(train, None, seed)
    refused = {
        row.id: f"parent_{reason}"
        for row in parents
        if (reason := near_forbidden(row.dialogue, forbidden, near_copy))
    }
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
