"""Command that measures post-processing on dev: postprocess."""

import time

import click

from common.cli.options import ALL, COMPETITION
from common.core import terminal
from common.core.files import shown
from common.core.messages import duration
from common.core.paths import run_folder
from common.core.text_table import text_table
from common.data.competition_file import active_competition, comp_setting, load_competition


@click.command()
@click.option("--run", required=True, help="A run with finished inference, such as exp002 or exp002-seed2.")
@COMPETITION
@ALL
def postprocess(run: str, name: str | None, everything: bool) -> None:
    """Measure on dev what each post-processing rule and a fitted length change in a run's scores."""
    from common.postprocess import report, search  # with numpy, which no other command needs to start

    started = time.monotonic()
    chosen = load_competition(name or active_competition())
    task, own = report.task(chosen, run)
    found = search.search(task, own)
    terminal.say(f"{shown(run_folder(chosen.name, run))} on dev: {found.dialogues} dialogues\n")
    for trials in found.trials if everything else [found.main]:
        for table in (report.rules_alone(trials), report.rules_inside(trials), report.lengths(trials)):
            click.echo(text_table(table, report.DROPPED) + "\n")
    terminal.say(f"Measured in {duration(time.monotonic() - started)}; nothing was written.")
    lines = report.advice(found, chosen, run)
    terminal.say("\n".join(lines))
    if not lines[-1].startswith("make "):
        terminal.say_next(f"make submit{comp_setting(chosen.name)}")
