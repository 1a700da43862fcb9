"""fit(): one accelerate loop for encoder-decoder and causal models."""

import contextlib
import json
import logging
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from datasets import Dataset
from torch.nn import functional
from transformers import PreTrainedModel, get_scheduler

from common import checkpoints
from common.errors import UserError
from common.files import append_line, read_json, read_lines, shown, write_json, write_text
from common.progress import progress
from common.tokenization import IGNORE, token_budget_batches

log = logging.getLogger(__name__)
Batch = dict[str, torch.Tensor]
Collate = Callable[[Sequence[dict[str, Any]]], Batch]
Evaluate = Callable[[PreTrainedModel], Mapping[str, float]]
SaveModel = Callable[[PreTrainedModel, Path], None]


@dataclass(frozen=True)
class TrainingConfig:
    """Optimisation of one model."""

    epochs: int = 10
    """Passes over the training examples, unless early stopping ends sooner."""
    tokens_per_batch: int = 4096
    """Rows times longest row of one forward pass on one device, source and target together."""
    accumulation: int = 1
    """Batches whose gradients make one optimizer step; the loss is normalised over all their tokens."""
    learning_rate: float = 1e-3
    """Peak learning rate of AdamW."""
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "cosine"
    """Decay after warm-up, to zero at the last step."""
    warmup: float = 0.05
    """Share of all steps over which the learning rate rises from zero."""
    weight_decay: float = 0.01
    """AdamW's decoupled decay of matrices; biases and norms are exempt."""
    betas: tuple[float, ...] = (0.9, 0.98)
    """AdamW's moment decay rates."""
    max_gradient_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    label_smoothing: float = 0.1
    """Probability mass spread over the whole vocabulary, 0 to 1."""
    precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    """Mixed precision; auto takes bf16 or fp16 on a GPU that has it, none on a CPU (no faster there)."""
    evaluate_every: float = 1.0
    """Epochs between two evaluations by generation."""
    patience: int = 5
    """Evaluations without a better score before training stops."""
    checkpoint_minutes: float = 5.0
    """A checkpoint is written at every evaluation, and after this many minutes without one."""
    keep_checkpoints: int = 2
    """Checkpoints kept on disk for resuming."""


@dataclass
class Progress:
    """Where training stands; part of every checkpoint."""

    step: int = 0
    evaluations: int = 0
    best_score: float = -math.inf
    best_step: int = 0
    bad_evaluations: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


@dataclass(frozen=True)
class FitResult:
    """How training ended."""

    steps: int
    best_step: int
    best_score: float
    stopped_early: bool


def cross_entropy(model: torch.nn.Module, batch: Batch, smoothing: float) -> torch.Tensor:
    """Sum over the target tokens of the label-smoothed cross-entropy, in nats.

    Source: Szegedy et al. 2016, section 7 (smoothing mass uniform over the vocabulary).
    """
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    labels = batch["labels"]
    if "logits_to_keep" not in inputs:  # encoder-decoder: the decoder reads the labels shifted by one
        inputs["labels"] = labels
    logits = model(**inputs, use_cache=False).logits
    return functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]).float(),
        labels.reshape(-1),
        ignore_index=IGNORE,
        reduction="sum",
        label_smoothing=smoothing,
    )


Loss = Callable[[torch.nn.Module, Batch, float], torch.Tensor]


def _precision(choice: str) -> str:
    if choice != "auto":
        return choice
    if not torch.cuda.is_available():
        return "no"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"


def _optimizer(model: PreTrainedModel, config: TrainingConfig) -> torch.optim.AdamW:
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    betas = (config.betas[0], config.betas[1])
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas, fused=True)


