"""Show a sweep in the terminal: a table that is redrawn while it runs, one line for each trial in a pipe, and the result."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TextIO

from common.core import terminal
from common.core.config import hyphens
from common.core.language import translated
from common.core.messages import brief, close_bars, duration
from common.core.text_table import text_table
from common.sweep.report import SweepView, TrialView

COLOURS = {"complete": "green", "running": "cyan", "pruned": "yellow", "failed": "red"}
DROP = ("host", "minutes", "evaluations")
REDRAW = 1.0
"""Seconds between two drawings of the table."""
_KEPT = 6
"""Lines of the terminal that the table leaves free."""


def value_text(value: Any) -> str:
    """Return a setting's value as a cell: numbers with at most four digits that count."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return brief(",".join(map(str, value)) if isinstance(value, list) else value, 24)


def setting_text(settings: Mapping[str, Any], name: str) -> str:
    """Return a setting's value as a cell; "–" where the settings do not have it."""
    return value_text(settings[name]) if name in settings else "–"


def number(value: float | None) -> str:
    """Return a metric as a cell; "–" for none."""
    return "–" if value is None else f"{value:.2f}" if abs(value) >= 1 else f"{value:.4f}"


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return dotted name → its last part with hyphens, or the whole name where two settings share the last part."""
    last = [name.rpartition(".")[2] for name in names]
    return {
        name: hyphens(end if last.count(end) == 1 else name) for name, end in zip(names, last, strict=True)
    }


def trial_table(view: SweepView, trials: Sequence[TrialView], stream: TextIO | None = None) -> str:
    """Return the trials as a table, in this order."""
    names = short_names(view.searched)
    head = ["trial", "state", view.metric, "evaluations", "minutes", *names.values(), "host"]
    several = len({one.host for one in view.trials if one.host}) > 1
    rows = [head if several else head[:-1]]
    for one in trials:
        stopped = f"{len(one.evaluations)} (stopped)" if one.state == "pruned" else str(len(one.evaluations))
        cells = [str(one.number), one.state, number(one.value), stopped,
                 "–" if one.minutes is None else f"{one.minutes:.1f}",
                 *(setting_text(one.settings, name) for name in names)]  # fmt: skip
        rows.append([*cells, one.host] if several else cells)
    return text_table(rows, DROP, COLOURS, stream)


def summary(view: SweepView) -> str:
    """Return one line: how many trials are scored, run, failed, and the best value so far."""
    scored, running, failed = (
        view.count_of("complete", "pruned"),
        view.count_of("running"),
        view.count_of("failed"),
    )
    parts = [f"{scored} of {view.count} trials" if view.count else f"{scored} trials"]
    parts += [f"{view.count_of('pruned')} of them stopped early"] if view.count_of("pruned") else []
    parts += [f"{running} running"] if running else []
    parts += [f"{failed} failed"] if failed else []
    best = next((one for one in view.trials if one.number == view.best), None)
    parts += [f"best {view.metric} {number(best.value)} (trial {best.number})"] if best else []
    return ", ".join(parts)


def _ended(view: SweepView) -> list[TrialView]:
    return [one for one in view.trials if one.state in ("complete", "pruned", "failed")]


@dataclass
class Live:
    """What the terminal shows while a sweep runs."""

    title: str
    began: float = field(default_factory=time.monotonic)
    drawn: float = float("-inf")
    lines: int = 0
    """Number of lines that the table takes on the terminal now."""
    told: set[int] = field(default_factory=set)
    """Trials that ended before, or whose line was printed."""

    def begin(self, view: SweepView, where: str) -> None:
        """Print a first line, and no line later for the trials that ended before."""
        self.told = {one.number for one in _ended(view)}
        self.tell(f"{self.title}: {summary(view)}; {where}")

    def due(self) -> bool:
        """Return whether it is time for the next `update`."""
        return time.monotonic() - self.drawn >= REDRAW

    def update(self, view: SweepView, minutes: Mapping[int, float]) -> None:
        """Draw the table again on a terminal; elsewhere print a line for each trial that ended.

        `minutes`: number of a trial that runs here → minutes so far.
        """
        self.drawn = time.monotonic()
        if sys.stderr.isatty():
            running = [replace(one, minutes=minutes.get(one.number, one.minutes)) for one in view.trials]
            self._draw(replace(view, trials=tuple(running)))
            return
        for one in _ended(view):
            if one.number not in self.told:
                self.tell(self._line(view, one))
                self.told.add(one.number)

    def tell(self, text: str) -> None:
        """Print a line above the table."""
        self.clear()
        print(terminal.fitted(text, sys.stderr), file=sys.stderr, flush=True)  # noqa: T201

    def _line(self, view: SweepView, one: TrialView) -> str:
        chosen = " ".join(
            f"{short}={setting_text(one.settings, name)}"
            for name, short in short_names(view.searched).items()
        )
        took = duration(60 * (one.minutes or 0.0))
        if one.state == "failed":
            return f"trial {one.number}: failed after {took} ({one.reason}); {chosen}"
        how = f"stopped early after evaluation {one.pruned_at}" if one.state == "pruned" else "complete"
        return f"trial {one.number}: {how}, {view.metric} {number(one.value)}, {took}; {chosen}"

    def _draw(self, view: SweepView) -> None:
        room = max(3, os.get_terminal_size(sys.stderr.fileno()).lines - _KEPT)
        running = [one for one in view.trials if one.state == "running"]
        best = view.ranked()[: max(1, room - len(running))]
        failed = [one for one in view.trials if one.state == "failed"]
        shown = [*running, *best, *failed][:room]
        head = f"{translated(self.title)}: {summary(view)}, {duration(time.monotonic() - self.began)}"
        text = terminal.wrapped(head, sys.stderr) + "\n" + trial_table(view, shown, sys.stderr)
        self.clear()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
        self.lines = text.count("\n") + 1

    def clear(self) -> None:
        """Remove the table from the terminal."""
        if self.lines:
            close_bars()
            sys.stderr.write(f"\x1b[{self.lines}A\x1b[J")
            sys.stderr.flush()
        self.lines = 0
