"""Write scores for people: the number that the competition is judged by first, against the floor; names without versions."""

from typing import TYPE_CHECKING

from common.core import terminal
from common.core.text_table import text_table
from common.data.competition import Competition
from common.data.rows import SplitName

if TYPE_CHECKING:
    from common.runs.scoring import MeanScores, ScoreReport


def judged_by(competition: Competition, split: SplitName) -> str:
    """Return the profile that counts on a split: the site's on test, the competition's dev profile on dev."""
    return competition.leaderboard_profile if split == "test" else competition.dev_profile


def short(profile: str) -> str:
    """Return the name of a profile's score in tables: `rouge_sum` for rouge101, else the profile's own name."""
    return "rouge_sum" if profile == "rouge101" else profile


def digits(profile: str) -> int:
    """Return the number of decimals of a score: four on korouge's scale of 0 to 1, else two."""
    return 4 if profile == "korouge" else 2


def number(score: float | None, profile: str) -> str:
    """Return a score as tables print it; "–" for none."""
    return "–" if score is None else f"{score:.{digits(profile)}f}"


def over(score: float, floor: float | None, profile: str) -> str:
    """Return score − floor with its sign, of the two numbers as they are printed; "–" without a floor."""
    return "–" if floor is None else f"{_over(score, floor, profile):+.{digits(profile)}f}"


def _over(score: float, floor: float, profile: str) -> float:
    many = digits(profile)
    return round(round(score, many) - round(floor, many), many) + 0.0  # no "-0.00"


def against_floor(score: float, floor: float | None, profile: str) -> str:
    """Return "10.64 BELOW the floor of 34.60" or the like; in red or green where the terminal shows colours."""
    if floor is None:
        return "no floor is known"
    difference = _over(score, floor, profile)
    if not difference:
        return f"exactly the floor of {number(floor, profile)}"
    much = number(abs(difference), profile)
    least = number(floor, profile)
    if difference > 0:
        return terminal.styled(f"{much} above the floor of {least}", "green", bold=True)
    return terminal.styled(f"{much} BELOW the floor of {least}", "red", bold=True)


def text(report: "ScoreReport", judged: str, *, everything: bool = False) -> str:
    """Return the report for the terminal: the judged score with interval, floor and difference, then signs of trouble.

    `everything`: also a table of all metrics of every profile in the report.
    """
    entry = next((s for s in report.scores if s.profile == judged), report.scores[0])
    lines = [opening(report, entry)]
    if everything:
        lines.append(text_table(_table(report), drop=("over floor", "floor", "95 % interval")))
    if floor := report.floors.get(entry.profile):
        lines.append(
            f"The floor needs no model: the best single sentence for every dialogue has {number(floor.constant, entry.profile)}, "
            f"the first turns {number(floor.lead, entry.profile)}."
        )
    found = report.diagnostics
    lines.append(
        f"{found.rows} rows, {found.missing} missing or empty, {found.distinct:.1%} distinct, "
        f"median {found.characters:.0f} characters, {found.copied:.1%} of words copied"
    )
    return "\n".join(lines)


def opening(report: "ScoreReport", entry: "MeanScores") -> str:
    """Return a score as "leaderboard 23.96 ± 0.60, 10.64 BELOW the floor of 34.60"; ± is half of the 95 % interval."""
    low, high = entry.intervals[_headline(entry)]
    score, half = number(entry.headline, entry.profile), number((high - low) / 2, entry.profile)
    judged = terminal.styled(f"{_name(entry)} {score} ± {half}", bold=True)
    return f"{judged}, {against_floor(entry.headline, floor_of(report, entry.profile), entry.profile)}"


def floor_of(report: "ScoreReport", profile: str) -> float | None:
    """Return the floor in a profile: the better of the two answers without a model; None for a profile without one."""
    found = report.floors.get(profile)
    return max(found.constant, found.lead) if found else None


def _headline(entry: "MeanScores") -> str:
    return next(key for key in entry.metrics if key.endswith(f"/{entry.headline_key}"))


def _name(entry: "MeanScores") -> str:
    return short(entry.profile) + (" (Porter stems)" if "+stem" in _headline(entry) else "")


def _table(report: "ScoreReport") -> list[list[str]]:
    """Return a header, and for each profile a row of its score and a row for each of its three F1."""
    from common.rouge import METRICS  # with numpy, which tables of stored scores do not need

    rows = [["metric", "score", "95 % interval", "floor", "over floor"]]
    for entry in report.scores:
        profile, key, floor = entry.profile, _headline(entry), floor_of(report, entry.profile)
        low, high = (number(end, profile) for end in entry.intervals[key])
        gain = over(entry.headline, floor, profile)
        rows.append(
            [_name(entry), number(entry.headline, profile), f"{low} … {high}", number(floor, profile), gain]
        )
        for metric in METRICS:
            inner = f"{key.rpartition('/')[0]}/{metric}"
            low, high = (f"{end:.4f}" for end in entry.intervals[inner])
            rows.append([f"  {metric}", f"{entry.metrics[inner]:.4f}", f"{low} … {high}", "", ""])
    return rows
