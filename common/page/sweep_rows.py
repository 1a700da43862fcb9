"""Read the sweeps of a competition for the page, during their trials and after: what their workers wrote last."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from common.core.config import plain
from common.core.errors import UserError, first_line
from common.data.competition import Competition
from common.page.sentences import both
from common.runs.experiments import require_experiment
from common.runs.start import config_of
from common.sweep import report
from common.sweep.report import SweepView
from common.sweep.table import short_names

Gap = Callable[[str], None]
"""Takes a sentence about something that could not be read."""


def sweep_rows(competition: Competition, only: str, gap: Gap) -> list[dict[str, Any]]:
    """Return each sweep as JSON-ready values, the newest first; those with the run `only` as a trial, when it is not "".

    They are the fields of `SweepView`, with `short` (name of a setting → its short name), `recipe` (the recipe's values of the
    settings that the winner changes) and `made` (when a worker wrote it, ISO 8601 in UTC). `gap` is told what could not be read.
    """
    found = []
    for folder in report.sweeps(competition.name):
        try:
            view = report.read(folder)
        except UserError as error:
            gap(str(error))
            continue
        if only and all(one.run != only for one in view.trials):
            continue
        written = datetime.fromtimestamp((folder / report.FILE).stat().st_mtime, UTC)
        row = asdict(view)
        row |= {
            "folder": folder.name,
            "short": short_names(view.searched),
            "recipe": _changed(view, gap),
            "mixed": both(view.mixed) if view.mixed else None,
            "made": written.isoformat(timespec="seconds"),
        }
        found.append(row)
    return sorted(found, key=lambda row: row["made"], reverse=True)


def _changed(view: SweepView, gap: Gap) -> dict[str, Any] | None:
    """Return the recipe's value of each setting that the best trial changes; None when the recipe cannot be read."""
    best = next((one for one in view.trials if one.number == view.best), None)
    if best is None:
        return {}
    try:
        recipe = plain(config_of(require_experiment(view.experiment)).Config())
    except Exception as error:  # people edit config.py: anything may be wrong with it
        gap(f"sweep {view.name}: the recipe of {view.experiment} cannot be read ({first_line(error)}).")
        return None
    return {name: recipe.get(name) for name, value in best.settings.items() if recipe.get(name) != value}
