"""Write the report of a sweep for the terminal."""

from typing import Any

from common.core.text_table import text_table
from common.sweep.report import SweepView, TrialView
from common.sweep.table import COLOURS, number, setting_text, short_names, value_text

DROP = ("state", "minutes", "unseen rows", "seen rows")


def trials(view: SweepView, top: int) -> str:
    """Return the best trials as a table: what the sweep chose by, and the scores on all dev rows with their intervals."""
    names = short_names(view.searched)
    decoded = any(one.score is not None for one in view.trials)
    scores = ["all of dev", "95 % interval", "seen rows", "unseen rows"] if decoded else []
    rows = [["trial", "state", view.metric, *scores, "minutes", *names.values()]]
    ranked = view.ranked()
    for one in ranked[:top] + [one for one in ranked[top:] if one.score is not None]:
        rows.append([str(one.number), one.state, number(one.value), *(_scores(one) if decoded else []),
                     "–" if one.minutes is None else f"{one.minutes:.1f}",
                     *(setting_text(one.settings, name) for name in names)])  # fmt: skip
    return text_table(rows, DROP, COLOURS)


def _scores(one: TrialView) -> list[str]:
    interval = f"{one.interval[0]:.2f} to {one.interval[1]:.2f}" if one.interval else "–"
    return [number(one.score), interval, number(one.seen), number(one.unseen)]


def importance(view: SweepView) -> str:
    """Return a table of how much of the metric's variance each setting explains, "" when that is not known."""
    if not view.importance:
        return ""
    names = short_names(list(view.importance))
    rows = [["setting", f"share of the variance of {view.metric}"]]
    rows += [[names[name], f"{share:.0%}"] for name, share in view.importance.items()]
    return text_table(rows)


def winner(view: SweepView, recipe: dict[str, Any]) -> str:
    """Return a table of the settings of the best trial that differ from the recipe, "" without a trial."""
    best = next((one for one in view.trials if one.number == view.best), None)
    if best is None:
        return ""
    rows = [["setting", "recipe", f"trial {best.number}"]]
    for name, value in best.settings.items():
        if recipe.get(name) != value:
            rows.append([name, setting_text(recipe, name), value_text(value)])
    return text_table(rows) if len(rows) > 1 else ""


def flattery(view: SweepView) -> str:
    """Return in words how much the winner flatters itself, or why that is not known."""
    found = view.flattery
    if found is None:
        least = "at least two complete trials, decoded with top=, and dev rows that no trial was scored on"
        return f"How much the best of {view.count_of('complete', 'pruned')} trials flatters itself is not known; that needs {least}."
    return (
        f"The best of {view.count_of('complete', 'pruned')} trials was chosen by its score on {found.seen_rows} dev rows. There, its lead over "
        f"{found.others} other trials is {found.difference:.2f} larger than on the {found.unseen_rows} dev rows that no trial was scored on "
        f"(95 % interval {found.low:.2f} to {found.high:.2f}): by so much its score there is too high. Trust its score on the unseen rows."
    )
