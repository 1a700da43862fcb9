"""The command that measures post-processing: the effect of each rule and of a length target."""

import click

from common import competition, files, leaderboard, postprocess_report, postprocess_search, runs


@click.command()
@click.option("--run", required=True, help="A run with finished inference, such as exp002 or exp002-seed2.")
@click.option("--competition", "name", help="Default: the active competition.")
def postprocess(run: str, name: str | None) -> None:
    """Measure on dev what each post-processing rule and a fitted length change in a run's score."""
    chosen = competition.load(name or competition.active())
    task, own = postprocess_report.task(chosen, run)
    found = postprocess_search.search(task, own)
    tables = [
        postprocess_report.rules_alone(found),
        postprocess_report.rules_inside(found),
        postprocess_report.lengths(found),
    ]
    click.echo(f"{files.shown(runs.run_folder(chosen.name, run))} on dev: {found.dialogues} dialogues\n")
    for table in tables:
        click.echo(leaderboard.text(table) + "\n")
    click.echo("\n".join(postprocess_report.advice(found, chosen, run)))
