"""Save the training state in a checkpoint, and resume from the newest intact one."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from datasets import Dataset
from transformers import PreTrainedModel

from common.core import distributed, verified_folder
from common.core.errors import UserError
from common.core.files import atomic_path, shown, write_json
from common.core.json_lines import read_lines
from common.core.verified_folder import staging_folder
from common.training import checkpoints, stored
from common.training.checkpoints import newest_intact, step_folder
from common.training.config import TrainingConfig
from common.training.losses import Batch, Loss
from common.training.plan import Plan
from common.training.sharding import is_sharded, whole_weights
from common.training.state import MovingAverage, Progress, trained_parameters

log = logging.getLogger(__name__)
Collate = Callable[[Sequence[dict[str, Any]]], Batch]
Evaluate = Callable[[PreTrainedModel], Mapping[str, float]]
SaveModel = Callable[[PreTrainedModel, Path, dict[str, torch.Tensor] | None], None]
"""(model, folder, weights) → None; `weights` are the full weights of a sharded model, None for any other model."""
STATE = "state.json"


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

    @property
    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """The trained weights by name, without the prefix of a wrapper."""
        return trained_parameters(self.accelerator.unwrap_model(self.model))


def _tensor_file(training: TrainingState, folder: Path, name: str) -> Path:
    """Return the path of a file of tensors; each process of a sharded training has its own."""
    rank = f"_{distributed.rank()}" if is_sharded(training.model) else ""
    return folder / f"{name}{rank}.safetensors"


def _values(training: TrainingState, state: Progress) -> dict[str, Any]:
    """Return everything of the training state that is neither a tensor nor a random state, as JSON values."""
    return {
        "fingerprint": training.fingerprint,
        "threads": torch.get_num_threads(),
        "progress": asdict(state),
        "learning_rates": [group["lr"] for group in training.optimizer.param_groups],
        "schedule_steps": training.schedule.last_epoch,
        "average_steps": training.average.steps,
        "scaler": training.accelerator.scaler.state_dict() if training.accelerator.scaler else {},
    }


def save_state(training: TrainingState, state: Progress) -> None:
    """Save a checkpoint: every process writes its part into one staging folder, which the first process publishes."""
    main, parameters = training.accelerator.is_main_process, training.parameters

    def write(staging: Path) -> None:
        distributed.wait()
        if main or is_sharded(training.model):
            average = stored.average_tensors(training.average, parameters)
            optimizer = stored.optimizer_tensors(training.optimizer, parameters)
            for name, tensors in (("trained", parameters), ("optimizer", optimizer), ("average", average)):
                if tensors:
                    stored.write_tensors(_tensor_file(training, staging, name), tensors)
        random_states = stored.random_states(training.accelerator.device)
        write_json(staging / f"random_{distributed.rank()}.json", random_states)
        distributed.wait()
        if main:
            write_json(staging / STATE, _values(training, state))
            metrics = training.folder / "metrics.jsonl"
            (staging / metrics.name).write_bytes(metrics.read_bytes() if metrics.exists() else b"")

    parent = training.folder / "checkpoints"
    newest = step_folder(parent, state.step)
    if main:
        verified_folder.save(newest, write)
        checkpoints.prune(parent, newest, training.config.keep_checkpoints)
    else:
        write(staging_folder(newest))
    distributed.wait()


def resume_state(training: TrainingState, state: Progress) -> None:
    """Load the newest intact checkpoint, if there is one, verify best/, and drop the metrics of later steps.

    Raises UserError when the checkpoint does not belong to this training, or when best/ is damaged and no later
    evaluation can replace it.
    """
    main = training.accelerator.is_main_process
    # The first process alone looks for it, so that each damaged checkpoint is reported once.
    found = newest_intact(training.folder / "checkpoints") if main else None
    newest: Path | None = distributed.gather([found])[0]
    if newest is not None:
        _load(training, state, newest)
        log.info("resuming at step %d", state.step)
        _verify_best(training, state)
    if main:
        _restore_metrics(training.folder / "metrics.jsonl", newest)
        training.follow()


def _load(training: TrainingState, state: Progress, folder: Path) -> None:
    """Load every part of a checkpoint. Raises UserError when a part does not fit this training."""
    if not (folder / STATE).exists():
        raise UserError(
            f"{shown(folder)} was written by an older version of this code, which stored checkpoints in another way. "
            "Run again with restart=1 to start over (the old run is moved aside)."
        )
    try:
        _require_own(training, folder)
        values = stored.read_values(folder / STATE, _values(training, state))
        parameters, average = training.parameters, training.average
        saved = stored.read_tensors(_tensor_file(training, folder, "trained"), parameters)
        for name, parameter in parameters.items():
            stored.fill(parameter.data, saved[name])
        if wanted := stored.average_tensors(average, parameters):
            saved = stored.read_tensors(_tensor_file(training, folder, "average"), wanted)
            for name, mean in wanted.items():
                stored.fill(mean, saved[name])
        average.steps = values["average_steps"]
        rates = values["learning_rates"]
        stored.load_optimizer(
            _tensor_file(training, folder, "optimizer"), training.optimizer, parameters, rates
        )
        steps, step = values["schedule_steps"], values["progress"]["step"]
        if folder != step_folder(folder.parent, step):
            raise ValueError(f"it was saved at step {step}")
        schedule = training.schedule.state_dict()
        schedule |= {"last_epoch": steps, "_step_count": steps + 1, "_last_lr": list(rates)}
        training.schedule.load_state_dict(schedule)
        if training.accelerator.scaler:
            training.accelerator.scaler.load_state_dict(values["scaler"])
        _require_metrics(folder / "metrics.jsonl")
        random_states = folder / f"random_{distributed.rank()}.json"
        stored.load_random_states(random_states, training.accelerator.device)
    except ValueError as error:
        raise UserError(
            f"{shown(folder)} does not fit this training: {error}. Delete that folder to resume from an older "
            "checkpoint, or run again with restart=1 to start over."
        ) from error
    for name, value in values["progress"].items():
        setattr(state, name, value)
    main, on_cpu = training.accelerator.is_main_process, training.accelerator.device.type == "cpu"
    if values["threads"] != torch.get_num_threads() and main and on_cpu:
        log.warning(
            "resuming with %d threads a training that had %d: the weights will not be bit-identical to those of an "
            "uninterrupted run (OMP_NUM_THREADS sets the number)", torch.get_num_threads(), values["threads"],
        )  # fmt: skip


def _require_metrics(path: Path) -> None:
    """Raise ValueError unless every line of a checkpoint's metrics belongs to a step."""
    try:
        lines = read_lines(path)
    except UserError as error:
        raise ValueError(f"{path.name} does not hold lines of JSON") from error
    if any(not isinstance(line.get("step"), int) for line in lines):
        raise ValueError(f"{path.name} has a line without a step")