@dataclass(frozen=True)
class _Plan:
    """Which rows every optimizer step takes; the same after a resume."""

    source_lengths: tuple[int, ...]
    target_lengths: tuple[int, ...]
    config: TrainingConfig
    seed: int

    def epoch(self, number: int) -> list[list[list[int]]]:
        """The optimizer steps of an epoch, each a list of batches of row indices."""
        rng = random.Random(f"{self.seed}-{number}")
        lengths = [s + t for s, t in zip(self.source_lengths, self.target_lengths, strict=True)]
        batches = token_budget_batches(lengths, self.config.tokens_per_batch, rng)
        size = self.config.accumulation
        return [batches[i : i + size] for i in range(0, len(batches), size)]

    def target_tokens(self, batches: list[list[int]]) -> int:
        """How many tokens the loss of a step is summed over."""
        return sum(self.target_lengths[index] for batch in batches for index in batch)


@dataclass(frozen=True)
class _Training:
    """What stays the same through one call of `fit`."""

    accelerator: Accelerator
    model: PreTrainedModel
    optimizer: Any
    schedule: Any
    examples: Dataset
    collate: Collate
    loss: Loss
    evaluate: Evaluate
    save_best: SaveModel
    config: TrainingConfig
    plan: _Plan
    folder: Path
    fingerprint: str


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
) -> FitResult:
    """Train the model; the best one by `evaluate` is in `folder/best` when this returns.

    `examples` has the columns `source` and `target` (token ids); `evaluate` gives scores whose entry `score`
    decides. Checkpoints in `folder/checkpoints` carry weights, optimizer, schedule and random states: the same
    call after a crash goes on from the newest intact one, and on a CPU ends with the same weights to the bit.
    `fingerprint` names everything that must not change in between (settings, data).
    Raises UserError when a checkpoint has another fingerprint, the loss is not finite, the memory does not
    suffice, or several processes run this.
    """
    set_seed(seed)  # for dropout; initial weights and the order of batches have random states of their own
    accelerator = Accelerator(mixed_precision=_precision(config.precision), cpu=not torch.cuda.is_available())
    if accelerator.num_processes != 1:
        raise UserError(
            f"started as {accelerator.num_processes} processes; training runs in one: use plain make train."
        )
    source_lengths, target_lengths = (tuple(map(len, examples[name])) for name in ("source", "target"))
    plan = _Plan(source_lengths, target_lengths, config, seed)
    total = sum(len(plan.epoch(number)) for number in range(config.epochs))
    optimizer = _optimizer(model, config)
    schedule = get_scheduler(config.schedule, optimizer, math.ceil(config.warmup * total), total)
    state = Progress()
    model, optimizer = accelerator.prepare(model, optimizer)
    # accelerate wraps forward in autocast for good; decoding single tokens in bf16 is far slower on a CPU, so the
    # wrapper goes and each step asks for autocast itself.
    accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    accelerator.register_for_checkpointing(state, schedule)
    training = _Training(accelerator, model, optimizer, schedule, examples, collate, loss, evaluate, save_best,
                         config, plan, folder, fingerprint)  # fmt: skip
    _resume(training, state)
    _run(training, state, total)
    accelerator.free_memory()
    return FitResult(state.step, state.best_step, state.best_score, stopped_early=state.step < total)


def _run(training: _Training, state: Progress, total: int) -> None:
    config, folder = training.config, training.folder
    every = max(1, round(config.evaluate_every * len(training.plan.epoch(0))))
    saved_at = time.monotonic()
    bar = progress(total=total, initial=state.step, description="train", unit="step")
    steps = (batches for number in range(config.epochs) for batches in training.plan.epoch(number))
    for position, batches in enumerate(steps, 1):
        if position <= state.step:
            continue
        if state.bad_evaluations >= config.patience:
            break
        value, norm = _step(training, batches)
        state.step = position
        state.loss_sum += value
        state.loss_steps += 1
        bar.update(1)
        bar.set_postfix_str(f"loss {value:.3f} best {state.best_score:.2f}", refresh=False)
        if position % 20 == 0:
            rate = training.schedule.get_last_lr()[0]
            append_line(folder / "metrics.jsonl",
                        {"step": position, "loss": value, "gradient_norm": norm, "learning_rate": rate})  # fmt: skip
        due = position == total or (position % every == 0 and total - position >= every / 2)
        if due:
            _evaluate(training, state)
        if due or time.monotonic() - saved_at > 60 * config.checkpoint_minutes:
            _save(training, state)
            saved_at = time.monotonic()
    bar.close()


