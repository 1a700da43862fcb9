"""Show a training in the terminal while it runs: its curves, the best score so far, the speed and the time left."""

import os
import signal
import sys
import time
from pathlib import Path

import click

from common.cli.options import COMPETITION
from common.cli.watch_view import SAMPLE, Seen, evaluation_line, head, score_line, screen
from common.core import terminal
from common.core.paths import archived_folder, run_folder
from common.core.signals import Interrupted
from common.data.competition_file import active_competition, comp_setting, load_competition
from common.runs.catalogue import is_running
from common.runs.experiments import require_experiment
from common.runs.metrics_file import MetricsFile
from common.runs.named import run_of_experiment
from common.runs.record import read_record, stage_command
from common.training.pace import read_pace

LOOK = 5.0
"""Seconds between two looks whether the training still runs, while it writes nothing."""
FRESH = 600.0
"""Seconds for which what a training told of its speed still counts; an evaluation may take minutes."""


@click.command()
@click.argument("experiment")
@COMPETITION
@click.option("--run", help="Name of the run, as in exp002-seed2; default: the name of the experiment.")
@click.option(
    "--every", type=click.FloatRange(0.05, 60), default=1.0, hidden=True, help="Seconds between looks."
)
def watch(experiment: str, name: str | None, run: str | None, every: float) -> None:
    """Show a training's curves while it runs; of a finished one, show them once."""
    chosen = load_competition(name or active_competition())
    require_experiment(experiment)
    run, comp = run_of_experiment(experiment, run), comp_setting(chosen.name)
    folder = run_folder(chosen.name, run)
    if not folder.is_dir() and archived_folder(chosen.name, run).is_dir():
        folder = archived_folder(chosen.name, run)
    watched = _Watched(folder, chosen.name)
    if watched.state == "stopped" and not watched.metrics.path.exists():
        terminal.say(
            f"{run} on {chosen.name}: no training has begun here. Next: {stage_command(run, 'train', folder, comp)}"
        )
        return
    try:
        watched.follow(every)
    except (KeyboardInterrupt, Interrupted) as stop:
        if isinstance(stop, Interrupted) and stop.number != signal.SIGINT:
            raise
        terminal.say(
            "Watching ended; the training goes on." if watched.state == "training" else "Watching ended."
        )
        return
    if watched.state == "finished":
        scored = (folder / "dev" / "scores.json").is_file()
        following = f"make score pred={run}{comp}" if scored else stage_command(run, "infer", folder, comp)
        terminal.say(f"Training finished. Next: {following}")
    else:
        terminal.say(
            f"Training stopped before its end. Next, to resume: {stage_command(run, 'train', folder, comp)}"
        )


class _Watched:
    """A training that is looked at again and again."""

    def __init__(self, folder: Path, competition: str) -> None:
        self.folder, self.competition = folder, competition
        self.metrics = MetricsFile(folder / "metrics.jsonl")
        self.drawn = self.told = 0
        self.curves = sys.stdout.isatty() and _shows(SAMPLE)
        self.state, self.looked = self._look(), time.monotonic()

    def _look(self) -> str:
        if read_record(self.folder).get("train", {}).get("status") == "finished":
            return "finished"
        return "training" if is_running(self.folder) else "stopped"

    def follow(self, every: float) -> None:
        """Show the training until it ends; at once, when it has ended."""
        if not self.curves:
            self.metrics.read()
            terminal.say(head(self._seen()))
        while True:
            ended = (
                self.state != "training"
            )  # before reading, so that nothing of what it wrote last is missed
            if self.metrics.read():
                self.looked = time.monotonic()
            elif time.monotonic() - self.looked >= LOOK:
                self.state, self.looked = self._look(), time.monotonic()
                continue
            self._show(self._seen())
            if ended:
                return
            time.sleep(every)

    def _seen(self) -> Seen:
        pace = read_pace(self.folder) if self.state == "training" else None
        if pace and time.time() - pace.time > FRESH:
            pace = None
        return Seen(self.folder.name, self.competition, self.state, self.metrics, pace)

    def _show(self, seen: Seen) -> None:
        if self.curves:
            size = os.get_terminal_size(sys.stdout.fileno())
            text = screen(seen, terminal.width() or terminal.USUAL, size.lines or 24)
            back = f"\x1b[{self.drawn}A\x1b[J" if self.drawn else ""
            sys.stdout.write(f"{back}{text}\n")
            sys.stdout.flush()
            self.drawn = text.count("\n") + 1
            return
        scores = seen.metrics.points("score")
        if scores and scores[-1][0] < self.told:  # a resumed training repeats these
            self.told = 0
        for step, _ in scores:
            if step > self.told:
                terminal.say(evaluation_line(seen, step))
                self.told = step
        if seen.state != "training":
            terminal.say(score_line(seen))
        sys.stdout.flush()


def _shows(sign: str) -> bool:
    """Return whether stdout can show this sign."""
    try:
        sign.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
