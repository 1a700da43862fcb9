"""Train encoder-decoder and causal models with one accelerate loop (`fit`), in one process or several."""

import contextlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from datasets import Dataset
from transformers import PreTrainedModel, get_scheduler

from common.core import distributed, signals
from common.core.distributed import require_together
from common.core.json_lines import append_line
from common.core.memory import advise_when_out_of_memory
from common.core.progress import progress
from common.core.signals import Interrupted
from common.models.pretrained import use_tf32
from common.training import checkpoints, sharding
from common.training.config import TrainingConfig
from common.training.kernels import use_liger, use_onednn
from common.training.losses import Loss, cross_entropy
from common.training.pace import PaceFile
from common.training.plan import Plan
from common.training.resume import (
    Collate,
    Evaluate,
    SaveModel,
    TrainingState,
    resume_state,
    save_best,
    save_state,
)
from common.training.state import MovingAverage, Progress, trained_parameters
from common.training.step import batches_of_steps, take_step

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitResult:
    """The result of `fit`."""

    steps: int
    best_step: int
    best_score: float
    stopped_early: bool


def _precision(choice: str, model: PreTrainedModel) -> str:
    if choice != "auto":
        return choice
    if not torch.cuda.is_available():
        return "bf16" if model.dtype == torch.bfloat16 else "no"
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def _optimizer(model: PreTrainedModel, config: TrainingConfig) -> torch.optim.AdamW:
    parameters = list(trained_parameters(model).values())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    betas = (config.betas[0], config.betas[1])
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas, fused=True)


def fit(
    model: PreTrainedModel,
    examples: Dataset,
    collate: Collate,
    evaluate: Evaluate,
    config: TrainingConfig,
    folder: Path,
    *,
    seed: int,
    fingerprint: str,
    save_best: SaveModel,
    loss: Loss = cross_entropy,
    follow: Callable[[], None] = lambda: None,
) -> FitResult:
    """Train the model and save the best one in `folder/best`.

    `examples` has the columns `source` and `target` (token ids) and any others that `collate` needs. The best model
    has the highest `score` among the scores that `evaluate` returns.
    Checkpoints in `folder/checkpoints` hold trained weights, optimizer, schedule and random states. After a crash,
    the same call resumes from the newest intact one; on a CPU with the same number of threads the final weights are then
    bit-identical.
    A signal (SIGTERM, SIGINT, SIGHUP) ends training after the present step or batch of the evaluation, with a checkpoint.
    `fingerprint` identifies everything that must not change before a resume (settings, data).
    Several processes share the batches of every step: N processes with `accumulation` A equal one process with
    `accumulation` N * A. Every process calls `evaluate`, which must return the same scores in each.
    The first process calls `follow` when training begins and whenever metrics.jsonl has new lines.
    Raises UserError when a checkpoint has another fingerprint, the loss or a gradient is not finite, no gradient
    reaches the trained weights, memory runs out, or the processes do not form one group, and as `use_liger` and `use_onednn` do;
    Interrupted after a signal.
    """
    # For dropout only: initial weights and batches have their own random states.
    set_seed(seed + distributed.rank())
    use_tf32()
    distributed.wait()  # the first process prepares the folder before it gets here
    precision = _precision(config.precision, model)
    accelerator = Accelerator(mixed_precision=precision, cpu=not torch.cuda.is_available())
    require_together(accelerator.num_processes)
    source_lengths, target_lengths = (tuple(map(len, examples[name])) for name in ("source", "target"))
    plan = Plan(source_lengths, target_lengths, config, seed, accelerator.num_processes)
    total = plan.total()
    state = Progress()
    if config.kernels == "liger":
        use_liger(model)
    if config.kernels == "onednn":
        use_onednn(model)
    if config.sharding == "fsdp":
        sharding.shard(model, accelerator.device, precision)
    optimizer = _optimizer(model, config)
    schedule = get_scheduler(config.schedule, optimizer, math.ceil(config.warmup * total), total)
    if config.sharding == "none":
        model, optimizer = accelerator.prepare(model, optimizer)
    # accelerate wraps `forward` in autocast permanently. Decoding single tokens in bf16 is far slower on a CPU, so
    # this removes the wrapper and each training step enables autocast itself.
    accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    average = MovingAverage(list(trained_parameters(model).values()), config.ema)
    training = TrainingState(accelerator, model, optimizer, schedule, average, examples, collate, loss, evaluate,
                         save_best, config, plan, folder, f"{fingerprint}-{accelerator.num_processes}", follow)  # fmt: skip
    resume_state(training, state)
    with signals.noted():
        _run(training, state, total)
    accelerator.free_memory()
    return FitResult(state.step, state.best_step, state.best_score, stopped_early=state.step < total)


