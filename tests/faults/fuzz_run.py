"""Fuzz one group for some CPU seconds: `python -m tests.faults.fuzz_run GROUP SEED SECONDS`; exit code 1 when it broke."""

import sys
import time
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.faults.fuzz_targets import TARGETS, Target

BATCH = 200
"""Inputs between two looks at the clock."""


def broken(target: Target, number: int) -> str:
    """Return the smallest input of a batch that breaks the target and how; "" when none does."""
    last: list[Any] = []

    @seed(number)
    @settings(max_examples=BATCH, deadline=None, database=None, report_multiple_bugs=False,
              suppress_health_check=list(HealthCheck),
              phases=(Phase.generate, Phase.shrink), verbosity=hypothesis.Verbosity.quiet)  # fmt: skip
    @given(target.inputs)
    def check(value: Any) -> None:
        last[:] = [value]
        target.check(value)

    try:
        check()
    except Exception as error:
        return f"{target.check.__name__}({last[0]!r}): {type(error).__name__}: {error}"
    return ""


def main(group: str, first: int, seconds: float) -> None:
    """Fuzz every target of the group in turn until the CPU time is spent; print how many inputs were tried."""
    batches, faults = 0, {}
    targets = [*TARGETS[group]]
    while targets and time.process_time() < seconds:
        for target in list(targets):
            if found := broken(target, first * 1_000_003 + batches):
                faults[target.check.__name__] = found
                targets.remove(target)  # it would find the same again
        batches += 1
    print(f"{batches * BATCH * len(TARGETS[group]):,} inputs")
    if faults:
        sys.exit("error: " + " || ".join(" ".join(text.split())[:300] for text in faults.values()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), time.process_time() + float(sys.argv[3]))
