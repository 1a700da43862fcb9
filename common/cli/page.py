"""Commands for the HTML page: `leaderboard --html` and report."""

import time
from typing import TYPE_CHECKING

import click

from common.cli.options import COMPETITION
from common.core import terminal
from common.core.files import shown
from common.core.messages import duration, size_text
from common.data.competition import Competition
from common.data.competition_file import active_competition, load_competition
from common.runs.experiments import require_experiment
from common.runs.named import run_of_experiment

if TYPE_CHECKING:
    from common.page.build import Written


def html_page(chosen: Competition) -> None:
    """Write the page of all runs and submissions, and say where it is."""
    from common.page.build import write_page  # with Jinja2, which no other command needs

    started = time.monotonic()
    made = write_page(chosen)
    count = f"{len(made.content.runs)} runs, {len(made.content.submissions)} submissions"
    _tell(made, count, time.monotonic() - started)


@click.command("report")
@click.argument("experiment")
@COMPETITION
@click.option("--run", help="Name of the run, as in exp002-seed2; default: the name of the experiment.")
def report(experiment: str, name: str | None, run: str | None) -> None:
    """Write an HTML page about one run: scores, settings, training curves and examples."""
    from common.page.build import write_report

    started = time.monotonic()
    chosen = load_competition(name or active_competition())
    require_experiment(experiment)
    run = run_of_experiment(experiment, run)
    _tell(write_report(chosen, run), run, time.monotonic() - started)


def _tell(made: "Written", what: str, seconds: float) -> None:
    """Say where the page is and what could not be read."""
    terminal.say(
        f"{shown(made.path)}: {what}, {size_text(made.size)}, written in {duration(seconds)}. "
        "Next: open the file in a browser; it needs no network."
    )
    for gap in made.content.gaps:
        click.echo(f"{terminal.styled('gap:', 'yellow')} {gap['en']}", err=True)
