"""The command about post-processing: what each rule and a length target are worth to a run."""

import click

from common import competition, files, leaderboard, postprocess_report, postprocess_search, runs


@click.command()
@click.option("--run", required=True, help="A run that has inferred, as in exp002 or exp002-seed2.")
@click.option("--competition", "name", help="Default: the active one.")
def postprocess(run: str, name: str | None) -> None:
    """What each post-processing rule and a length fitted to a run are worth on dev."""
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
