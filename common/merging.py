"""`make merge`: a run's adapters added into its model's weights, which is then a model of its own.

To train on from (new adapters on top, as ReLoRA does: Lialin et al. 2023), to serve, or to hand on.
`python -m common.merging` is a process of its own because models import torch.
"""

import logging
import os
import sys
from pathlib import Path

import click

from common import checkpoints, competition, runs
from common.errors import UserError
from common.files import shown

FOLDER = "merged"
log = logging.getLogger(__name__)


def folder(competition_name: str, run: str) -> Path:
    """Where a run's merged model stands: outputs/COMPETITION/merged/RUN."""
    return runs.outputs(competition_name) / FOLDER / run


def merge(competition_name: str, run: str) -> Path:
    """Write the run's best checkpoint, adapters merged, into outputs/COMPETITION/merged/RUN; returns that.

    Merged in float32 and written in the precision that the base's files have.
    Raises UserError when the run is not trained, its checkpoint is damaged, it has no adapters, its base is another
    one than it was, or disk or memory do not suffice.
    """
    from transformers import AutoConfig
    from transformers.utils.logging import disable_progress_bar

    from common import models
    from common.engines import saved

    trained, target = runs.run_folder(competition_name, run), folder(competition_name, run)
    runs.require_trained(trained)
    best = trained / "best"
    if not (best / saved.ADAPTER).exists():
        raise UserError(f"{shown(best)} has no adapters to merge; if it holds weights, it is whole already.")
    if reasons := runs.stale_training(trained):
        log.warning("%s is stale: %s", run, "; ".join(reasons))
    if damage := checkpoints.problem(best):
        raise UserError(f"{shown(best)}: {damage}; train it anew with restart=1.")
    base, _ = saved.weights(best)
    precision = AutoConfig.from_pretrained(base, trust_remote_code=False).dtype
    disable_progress_bar()
    model, tokenizer = models.load(best, quantization="none", dtype="float32", gpu_memory=0.0)
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
    """Add a run's adapters into its model's weights: a model of its own."""
    whole = shown(merge(competition.load(name or competition.active()).name, run))
    experiment = run.split("-")[0]
    click.echo(
        f"{whole} is a model of its own. To train on from it:\n"
        f'  make exp={experiment} train run={experiment}-NAME args="--model={whole}"'
    )


def main() -> None:
    """Run the command; a user's mistake is one message on stderr and exit code 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # It says what it could not load, which nobody asked for.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # in 32 bits a model may well not fit where it was trained
    try:
        command(prog_name="python -m common merge")
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
