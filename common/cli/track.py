"""The command that shows a run in W&B: track."""

from pathlib import Path

import click

from common import files, wandb_log


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--mode",
    type=click.Choice(["online", "offline"]),
    default="online",
    show_default=True,
    help="Mode of W&B.",
)
@click.option("--texts", is_flag=True, help="Also upload the first dev references and predictions.")
def track(folder: Path, mode: str, texts: bool) -> None:
    """Show the present state of a run folder in W&B.

    FOLDER is outputs/COMPETITION/RUN. Run the command again to add new results.
    """
    wandb_log.upload(folder.resolve(), mode, texts=texts)
    click.echo(f"{files.shown(folder)}: shown in W&B ({mode}).")
