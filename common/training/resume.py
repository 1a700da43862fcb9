"""Save the training state in a checkpoint, and resume from the newest intact one."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from datasets import Dataset
from transformers import PreTrainedModel

from common.core import distributed, verified_folder
from common.core.errors import UserError
from common.core.files import read_json, read_lines, shown, write_json, write_text
from common.core.verified_folder import staging_folder
from common.training import checkpoints
from common.training.checkpoints import newest_intact, step_folder
from common.training.losses import Batch, Loss
from common.training.plan import Plan, TrainingConfig
from common.training.sharding import is_sharded, load_share, save_share
from common.training.state import MovingAverage, Progress, trained_parameters

log = logging.getLogger(__name__)
Collate = Callable[[Sequence[dict[str, Any]]], Batch]
Evaluate = Callable[[PreTrainedModel], Mapping[str, float]]
SaveModel = Callable[[PreTrainedModel, Path, dict[str, torch.Tensor] | None], None]
"""(model, folder, weights) → None; `weights` are the full weights of a sharded model, None for any other model."""


@dataclass(frozen=True)
class TrainingState:
    """Everything that does not change during one call of `fit`."""

    accelerator: Accelerator
    model: PreTrainedModel
    optimizer: Any
    schedule: Any
    average: MovingAverage
    examples: Dataset
    collate: Collate
    loss: Loss
    evaluate: Evaluate
    save_best: SaveModel
    config: TrainingConfig
    plan: Plan
    folder: Path
    fingerprint: str
    follow: Callable[[], None]


def save_state(training: TrainingState, state: Progress) -> None:
    """Save a checkpoint: every process writes its part into one staging folder, which the first process publishes."""

    def write(staging: Path) -> None:
        distributed.wait()
        training.accelerator.save_state(str(staging))
        if is_sharded(training.model):
            save_share(staging, _share(training))
        distributed.wait()
        if training.accelerator.is_main_process:
            write_json(staging / "run.json", {"fingerprint": training.fingerprint, "step": state.step})

    parent = training.folder / "checkpoints"
    newest = step_folder(parent, state.step)
    if training.accelerator.is_main_process:
        verified_folder.save(newest, write)
        checkpoints.prune(parent, newest, training.config.keep_checkpoints)
    else:
        write(staging_folder(newest))
    distributed.wait()


def _share(training: TrainingState) -> dict[str, Any]:
    weights = {name: p.detach() for name, p in trained_parameters(training.model).items()}
    return {
        "weights": weights,
        "optimizer": training.optimizer.state_dict(),
        "average": training.average.state_dict(),
    }


def resume_state(training: TrainingState, state: Progress) -> None:
    """Load the newest intact checkpoint, if there is one, and drop the metrics of later steps."""
    newest = newest_intact(training.folder / "checkpoints")
    if newest is not None:
        if read_json(newest / "run.json")["fingerprint"] != training.fingerprint:
            raise UserError(
                f"{shown(newest)} was made with other settings, data or another number of processes. "
                "Run again with restart=1 to start over (the old run is moved aside)."
            )
        training.accelerator.load_state(str(newest))
        if is_sharded(training.model):
            share = load_share(newest)
            for name, parameter in trained_parameters(training.model).items():
                parameter.data.copy_(share["weights"][name])
            training.optimizer.load_state_dict(share["optimizer"])
            training.average.load_state_dict(share["average"])
        log.info("resuming at step %d", state.step)
    if not training.accelerator.is_main_process:
        return
    metrics = training.folder / "metrics.jsonl"
    lines = [json.dumps(line) for line in read_lines(metrics) if line["step"] <= state.step]
    write_text(metrics, "".join(f"{line}\n" for line in lines))
    training.follow()
