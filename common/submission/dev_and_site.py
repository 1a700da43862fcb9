"""Compare dev with the site: do both order the submissions alike, and how much lower is the site's score?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from common.data.competition import Competition
from common.runs.score_text import digits, short
from common.submission.ledger import is_stated
from common.submission.same_csv import one_for_each_csv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["public", "private"]
KINDS: tuple[Kind, ...] = ("public", "private")
NEEDED = 3
"""Minimum number of submissions with both scores for a rank correlation."""
FOR_INTERVAL = 5
"""Minimum number for an interval: the approximation has none below."""
ENOUGH = 12
"""Number from which an interval that includes 0 is a warning: a tau of 0.6 is seen above 0 in about 86 % of samples of 12."""
NEWEST = 3
"""Number of the newest submissions that are compared with the earlier ones; below 8 in all, chance is too likely."""
FOR_NEWEST = 8
_FAR = 20.0
"""Ratio of two scores above which they must be on different scales."""


@dataclass(frozen=True)
class Drop:
    """Score of the site minus the dev score, over all submissions, in the scale of the site's metric."""

    median: float
    low: float
    """First quartile."""
    high: float
    """Third quartile."""


@dataclass(frozen=True)
class DevAgainstSite:
    """How well the dev score predicts a score of the site."""

    kind: Kind
    profile: str
    """Metric of both scores: the one that the site computes."""
    ids: tuple[str, ...]
    """Submissions with both scores on the same dev rows, in the order in which they were made; the same CSV counts once."""
    left_out: int
    """Number of submissions with a score of the site that could not be used: another release of dev, no dev score in this
    metric, or a score that is no number."""
    stated: int = 0
    """Number of the compared submissions whose dev score somebody stated; nobody measured it here."""
    tau: float | None = None
    """Kendall's tau-b, in [-1, 1]; None with fewer than `NEEDED` submissions, or when all scores of one side are the same."""
    low: float | None = None
    """Lower end of the 95 % interval of tau; None with fewer than `FOR_INTERVAL` submissions."""
    high: float | None = None
    drop: Drop | None = None
    """None with fewer than `NEEDED` submissions, and when the two are on different scales."""
    lower_newest: bool = False
    """Whether the `NEWEST` submissions have the lowest site − dev of all."""

    @property
    def any(self) -> bool:
        """Return whether a submission has a score of this kind."""
        return bool(self.ids) or self.left_out > 0

    @property
    def warning(self) -> str:
        """Return why dev no longer predicts the site; "" when nothing shows that."""
        if self.low is not None and self.high is not None and len(self.ids) >= ENOUGH and self.low <= 0:
            return (
                f"dev does not order the submissions as {self.kind} does: the interval of the correlation includes 0 with "
                f"{len(self.ids)} submissions; choose by other means than small differences on dev"
                if self.high >= 0
                else f"dev orders the submissions against {self.kind}: the whole interval of the correlation is below 0; look "
                "for an error in the scores or in the split"
            )
        if self.lower_newest:
            return (
                f"the {NEWEST} newest submissions fall further below their dev score than all {len(self.ids) - NEWEST} earlier ones: "
                "dev has probably been tuned on too often; prefer earlier choices or fresh dev rows"
            )
        return ""


def dev_against_site(
    competition: Competition, entries: Sequence[dict[str, Any]], kind: Kind = "public"
) -> DevAgainstSite:
    """Return how dev and a score of the site agree over the submissions to a competition.

    Only submissions that were measured on the same dev rows as the newest of them are compared.
    """
    profile = competition.leaderboard_profile
    own = [entry for entry in entries if entry["competition"] == competition.name]
    # Lines of two branches may be in any order.
    unique = one_for_each_csv(sorted(own, key=lambda entry: str(entry["time"])))
    unique = sorted((e for e in unique if kind in e.get("lb", {})), key=_when)
    usable = [
        (entry, dev, site)
        for entry in unique
        if (dev := _number(entry.get("dev", {}).get("blend", {}).get(profile))) is not None
        and (site := _number(entry["lb"][kind])) is not None
    ]
    rows = usable[-1][0].get("data", {}).get("dev") if usable else None
    same = [one for one in usable if one[0].get("data", {}).get("dev") == rows]
    ids = tuple(entry["id"] for entry, _, _ in same)
    left_out, stated = len(unique) - len(same), sum(is_stated(entry) for entry, _, _ in same)
    if len(same) < NEEDED:
        return DevAgainstSite(kind, profile, ids, left_out, stated)
    import numpy as np

    of_dev, of_site = np.array([one[1] for one in same]), np.array([one[2] for one in same])
    tau = kendall_tau_b(of_dev, of_site)
    low, high = (None, None) if tau is None else interval(tau, len(same))
    return DevAgainstSite(kind, profile, ids, left_out, stated, tau, low, high, *_drops(of_dev, of_site))


