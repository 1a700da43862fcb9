"""Report on members × methods on dev: the gain of blending by nested cross-validation, and the best member by length."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from common.data.competition import Competition
from common.data.dialogue import clean, parse
from common.ensemble import blend, control, cross_validation
from common.ensemble.blend import Members, without_copies
from common.ensemble.control import Control
from common.ensemble.cross_validation import Verdicts
from common.ensemble.recipe import Recipe
from common.rouge import verdict as of_interval


@dataclass(frozen=True, eq=False)
class BlendReport:
    """Content of the report that `make blend-report` prints."""

    profile: str
    dialogues: int
    candidates: int
    """Number of candidates of all members for all dialogues."""
    copies: Mapping[str, str]
    """Member → the member whose predictions it repeats; the two count as one."""
    verdicts: Verdicts
    by_length: Mapping[str, Mapping[str, float]]
    """Thirds of the dialogues by number of turns → member → its mean score there."""
    control: Control | None = None
    """What `auto` gains against references of other dialogues."""
    control_seconds: float = 0.0
    """Time that the control took."""


def blend_report(recipe: Recipe, competition: Competition, members: Members) -> BlendReport:
    """Return the verdict on every method for a recipe's members on dev.

    Raises UserError when there are too few dialogues for folds.
    """
    recipe, members, copies = without_copies(recipe, members)
    measured = blend.measured(members, competition, "dev", recipe)
    rows = np.arange(len(measured.target))
    turns = np.array([len(parse(clean(row.dialogue))) for row in measured.rows])
    low, high = np.quantile(turns, [1 / 3, 2 / 3])
    thirds = {
        f"≤ {low:.0f} turns": turns <= low,
        f"{low:.0f} – {high:.0f}": (turns > low) & (turns <= high),
        f"> {high:.0f}": turns > high,
    }
    verdicts = cross_validation.verdicts(measured)
    started = time.monotonic()
    controlled = control.control(measured, verdicts, competition)
    seconds = time.monotonic() - started
    per_member = {name: measured.target[rows, measured.pool.of(name)] for name in measured.pool.members}
    return BlendReport(
        competition.dev_profile,
        len(rows),
        int(measured.pool.from_members.sum()),
        copies,
        verdicts,
        {
            third: {name: float(values[in_third].mean()) for name, values in per_member.items()}
            for third, in_third in thirds.items()
            if in_third.any()
        },
        controlled,
        seconds,
    )


def tables(found: BlendReport) -> tuple[list[list[str]], list[list[str]]]:
    """Return two tables, each a header and its rows: methods with intervals, and members by dialogue length."""
    judged = found.verdicts
    methods = [["method", found.profile, f"over {judged.best}", "95 % interval", "p", "gap closed", ""]]
    for verdict in judged.methods:
        test = verdict.against_best
        methods.append(
            [verdict.method, f"{verdict.score:.2f}", f"{test.difference:+.2f}", f"{test.low:+.2f} … {test.high:+.2f}",
             f"{test.permutation_p:.4f}", f"{verdict.gap_closed:.0%}", of_interval(test.low, test.high)]
        )  # fmt: skip
    if found.control is not None:
        verdict = found.control.verdict
        test = verdict.against_best
        methods.append(
            [f"control ({verdict.method})", f"{verdict.score:.2f}", f"{test.difference:+.2f}",
             f"{test.low:+.2f} … {test.high:+.2f}", f"{test.permutation_p:.4f}", "", ""]
        )  # fmt: skip
    methods.append(["oracle", f"{judged.oracle:.2f}", f"{judged.oracle - judged.members[judged.best]:+.2f}", "", "",
                    "100%", ""])  # fmt: skip
    members = [["member", found.profile, *found.by_length]]
    for name, score in judged.members.items():
        members.append(
            [name, f"{score:.2f}", *(f"{scores[name]:.2f}" for scores in found.by_length.values())]
        )
    return methods, members


def control_sentence(found: BlendReport) -> str:
    """Return what the control says about the gain of `auto`; "" without a control."""
    if found.control is None:
        return ""
    gain = next(v for v in found.verdicts.methods if v.method == control.METHOD).against_best.difference
    return control.sentence(found.control, gain, found.verdicts.best)


def advice(found: BlendReport) -> str:
    """Return what to submit, decided by the interval of `auto`, which includes the choice of the method."""
    judged = found.verdicts
    auto = next(v for v in judged.methods if v.method == "auto")
    if auto.against_best.low > 0:
        return (
            f'Blending helps: method = "auto" is better than {judged.best} alone (95 % interval above 0), including the '
            "choice of the method. A higher score in the table is the best of several, so it is optimistic."
        )
    if auto.against_best.high < 0:
        return (
            f'Blending hurts: method = "auto" is worse than {judged.best} alone (95 % interval below 0), including the choice '
            f"of the method: submit {judged.best}."
        )
    better = [v.method for v in judged.methods if v.against_best.low > 0]
    look = (
        f" Above 0 by itself: {', '.join(better)}; but that is the best of {len(judged.methods)} methods on these dialogues."
        if better
        else ""
    )
    return f"No blend is clearly better than {judged.best} alone: submit {judged.best}.{look}"
