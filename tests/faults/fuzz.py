"""Fuzz readers, the tag parser, truncation, post-processing and the checks of answers."""

import random

from tests.faults.bench import Command
from tests.faults.fuzz_targets import TARGETS
from tests.faults.outcome import Outcome, fault
from tests.faults.tries import Context, Try
from tests.support import REPOSITORY

SLICES, SECONDS = 10, 60
"""In the long form each group takes ten CPU minutes, a minute a try."""


def tries(context: Context) -> list[Try]:
    """Return the tries."""
    return [Try("fuzzing", group, str(number), fuzzed, 2 if context.short else SECONDS)
            for group in TARGETS for number in range(1 if context.short else SLICES)]  # fmt: skip


def fuzzed(context: Context, this: Try, rng: random.Random) -> Outcome:
    """Fuzz one group; an input that breaks it is shrunk and kept in the detail."""
    command = Command("tests.faults.fuzz_run", (this.group, str(rng.randrange(1 << 40)), str(this.given)))
    ended = context.bench.run(REPOSITORY, command, limit=10 * this.given + 120)
    if problem := fault(ended):
        return problem
    if ended.code:
        broken = ended.stderr.strip()
        kind = "traceback" if "AssertionError" not in broken else "wrong"
        return Outcome(kind, broken[-700:])
    return Outcome("ok", ended.stdout.strip())
