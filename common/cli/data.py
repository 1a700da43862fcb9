"""Commands about competitions: bring data in, switch the active one."""

from pathlib import Path

import click

from common import competition, rows
from common.errors import UserError


@click.command()
@click.option("--competition", "name", required=True, help="A folder under competitions/.")
@click.option(
    "--from", "source", required=True, type=click.Path(path_type=Path), help="Folder or zip of the files."
)
def data(name: str, source: Path) -> None:
    """Check the organisers' files, copy them in and make the competition active."""
    chosen = competition.load(name)
    if not source.exists():
        raise UserError(
            f"{source}: not there; from= wants the folder or zip you downloaded from the organisers."
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
