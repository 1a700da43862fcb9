"""Generate with a causal model token by token, greedily or by sampling, and drop texts from the batch when they end.

transformers' `generate` computes every row, with its whole KV cache, until the longest one ends; of 64 samples, most
end long before the last.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from peft import PeftModel
from torch import nn
from transformers import DynamicCache, PreTrainedModel

from common.generation.kv_cache import repeat_with_room
from common.models.logits import limited_vocabulary

Warp = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(vocabulary indices chosen so far [rows, steps], logits [rows, vocabulary]) → logits to choose from."""
COMPACT_BELOW = 0.75
"""Share of unfinished rows below which finished ones are dropped. Dropping copies the KV cache of the other rows."""


@dataclass(frozen=True)
class Generated:
    """The tokens of a row, end token included, and the sum of their log-probabilities before warping and temperature."""

    tokens: list[int]
    logprob: float


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    *,
    copies: int,
    longest: int,
    ends: Sequence[int],
    choose: Callable[[torch.Tensor], torch.Tensor],
    greedy_first: bool = False,
    warp: Warp | None = None,
    allowed_tokens: Sequence[int] = (),
) -> list[Generated]:
    """Return `copies` texts of each left-padded source [sources, length], all copies of a source in a row.

    The model reads a source only once for all its copies.
    `choose`: logits [rows, vocabulary] → one vocabulary index per row.
    `greedy_first`: decode the first copy of each source greedily instead.
    `allowed_tokens`: the allowed token ids, to which `ends` are added; empty allows all. The vocabulary then consists only of
    these, also for the log-probabilities.
    """
    vocabulary = (
        torch.as_tensor(sorted({*allowed_tokens, *ends}), device=input_ids.device) if allowed_tokens else None
    )
    stops = torch.as_tensor(sorted(ends), device=input_ids.device)
    if vocabulary is not None:
        stops = torch.searchsorted(vocabulary, stops)
    with _output_of(model, vocabulary) as output:
        kv_cache = DynamicCache(config=model.config)
        positions = (attention_mask.cumsum(1) - 1).clamp(min=0)
        logits = output(input_ids, attention_mask, positions, kv_cache).repeat_interleave(copies, 0)
        repeat_with_room(kv_cache, copies)
        mask = attention_mask.repeat_interleave(copies, 0)
        position = positions[:, -1:].repeat_interleave(copies, 0)
        rows = torch.arange(len(logits), device=logits.device)  # index of the text in each row of the batch
        running = torch.ones_like(rows, dtype=torch.bool)
        tokens, lengths = rows.new_zeros(len(rows), longest), torch.zeros_like(rows)
        logprobs = torch.zeros(len(rows), dtype=torch.float64, device=logits.device)
        for step in range(longest):
            # On a CPU, log_softmax is several times as fast as logsumexp.
            scores = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
            warped = warp(tokens[rows, :step], scores) if warp else scores
            chosen = choose(warped)
            if greedy_first:
                chosen = torch.where(rows % copies == 0, greedy(warped), chosen)
            logprob_of_chosen = scores.gather(1, chosen.unsqueeze(1)).squeeze(1)
            tokens[rows[running], step] = chosen[running]
            lengths[rows[running]] += 1
            logprobs[rows[running]] += logprob_of_chosen[running]
            running &= ~torch.isin(chosen, stops)
            left = int(running.sum())
            if not left or step + 1 == longest:
                break
            if left < COMPACT_BELOW * len(rows):
                kept = running.nonzero().squeeze(1)
                kv_cache.batch_select_indices(kept)
                rows, running, mask, position, chosen = (
                    x[kept] for x in (rows, running, mask, position, chosen)
                )
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            position = position + 1
            token = chosen if vocabulary is None else vocabulary[chosen]
            logits = output(token.unsqueeze(1), mask, position, kv_cache)
    tokens = tokens if vocabulary is None else vocabulary[tokens]
    return [
        Generated(row[:length], logprob)
        for row, length, logprob in zip(tokens.tolist(), lengths.tolist(), logprobs.tolist(), strict=True)
    ]


Output = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Any], torch.Tensor]
"""(token ids [rows, n], mask, positions, KV cache) → logits of the next token [rows, vocabulary]."""


@contextmanager
def _output_of(model: PreTrainedModel, vocabulary: torch.Tensor | None) -> Iterator[Output]:
    """Yield the model as a function whose output layer is limited to the vocabulary (None: not limited)."""
    inner = model.get_base_model() if isinstance(model, PeftModel) else model
    # Not every architecture takes position ids or can compute the last logits only.
    accepted = signature(inner.forward).parameters

    with limited_vocabulary(model, vocabulary) as select:

        def output(
            ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, kv_cache: Any
        ) -> torch.Tensor:
            options = {"position_ids": positions, "logits_to_keep": 1}
            options = {name: value for name, value in options.items() if name in accepted}
            result = model(
                input_ids=ids, attention_mask=mask, past_key_values=kv_cache, use_cache=True, **options
            )
            logits: torch.Tensor = select(result.logits[:, -1])
            return logits

        yield output


def greedy(logits: torch.Tensor) -> torch.Tensor:
    """Return the index of the most likely token of each row."""
    return logits.argmax(-1)


def sampler(temperature: float, top_p: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function that samples one index per row: temperature, then nucleus sampling (Holtzman et al. 2020)."""

    def choose(logits: torch.Tensor) -> torch.Tensor:
        logits = logits / temperature
        if top_p >= 1:
            return sample_indices(logits.softmax(-1))
        ordered, indices = logits.sort(-1, descending=True)
        probabilities = ordered.softmax(-1)
        before = probabilities.cumsum(-1) - probabilities
        return indices.gather(
            1, sample_indices(probabilities.masked_fill(before >= top_p, 0.0)).unsqueeze(1)
        ).squeeze(1)

    return choose


def sample_indices(weights: torch.Tensor) -> torch.Tensor:
    """Sample one index per row of `weights` [rows, n], in proportion to the weights.

    It inverts the cumulative distribution in two steps. `torch.multinomial` generates n random numbers per row, which
    for a vocabulary of 262,144 tokens took as long as the model.
    """
    size = int(weights.shape[-1] ** 0.5) + 1
    padded = nn.functional.pad(weights, (0, -weights.shape[-1] % size))
    blocks = padded.unflatten(-1, (-1, size))
    block = _invert(blocks.sum(-1))
    inside = _invert(blocks[torch.arange(len(blocks), device=block.device), block])
    return block * size + inside


def _invert(weights: torch.Tensor) -> torch.Tensor:
    """Sample one index per row in proportion to the weights, never one of weight 0."""
    sums = weights.double().cumsum(-1)
    # The random factor is in (0, 1]: the first index whose sum reaches the threshold then has a weight above 0.
    threshold = (1 - torch.rand(len(sums), 1, dtype=torch.float64, device=sums.device)) * sums[:, -1:]
    return torch.searchsorted(sums, threshold).squeeze(1)
