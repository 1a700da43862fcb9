"""Commands for competitions: import data, choose the active one, find copies among its rows."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from common import competition, leaderboard, leaks, rows
from common.errors import UserError


@click.command()
@click.option("--competition", "name", required=True, help="A folder under competitions/.")
@click.option(
    "--from",
    "source",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder or .zip of the organisers' files.",
)
def data(name: str, source: Path) -> None:
    """Check the organisers' files, copy them into the repository and make the competition active."""
    chosen = competition.load(name)
    if not source.exists():
        raise UserError(
            f"{source}: not there; name the folder or .zip of the organisers' files with from=PATH."
        )
    for line in rows.import_data(chosen, source):
        click.echo(line)
    competition.set_active(name)
    click.echo(f"{name} is now the active competition.")


@click.command()
@click.option("--competition", "name", required=True, help="A folder under competitions/.")
def use(name: str) -> None:
    """Make a competition the active one."""
    competition.load(name)
    competition.set_active(name)
    click.echo(f"{name} is now the active competition.")


@click.command("leaks")
@click.option("--competition", "name", help="Default: the active competition.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def leaks_command(name: str | None, as_json: bool) -> None:
    """Show the ids of copies and near-copies between train, dev, test and augmented rows."""
    chosen = competition.load(name or competition.active())
    found = leaks.report(chosen)
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False))
        return
    between, inside = leaks.tables(found)
    click.echo(
        f"{chosen.name}: dialogues count as near-copies from similarity {found.near_copy} ([rules] near_copy)\n"
    )
    click.echo(f"{leaderboard.text(between)}\n\n{leaderboard.text(inside)}\n")
    click.echo("\n".join(leaks.advice(found)))
