"""Define the settings of the optimisation, and plan which rows each optimizer step takes."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

from common.tokenization.batches import token_budget_batches
from common.training.config import TrainingConfig


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

    def steps(self, after: int = 0) -> Iterator[list[list[int]]]:
        """Yield the optimizer steps after the first `after` ones, epoch after epoch."""
        return islice((step for number in count() for step in self.epoch(number)), after, self.total())

    def share(self, batches: list[list[int]], rank: int) -> list[tuple[list[int], int]]:
        """Return the batches of an optimizer step that one process takes, each with the weight of its loss.

        Every process must take part in every gradient exchange, so that all have equally many: one without a batch at
        the end of an epoch repeats the first one with weight 0, and all other weights are 1.
        """
        mine = [(batch, 1) for batch in batches[rank :: self.processes]]
        rounds = math.ceil(len(batches) / self.processes)
        return mine if len(mine) == rounds else [*mine, (batches[0], 0)]

    def target_tokens(self, batches: list[list[int]]) -> int:
        """Return the number of target tokens in the batches of a step; the loss is divided by it."""
        return sum(self.target_lengths[index] for batch in batches for index in batch)

    def tokens(self, batches: list[list[int]]) -> int:
        """Return the number of source and target tokens in the batches of a step."""
        return self.target_tokens(batches) + sum(self.source_lengths[i] for batch in batches for i in batch)
