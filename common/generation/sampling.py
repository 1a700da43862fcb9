"""Choose the next token of each row: the most likely one, or one sampled from the nucleus with the source's own random numbers."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from common.core.files import sha256_texts

TOP = 1024
"""Number of most likely tokens among which the nucleus is searched first. Sorting a vocabulary of 152,064 tokens for 512
rows takes a GPU as long as the model does."""
_STEPS = 64
"""Number of steps for which random numbers are generated at once."""

Choose = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]
"""(logits [rows, vocabulary], index of each row's text in the batch, step) → one vocabulary index per row."""


def greedy(logits: torch.Tensor, *_: object) -> torch.Tensor:
    """Return the index of the most likely token of each row."""
    return logits.argmax(-1)


class Numbers:
    """Random numbers in [0, 1) for every text of a batch, two for each step.

    They depend only on the seed, the source, the copy and the step. The samples of a source are therefore the same in
    every batch, whatever its size. `greedy`: number of first copies that get no random numbers of their own, but 0.
    """

    def __init__(
        self,
        seed: int,
        sources: Sequence[Sequence[int]],
        copies: int,
        device: torch.device | str,
        greedy: int = 0,
    ) -> None:
        seeds = [int(sha256_texts([str(seed), *map(str, source)])[:15], 16) for source in sources]
        self._generators = [torch.Generator().manual_seed(one) for one in seeds]
        self._copies, self._greedy, self._device, self._blocks = copies - greedy, greedy, device, 0
        self._block = torch.empty(0)

    def at(self, step: int) -> torch.Tensor:
        """Return the numbers [texts, 2] of a step. Steps must be asked for in ascending order."""
        while self._blocks * _STEPS <= step:
            drawn = [
                torch.rand(self._copies, _STEPS, 2, dtype=torch.float64, generator=one)
                for one in self._generators
            ]
            before = (0, 0, 0, 0, self._greedy, 0)
            self._block = torch.cat([nn.functional.pad(one, before) for one in drawn]).to(self._device)
            self._blocks += 1
        return self._block[:, step % _STEPS]


def sampler(temperature: float, top_p: float, numbers: Numbers) -> Choose:
    """Return a function that samples one index per row: temperature, then nucleus sampling (Holtzman et al. 2020)."""

    def choose(logits: torch.Tensor, rows: torch.Tensor, step: int) -> torch.Tensor:
        uniform = numbers.at(step)[rows]
        probabilities = (logits / temperature).softmax(-1)
        if top_p >= 1:
            return sample_indices(probabilities, uniform)
        count = probabilities.shape[-1]
        top, indices = probabilities.topk(min(TOP, count), -1)
        chosen = _in_nucleus(top, indices, top_p, uniform)
        wider = top.sum(-1) < top_p
        if count > TOP and bool(wider.any()):
            rest = wider.nonzero().squeeze(1)
            ordered, indices = probabilities[rest].sort(-1, descending=True)
            chosen[rest] = _in_nucleus(ordered, indices, top_p, uniform[rest])
        return chosen

    return choose


def _in_nucleus(
    probabilities: torch.Tensor, indices: torch.Tensor, top_p: float, uniform: torch.Tensor
) -> torch.Tensor:
    """Return the index of a sampled token per row; `probabilities` are in descending order and belong to `indices`."""
    before = probabilities.cumsum(-1) - probabilities
    place = sample_indices(probabilities.masked_fill(before >= top_p, 0.0), uniform)
    return indices.gather(1, place.unsqueeze(1)).squeeze(1)


def sample_indices(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Sample one index per row of `weights` [rows, n], in proportion to the weights.

    `uniform`: two random numbers in [0, 1) per row. The cumulative distribution is inverted in two steps, first for blocks
    of weights. `torch.multinomial` generates n random numbers per row, which for a vocabulary of 262,144 tokens took as
    long as the model.
    """
    size = int(weights.shape[-1] ** 0.5) + 1
    padded = nn.functional.pad(weights, (0, -weights.shape[-1] % size))
    blocks = padded.unflatten(-1, (-1, size))
    block = _invert(blocks.sum(-1), uniform[:, :1])
    inside = _invert(blocks[torch.arange(len(blocks), device=block.device), block], uniform[:, 1:])
    return block * size + inside


def _invert(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Sample one index per row in proportion to the weights, never one of weight 0."""
    sums = weights.double().cumsum(-1)
    # The factor is in (0, 1]: the first index whose sum reaches the threshold then has a weight above 0.
    threshold = (1 - uniform) * sums[:, -1:]
    return torch.searchsorted(sums, threshold).squeeze(1)


def penalized(logits: torch.Tensor, tokens: torch.Tensor, penalty: float) -> torch.Tensor:
    """Return logits that make the tokens [rows, n] less likely for a penalty above 1 (Keskar et al. 2019)."""
    found = logits.gather(1, tokens)
    return logits.scatter(1, tokens, torch.where(found < 0, found * penalty, found / penalty))
