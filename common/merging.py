"""`make merge`: a run's adapters added into its model's weights, which is then a model of its own.

To train on from (new adapters on top, as ReLoRA does: Lialin et al. 2023), to serve, or to hand on.
"""

from pathlib import Path

from common import checkpoints, runs
from common.errors import UserError
from common.files import shown

FOLDER = "merged"


def merge(competition: str, run: str) -> Path:
    """Write the run's best checkpoint, adapters merged, into `merged` of the run's folder; returns that.

    Merged in float32 and written in the precision that the base's files have.
    Raises UserError when the run is not trained, has no adapters, its base is another one than it was, or disk or
    memory do not suffice.
    """
    folder = runs.run_folder(competition, run)
    train = runs.record(folder).get("train", {})
    if train.get("status") != "finished":
        option = f" run={run}" if "-" in run else ""
        raise UserError(
            f"{shown(folder)} has not been trained; first run: make exp={run.split('-')[0]} train{option}"
        )
    best, target = folder / "best", folder / FOLDER
    if not (best / "adapter_config.json").exists():
        raise UserError(f"{shown(best)} has no adapters to merge; if it holds weights, it is whole already.")

    from transformers import AutoConfig
    from transformers.utils.logging import disable_progress_bar

    from common import memory, models
    from common.engines import saved

    weights, _ = saved.weights(best)
    precision = AutoConfig.from_pretrained(weights, trust_remote_code=False).dtype
    disable_progress_bar()
    with memory.must_suffice("merging holds all weights in 32 bits; use a machine with more."):
        model, tokenizer = models.load(best, quantization="none", dtype="float32")
        whole = models.merged(model).to(precision)

    def write(staging: Path) -> None:
        whole.save_pretrained(staging)
        tokenizer.save_pretrained(staging)

    checkpoints.save(target, write)
    return target