def _when(entry: dict[str, Any]) -> str:
    """Return when a submission was made; that of one made elsewhere is known only by its upload."""
    return str(
        min(entry.get("uploaded", ()), default=entry["time"]) if "registered" in entry else entry["time"]
    )


def kendall_tau_b(a: "NDArray[np.float64]", b: "NDArray[np.float64]") -> float | None:
    """Return Kendall's tau-b of two score lists, in [-1, 1]; None when all values of one of them are the same.

    Source: Kendall 1945, "The treatment of ties in ranking problems".
    """
    import numpy as np

    first, second = np.triu_indices(len(a), 1)
    of_a, of_b = np.sign(a[first] - a[second]), np.sign(b[first] - b[second])
    pairs = math.sqrt(float(np.abs(of_a).sum()) * float(np.abs(of_b).sum()))
    return max(-1.0, min(1.0, float((of_a * of_b).sum()) / pairs)) if pairs else None


def interval(tau: float, n: int) -> tuple[float | None, float | None]:
    """Return the ends of a 95 % interval of tau for n submissions, in [-1, 1]; None for both below `FOR_INTERVAL`.

    Fisher's z with the variance of Fieller, Hartley and Pearson 1957, 0.437 / (n - 4). tau is first shrunk as if one more
    pair tied, because a perfect order has no finite z. In simulations of 5 to 40 pairs it covers 90 to 100 %; a bootstrap
    covers 68 to 83 % of 5 pairs with a strong relation, because no resample of a perfect order breaks it.
    """
    if n < FOR_INTERVAL:
        return None, None
    pairs = n * (n - 1) / 2
    z, spread = math.atanh(tau * pairs / (pairs + 1)), 1.96 * math.sqrt(0.437 / (n - 4))
    return math.tanh(z - spread), math.tanh(z + spread)


def _drops(dev: "NDArray[np.float64]", site: "NDArray[np.float64]") -> tuple[Drop | None, bool]:
    """Return the usual drop, and whether the newest submissions drop furthest."""
    import numpy as np

    middle = float(np.median(np.abs(dev))), float(np.median(np.abs(site)))
    if max(middle) > _FAR * min(middle):  # one from 0 to 1, the other from 0 to 100
        return None, False
    drops = site - dev
    low, median, high = np.quantile(drops, [0.25, 0.5, 0.75])
    lower = len(drops) >= FOR_NEWEST and drops[-NEWEST:].max() < drops[:-NEWEST].min() - 1e-9
    return Drop(float(median), float(low), float(high)), bool(lower)


def _number(value: object) -> float | None:
    """Return a finite number, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def line(found: DevAgainstSite) -> str:
    """Return the comparison as a line for the terminal; "" when no submission has a score of that kind.

    Private scores are shown from `NEEDED` submissions on: they come when the competition is over.
    """
    n, many = len(found.ids), digits(found.profile)
    if not found.any or (found.kind == "private" and n < NEEDED):
        return ""
    rest = f" ({found.left_out} left out: no dev score, or one of other dev rows)" if found.left_out else ""
    head = f"dev against {found.kind}, {short(found.profile)}"
    if found.stated:
        rest += f" ({found.stated} with a stated dev score)"
    if n < NEEDED:
        return f"{head}: {n} of at least {NEEDED} submissions with both scores{rest}"
    if found.tau is None:
        order = "all scores of one side are the same, so there is no order to compare"
    elif found.low is None or found.high is None:
        order = f"rank correlation {found.tau:+.2f}; an interval needs {FOR_INTERVAL} submissions"
    else:
        order = f"rank correlation {found.tau:+.2f} (95 % interval {found.low:+.2f} … {found.high:+.2f})"
    drop = "the two are on different scales, so no drop is shown"
    if found.drop is not None:
        one = found.drop
        drop = f"usual difference {one.median:+.{many}f} (middle half {one.low:+.{many}f} … {one.high:+.{many}f})"
    return f"{head}, {n} submissions{rest}: {order}; {drop}"


def as_json(found: DevAgainstSite) -> dict[str, Any]:
    """Return the comparison as a JSON object."""
    drop = found.drop
    return {
        "site": found.kind,
        "profile": found.profile,
        "submissions": list(found.ids),
        "left_out": found.left_out,
        "stated": found.stated,
        "needed": NEEDED,
        "kendall_tau_b": found.tau,
        "low": found.low,
        "high": found.high,
        "difference": None if drop is None else {"median": drop.median, "q1": drop.low, "q3": drop.high},
        "warning": found.warning or None,
    }