def _step(training: _Training, batches: list[list[int]]) -> tuple[float, float]:
    """One optimizer step over the batches; its loss a target token (nats) and the gradient norm."""
    accelerator, config = training.accelerator, training.config
    tokens = training.plan.target_tokens(batches)
    total = torch.zeros((), device=accelerator.device)
    training.model.train()
    training.optimizer.zero_grad(set_to_none=True)
    try:
        for indices in batches:
            batch = training.collate(_rows(training.examples, indices))
            batch = {name: value.to(accelerator.device, non_blocking=True) for name, value in batch.items()}
            with accelerator.autocast():
                part = training.loss(training.model, batch, config.label_smoothing)
            # By the tokens of the whole step, so that splitting it into batches leaves the gradient alone.
            accelerator.backward(part / tokens)
            total += part.detach()
    except torch.cuda.OutOfMemoryError as error:
        raise UserError(
            f"the GPU ran out of memory; lower --tokens-per-batch (now {config.tokens_per_batch}) and raise "
            "--accumulation by the same factor: the result stays the same. The last checkpoint is intact."
        ) from error
    value = float(total) / tokens
    if not math.isfinite(value):
        kept = training.folder / "bad_batch.pt"
        torch.save([training.collate(_rows(training.examples, indices)) for indices in batches], kept)
        raise UserError(
            f"the loss became {value}; the batches of that step are kept in {shown(kept)}. "
            f"Lower --learning-rate (now {config.learning_rate}) or use --precision no."
        )
    norm = accelerator.clip_grad_norm_(training.model.parameters(), config.max_gradient_norm)
    training.optimizer.step()
    training.schedule.step()
    return value, float(norm)


def _rows(examples: Dataset, indices: list[int]) -> list[dict[str, Any]]:
    columns = examples[indices]
    return [{"source": s, "target": t} for s, t in zip(columns["source"], columns["target"], strict=True)]


def _evaluate(training: _Training, state: Progress) -> None:
    model = training.accelerator.unwrap_model(training.model).eval()
    with training.accelerator.autocast() if torch.cuda.is_available() else contextlib.nullcontext():
        scores = dict(training.evaluate(model))
    loss = state.loss_sum / state.loss_steps
    state.loss_sum, state.loss_steps = 0.0, 0
    append_line(training.folder / "metrics.jsonl", {"step": state.step, "train_loss": loss, **scores})
    log.info(
        "step %d  train loss %.3f  %s", state.step, loss, "  ".join(f"{k} {v:.2f}" for k, v in scores.items())
    )
    if scores["score"] > state.best_score:
        state.best_score, state.best_step, state.bad_evaluations = scores["score"], state.step, 0
        checkpoints.save(training.folder / "best", lambda staging: training.save_best(model, staging))
    else:
        state.bad_evaluations += 1


def _save(training: _Training, state: Progress) -> None:
    def write(staging: Path) -> None:
        training.accelerator.save_state(str(staging))
        write_json(staging / "run.json", {"fingerprint": training.fingerprint, "step": state.step})

    parent = training.folder / "checkpoints"
    newest = checkpoints.step_folder(parent, state.step)
    checkpoints.save(newest, write)
    checkpoints.prune(parent, newest, training.config.keep_checkpoints)


def _resume(training: _Training, state: Progress) -> None:
    """Load the newest intact checkpoint, if there is one, and cut the metrics back to its step."""
    newest = checkpoints.newest_intact(training.folder / "checkpoints")
    if newest is not None:
        if read_json(newest / "run.json")["fingerprint"] != training.fingerprint:
            raise UserError(
                f"{shown(newest)} was made with other settings or data. "
                "Run again with restart=1 to begin anew (the old run is moved aside)."
            )
        training.accelerator.load_state(str(newest))
        log.info("resuming at step %d", state.step)
    metrics = training.folder / "metrics.jsonl"
    lines = [json.dumps(line) for line in read_lines(metrics) if line["step"] <= state.step]
    write_text(metrics, "".join(f"{line}\n" for line in lines))
