"""Define the settings of the optimisation, and plan which rows each optimizer step takes."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Len, Lt

from common.core.ranges import Share
from common.tokenization.batches import token_budget_batches


@dataclass(frozen=True)
class TrainingConfig:
    """Optimisation of one model."""

    epochs: Annotated[float, Gt(0), Le(1000)] = 10
    """Passes over the training examples, unless early stopping ends sooner; 0.5 is half a pass."""
    tokens_per_batch: Annotated[int, Ge(1), Le(2**24)] = 4096
    """Most tokens in one forward pass on one device: rows times the longest row, source and target together."""
    accumulation: Annotated[int, Ge(1), Le(4096)] = 1
    """Batches per process and optimizer step; the loss is normalised over all target tokens of the step."""
    learning_rate: Annotated[float, Gt(0), Le(1)] = 1e-3
    """Peak learning rate of AdamW."""
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "cosine"
    """Learning rate after warm-up; linear and cosine reach zero at the last step."""
    warmup: Share = 0.05
    """Share of all steps over which the learning rate rises from zero."""
    weight_decay: Share = 0.01
    """AdamW's decoupled weight decay of matrices; biases and norms have none."""
    betas: Annotated[tuple[Annotated[float, Ge(0), Lt(1)], ...], Len(2, 2)] = (0.9, 0.98)
    """AdamW's moment decay rates."""
    max_gradient_norm: Annotated[float, Gt(0), Le(1e9)] = 1.0
    """Largest gradient norm; larger gradients are scaled down to it."""
    label_smoothing: Share = 0.1
    """Probability mass spread over the whole vocabulary, 0 to 1."""
    precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    """Mixed precision; auto: bf16 on a GPU that supports it, else fp16; on a CPU bf16 only for bf16 weights."""
    ema: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Decay of an exponential moving average of the weights, which is evaluated and saved in their place; 0: off."""
    sharding: Literal["none", "fsdp"] = "none"
    """fsdp: shard weights, gradients and optimizer state over the processes, for models too large for one GPU."""
    evaluate_every: Annotated[float, Gt(0), Le(1000)] = 1.0
    """Epochs between two evaluations, which generate summaries."""
    patience: Annotated[int, Ge(1), Le(10_000)] = 5
    """Evaluations in a row without a better score before training stops."""
    checkpoint_minutes: Annotated[float, Ge(0), Le(100_000)] = 5.0
    """Most minutes between two checkpoints; every evaluation also writes one."""
    keep_checkpoints: Annotated[int, Ge(1), Le(1000)] = 2
    """Number of checkpoints kept on disk for resuming."""


@dataclass(frozen=True)
class Plan:
    """The rows of every optimizer step; a resumed run has the same plan."""

    source_lengths: tuple[int, ...]
    target_lengths: tuple[int, ...]
    config: TrainingConfig
    seed: int
    processes: int = 1

    def epoch(self, number: int) -> list[list[list[int]]]:
        """Return the optimizer steps of an epoch: each is a list of batches of row indices, for all processes together."""
        rng = random.Random(f"{self.seed}-{number}")
        lengths = [s + t for s, t in zip(self.source_lengths, self.target_lengths, strict=True)]
        batches = token_budget_batches(lengths, self.config.tokens_per_batch, rng)
        size = self.config.accumulation * self.processes
        return [batches[i : i + size] for i in range(0, len(batches), size)]

    def total(self) -> int:
        """Return the number of optimizer steps of the training, at least 1."""
        epochs = self.config.epochs
        full = sum(len(self.epoch(number)) for number in range(int(epochs)))
        part = round(epochs % 1 * len(self.epoch(int(epochs))))
        return max(1, full + part)

    def steps(self) -> Iterator[list[list[int]]]:
        """Yield all optimizer steps, epoch after epoch."""
        return islice((step for number in count() for step in self.epoch(number)), self.total())

    def target_tokens(self, batches: list[list[int]]) -> int:
        """Return the number of target tokens in the batches of a step; the loss is divided by it."""
        return sum(self.target_lengths[index] for batch in batches for index in batch)
