"""`make merge`: a run's adapters added into its model's weights, which is then a model of its own.

To train on from (new adapters on top, as ReLoRA does: Lialin et al. 2023), to serve, or to hand on.
`python -m common.merging` is a process of its own because models import torch.
"""

import logging
import sys
from pathlib import Path

import click

from common import checkpoints, competition, runs
from common.errors import UserError
from common.files import shown

FOLDER = "merged"


def merge(competition_name: str, run: str) -> Path:
    """Write the run's best checkpoint, adapters merged, into `merged` of the run's folder; returns that.

    Merged in float32 and written in the precision that the base's files have.
    Raises UserError when the run is not trained, has no adapters, its base is another one than it was, or disk or
    memory do not suffice.
    """
    from transformers import AutoConfig
    from transformers.utils.logging import disable_progress_bar

    from common import memory, models
    from common.engines import saved

    folder = runs.run_folder(competition_name, run)
    if runs.record(folder).get("train", {}).get("status") != "finished":
        option = f" run={run}" if "-" in run else ""
        raise UserError(
            f"{shown(folder)} has not been trained; first run: make exp={run.split('-')[0]} train{option}"
        )
    best, target = folder / "best", folder / FOLDER
    if not (best / saved.ADAPTER).exists():
        raise UserError(f"{shown(best)} has no adapters to merge; if it holds weights, it is whole already.")
    base, _ = saved.weights(best)
    precision = AutoConfig.from_pretrained(base, trust_remote_code=False).dtype
    disable_progress_bar()
    with memory.must_suffice("merging holds all weights in 32 bits; use a machine with more."):
        model, tokenizer = models.load(best, quantization="none", dtype="float32")
        whole = models.merged(model).to(precision)

    def write(staging: Path) -> None:
        whole.save_pretrained(staging)
        tokenizer.save_pretrained(staging)

    checkpoints.save(target, write)
    return target


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run")
@click.option("--competition", "name", help="Default: the active one.")
def command(run: str, name: str | None) -> None:
    """Add a run's adapters into its model's weights: a model of its own in RUN's folder."""
    folder = merge(competition.load(name or competition.active()).name, run)
    click.echo(
        f"{shown(folder)} is a model of its own: --model={shown(folder)} trains on from it, under a run=NAME of its own."
    )


def main() -> None:
    """Run the command; a user's mistake is one message on stderr and exit code 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("bitsandbytes").setLevel(
        logging.ERROR
    )  # says what it could not load and nobody asked for
    try:
        command(prog_name="python -m common merge")
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
