"""The command about W&B: track."""

from pathlib import Path

import click

from common import files, wandb_log


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--mode", type=click.Choice(["online", "offline"]), default="online", show_default=True, help="W&B's."
)
@click.option("--texts", is_flag=True, help="Also upload the first dev references and predictions.")
def track(folder: Path, mode: str, texts: bool) -> None:
    """Show a run folder (outputs/COMPETITION/RUN) in W&B as it stands; again after it has grown."""
    wandb_log.upload(folder.resolve(), mode, texts=texts)
    click.echo(f"{files.shown(folder)}: shown in W&B ({mode}).")