def _require_own(training: TrainingState, folder: Path) -> None:
    """Raise UserError when the checkpoint is of a training with another fingerprint."""
    values = stored.read_value(folder / STATE)
    if isinstance(values, dict) and values.get("fingerprint", training.fingerprint) != training.fingerprint:
        raise UserError(
            f"{shown(folder)} was made with other settings, data or another number of processes. "
            "Run again with restart=1 to start over (the old run is moved aside)."
        )


def save_best(training: TrainingState) -> str:
    """Save the model with its present weights in best/ and return the folder's fingerprint, "" in other processes.

    Every process must make this call.
    """
    model = training.accelerator.unwrap_model(training.model).eval()
    weights = whole_weights(model)
    if not training.accelerator.is_main_process:
        return ""
    best = training.folder / "best"
    return verified_folder.save(best, lambda staging: training.save_best(model, staging, weights))


def _verify_best(training: TrainingState, state: Progress) -> None:
    """Save best/ again if it is damaged and the loaded weights are the best ones; else let the next evaluation do so.

    Raises UserError when it is damaged and there is no further evaluation.
    """
    damage = None
    if training.accelerator.is_main_process and state.best_step:
        best = training.folder / "best"
        verified_folder.restore_interrupted(best)
        damage = verified_folder.problem(best)
        if damage is None and verified_folder.fingerprint(best) != state.best:
            damage = "it was saved later, or changed"
    damage = distributed.gather([damage])[0]
    if damage is None:
        return
    if state.best_step == state.step == state.evaluated:
        log.warning(
            "best/ is not what this training saved (%s); saving it again from the checkpoint of the same step",
            damage,
        )
        with training.average.in_place():
            state.best = save_best(training)
        distributed.wait()
        return
    if state.step == training.plan.total() or state.bad_evaluations >= training.config.patience:
        raise UserError(
            f"best/ is not what this training saved ({damage}), and no evaluation is left that could replace it. Train again with restart=1."
        )
    log.warning(
        "best/ is not what this training saved at step %d (%s); the next evaluation replaces it, even with a lower score than %.2f. "
        "To keep the better model, train again with restart=1.", state.best_step, damage, state.best_score,
    )  # fmt: skip
    state.best_score = -math.inf


def _restore_metrics(metrics: Path, checkpoint: Path | None) -> None:
    """Make metrics.jsonl what it was when the checkpoint was saved; log a warning when these lines have changed."""
    kept = (checkpoint / metrics.name).read_bytes() if checkpoint else b""
    if metrics.exists() and not metrics.is_file():
        raise UserError(
            f"{shown(metrics)} is not a regular file; move it away, and run the same command again."
        )
    if not (metrics.read_bytes() if metrics.exists() else b"").startswith(kept):
        log.warning("%s lacks lines or was changed; it is restored from the checkpoint", shown(metrics))
    with atomic_path(metrics) as temporary:
        temporary.write_bytes(kept)
