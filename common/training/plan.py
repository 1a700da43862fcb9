"""How a model is optimised, and which rows every optimizer step takes."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Literal

from common.errors import UserError
from common.tokenization import token_budget_batches


@dataclass(frozen=True)
class TrainingConfig:
    """Optimisation of one model."""

    epochs: float = 10
    """Passes over the training examples, unless early stopping ends sooner; 0.5 is half a pass."""
    tokens_per_batch: int = 4096
    """Rows times longest row of one forward pass on one device, source and target together."""
    accumulation: int = 1
    """Batches of each process whose gradients make one optimizer step; the loss is normalised over all their tokens."""
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
    """Mixed precision; auto: bf16 or fp16 on a GPU that has it, on a CPU bf16 for weights that are held in it."""
    ema: float = 0.0
    """Decay of an exponential moving average of the weights, which is then what is evaluated and saved; 0: off."""
    sharding: Literal["none", "fsdp"] = "none"
    """fsdp: weights, gradients and optimizer state are spread over the processes, for models too large for one GPU."""
    evaluate_every: float = 1.0
    """Epochs between two evaluations by generation."""
    patience: int = 5
    """Evaluations without a better score before training stops."""
    checkpoint_minutes: float = 5.0
    """A checkpoint is written at every evaluation, and after this many minutes without one."""
    keep_checkpoints: int = 2
    """Checkpoints kept on disk for resuming."""


@dataclass(frozen=True)
class Plan:
    """Which rows every optimizer step takes; the same after a resume."""

    source_lengths: tuple[int, ...]
    target_lengths: tuple[int, ...]
    config: TrainingConfig
    seed: int
    processes: int = 1

    def epoch(self, number: int) -> list[list[list[int]]]:
        """The optimizer steps of an epoch, each a list of batches of row indices, of all processes together."""
        rng = random.Random(f"{self.seed}-{number}")
        lengths = [s + t for s, t in zip(self.source_lengths, self.target_lengths, strict=True)]
        batches = token_budget_batches(lengths, self.config.tokens_per_batch, rng)
        size = self.config.accumulation * self.processes
        return [batches[i : i + size] for i in range(0, len(batches), size)]

    def total(self) -> int:
        """Optimizer steps of the whole training; at least one. Raises UserError when epochs are not above 0."""
        epochs = self.config.epochs
        if epochs <= 0:
            raise UserError(f"--epochs {epochs}: wanted more than 0; 0.5 is half a pass over the rows.")
        whole = sum(len(self.epoch(number)) for number in range(int(epochs)))
        part = round(epochs % 1 * len(self.epoch(int(epochs))))
        return max(1, whole + part)

    def steps(self) -> Iterator[list[list[int]]]:
        """All optimizer steps, epoch after epoch."""
        return islice((step for number in count() for step in self.epoch(number)), self.total())

    def target_tokens(self, batches: list[list[int]]) -> int:
        """How many target tokens a step has: what its loss is divided by, whatever else the sum holds."""
        return sum(self.target_lengths[index] for batch in batches for index in batch)
