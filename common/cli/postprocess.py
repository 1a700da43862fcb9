"""Command that measures post-processing on dev: postprocess."""

import click

from common.cli.options import ALL, COMPETITION
from common.core import terminal
from common.core.files import shown
from common.core.paths import run_folder
from common.core.text_table import text_table
from common.data.competition_file import active_competition, load_competition


@click.command()
@click.option("--run", required=True, help="A run with finished inference, such as exp002 or exp002-seed2.")
@COMPETITION
@ALL
def postprocess(run: str, name: str | None, everything: bool) -> None:
    """Measure on dev what each post-processing rule and a fitted length change in a run's scores."""
    from common.postprocess import report, search  # with numpy, which no other command needs to start

    chosen = load_competition(name or active_competition())
    task, own = report.task(chosen, run)
    found = search.search(task, own)
    click.echo(f"{shown(run_folder(chosen.name, run))} on dev: {found.dialogues} dialogues\n")
    for trials in found.trials if everything else [found.main]:
        for table in (report.rules_alone(trials), report.rules_inside(trials), report.lengths(trials)):
            click.echo(text_table(table, report.DROPPED) + "\n")
    click.echo(terminal.fitted("\n".join(report.advice(found, chosen, run))))
