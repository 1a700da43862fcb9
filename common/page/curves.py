"""Read training curves for the page from the runs' metrics.jsonl."""

import math
from pathlib import Path

from common.core.errors import UserError
from common.core.json_lines import read_lines
from common.page.content import Curve
from common.page.finite import finite
from common.page.run_rows import Gap, folder_of
from common.runs.record import read_record

MOST_POINTS = 300
"""Maximum number of points of one line; a screen shows no more."""


def curves(competition: str, runs: list[str], gap: Gap) -> list[Curve]:
    """Return the curve of each run that has one."""
    found = (curve_of(run, folder_of(competition, run), gap) for run in runs)
    return [curve for curve in found if curve.series]


def curve_of(run: str, folder: Path, gap: Gap) -> Curve:
    """Return what a run's training recorded; without series when it recorded nothing, or nothing readable."""
    try:
        lines = read_lines(folder / "metrics.jsonl")
    except UserError as error:
        gap(str(error))
        lines = []
    series: dict[str, list[list[float]]] = {}
    for line in lines:
        step = finite(line.get("step"))
        for name in line if step is not None else ():
            value = finite(line[name])
            if name != "step" and value is not None and step is not None:
                series.setdefault(name, []).append([step, value])
    rows = _evaluated_rows(folder) if series else None
    return Curve(run, {name: thinned(points) for name, points in series.items()}, None, rows)


def _evaluated_rows(folder: Path) -> int | None:
    """Return the number of dev dialogues of an evaluation, which may be a sample; None when the run does not record it."""
    try:
        train = read_record(folder)["train"]
        sample = train["notes"].get("dev_rows")
        found = len(sample["ids"]) if sample else train["config"].get("dev_rows")
    except (UserError, KeyError, TypeError, AttributeError):  # the row of the run says so
        return None
    return found if isinstance(found, int) else None


def thinned(points: list[list[float]], most: int = MOST_POINTS) -> list[list[float]]:
    """Return at most about `most` of the points with six digits each; the lowest and highest of every stretch stay.

    A peak between two kept points would otherwise be lost.
    """
    ordered = sorted(points, key=lambda point: point[0])
    if len(ordered) > most:
        size = math.ceil(len(ordered) / (most // 2))
        stretches = [ordered[i : i + size] for i in range(0, len(ordered), size)]
        kept = [
            end
            for stretch in stretches
            for end in sorted(
                (min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])), key=lambda p: p[0]
            )
        ]
        ordered = [ordered[0], *kept, ordered[-1]]
        ordered = [point for i, point in enumerate(ordered) if not i or point != ordered[i - 1]]
    return [[step, float(f"{value:.6g}")] for step, value in ordered]