def _run(training: TrainingState, state: Progress, total: int) -> None:
    config, folder, main = training.config, training.folder, training.accelerator.is_main_process
    every = max(1, round(config.evaluate_every * len(training.plan.epoch(0))))
    saved_at, saving = time.monotonic(), 0.0

    def late() -> bool:
        pause = checkpoints.pause(config.checkpoint_minutes, saving)
        return main and time.monotonic() - saved_at > pause

    def asked() -> bool:
        return late() or signals.pending() is not None

    def finish_step(due: bool, any_asked: bool = False) -> None:
        """Evaluate and save when `due`, save when the last checkpoint is old, and end after a signal.

        `any_asked`: whether any process wanted the latter two during the step; the same in each process.
        """
        nonlocal saved_at, saving
        signal = _evaluate(training, state) if due else None
        if not (due or any_asked or distributed.count() == 1):
            return  # asking the others after every step would cost time
        found = distributed.gather([(late(), signal or signals.pending())])
        signal = next((number for _, number in found if number), None)
        if due or found[0][0] or signal:
            before, began = saving, time.monotonic()
            save_state(training, state)
            saved_at = time.monotonic()
            saving = saved_at - began
            checkpoints.tell_of_pause(config.checkpoint_minutes, before, saving)
        if signal:
            raise Interrupted(signal, f"after step {state.step} of {total}; checkpoint saved", together=True)

    def evaluation_due(step: int) -> bool:
        return step == total or (step % every == 0 and total - step >= every / 2)

    with (
        progress(total=total, initial=state.step, description="train", unit="step") as bar,
        contextlib.closing(batches_of_steps(training, state.step)) as feed,
        contextlib.closing(PaceFile(folder, total, state.step, write=main)) as pace,
    ):
        if state.evaluated < state.step and evaluation_due(state.step):
            finish_step(due=True)  # a signal ended this evaluation
        for position, batches in enumerate(training.plan.steps(after=state.step), state.step + 1):
            if state.bad_evaluations >= config.patience:
                break
            with advise_when_out_of_memory(
                f"train again with restart=1, a lower --tokens-per-batch (now {config.tokens_per_batch}) and --accumulation "
                "raised by the same factor, which keeps the mean number of rows per step. If another program used the "
                "memory, run the same command: it resumes from the last checkpoint, or starts again if there is none yet."
            ):
                began = time.monotonic()
                value, norm, any_asked = take_step(training, batches, feed, asked)
                pace.note(position, training.plan.tokens(batches), time.monotonic() - began)
            state.step = position
            state.loss_sum += value
            state.loss_steps += 1
            bar.update(1)
            best = f"{state.best_score:.2f}" if math.isfinite(state.best_score) else "–"
            bar.set_postfix_str(f"loss {value:.3f} best {best}", refresh=False)
            if position % 20 == 0 and main:
                rate = training.schedule.get_last_lr()[0]
                append_line(folder / "metrics.jsonl",
                            {"step": position, "loss": value, "gradient_norm": norm, "learning_rate": rate})  # fmt: skip
                training.follow()
            finish_step(evaluation_due(position), any_asked)


def _evaluate(training: TrainingState, state: Progress) -> int | None:
    """Evaluate, and save the model if it is the best so far. Return the signal that ended the evaluation early, or None."""
    if signal := distributed.agreed_signal():
        return signal
    model = training.accelerator.unwrap_model(training.model).eval()
    autocast = torch.cuda.is_available() or model.dtype == torch.bfloat16
    with training.average.in_place():
        try:
            with (
                training.accelerator.autocast() if autocast else contextlib.nullcontext(),
                sharding.usable(model),
                advise_when_out_of_memory(
                    "run the same command with a lower --tokens-at-once: it resumes from the last checkpoint."
                ),
            ):
                scores = dict(training.evaluate(model))
        except Interrupted as stop:
            return stop.number
        better = scores["score"] > state.best_score
        if better:
            state.best = save_best(training)
    loss = state.loss_sum / state.loss_steps
    state.loss_sum, state.loss_steps, state.evaluated = 0.0, 0, state.step
    if better:
        state.best_score, state.best_step, state.bad_evaluations = scores["score"], state.step, 0
    else:
        state.bad_evaluations += 1
    if training.accelerator.is_main_process:
        append_line(training.folder / "metrics.jsonl", {"step": state.step, "train_loss": loss, **scores})
        training.follow()
        shown_scores = "  ".join(f"{name} {value:.2f}" for name, value in scores.items())
        log.info("step %d  train loss %.3f  %s", state.step, loss, shown_scores)
    distributed.wait()
    return None
