"""Count the summaries that were cut off at `max_new_tokens`."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from common.core import distributed
from common.generation.config import DecodingConfig
from common.runs.candidates import Candidate
from common.runs.run import Run

log = logging.getLogger(__name__)
MOST = 0.01
"""Share of cut summaries above which a warning says what to do."""


def note_cut(
    run: Run[Any], split: str, found: Mapping[str, Sequence[Candidate]], config: DecodingConfig
) -> None:
    """Record in the run's notes how many summaries of a split were cut off, and warn of more than MOST of them.

    The tiny models of a smoke run rarely end a summary, so there is no warning.
    """
    cut = sum(candidate.cut for group in found.values() for candidate in group)
    total = sum(map(len, found.values()))
    run.notes.setdefault("cut", {})[split] = {"cut": cut, "summaries": total}
    if cut > MOST * total and not run.smoke and distributed.rank() == 0:
        log.warning(
            "%s: %d of %d summaries (%.1f %%) were cut off at %d tokens; run this again with --max-new-tokens %d or more.",
            split,
            cut,
            total,
            100 * cut / total,
            config.max_new_tokens,
            -(-config.max_new_tokens * 3 // 2),
        )
