"""Token by token through a causal model: greedily or sampled, each text leaving the batch when it has ended.

transformers' `generate` carries every row to the end of the longest and reads all that is remembered of it at each step;
of 64 samples most have ended when the last one does.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from common.models.averaging import Caches, empty_cache
from common.models.cache import repeat_with_room
from common.models.logits import narrowed

Warp = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(places in the vocabulary chosen so far [rows, steps], logits [rows, vocabulary]) → logits to choose from."""
ALIVE = 0.75
"""Share of the rows still going below which the others are dropped: dropping copies what is remembered of the rest."""


@dataclass(frozen=True)
class Generated:
    """What a row generated, its end token included, and the sum of its log-probabilities as the model gave them."""

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
    words: Sequence[int] = (),
) -> list[Generated]:
    """`copies` texts of each left-padded source [sources, length], a source's copies one after the other.

    A source is read once for all its copies. `choose`: logits [rows, vocabulary] → a place in the vocabulary for each.
    `greedy_first`: a source's first copy is decoded greedily instead.
    `words`: the tokens that may be written, besides `ends`; none given, all. They are then the whole vocabulary, of the
    log-probabilities too.
    """
    vocabulary = torch.as_tensor(sorted({*words, *ends}), device=input_ids.device) if words else None
    stops = torch.as_tensor(sorted(ends), device=input_ids.device)
    if vocabulary is not None:
        stops = torch.searchsorted(vocabulary, stops)
    with _output_of(model, vocabulary) as output:
        memory = empty_cache(model)
        places = (attention_mask.cumsum(1) - 1).clamp(min=0)
        logits = output(input_ids, attention_mask, places, memory).repeat_interleave(copies, 0)
        for cache in memory.each if isinstance(memory, Caches) else [memory]:
            repeat_with_room(cache, copies)
        mask = attention_mask.repeat_interleave(copies, 0)
        place = places[:, -1:].repeat_interleave(copies, 0)
        rows = torch.arange(len(logits), device=logits.device)  # which text a row of the batch is
        running = torch.ones_like(rows, dtype=torch.bool)
        tokens, lengths = rows.new_zeros(len(rows), longest), torch.zeros_like(rows)
        logprobs = torch.zeros(len(rows), dtype=torch.float64, device=logits.device)
        for step in range(longest):
            # On a CPU several times faster than logsumexp.
            spread = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
            open_to = warp(tokens[rows, :step], spread) if warp else spread
            chosen = choose(open_to)
            if greedy_first:
                chosen = torch.where(rows % copies == 0, greedy(open_to), chosen)
            gained = spread.gather(1, chosen.unsqueeze(1)).squeeze(1)
            tokens[rows[running], step] = chosen[running]
            lengths[rows[running]] += 1
            logprobs[rows[running]] += gained[running]
            running &= ~torch.isin(chosen, stops)
            left = int(running.sum())
            if not left or step + 1 == longest:
                break
            if left < ALIVE * len(rows):
                kept = running.nonzero().squeeze(1)
                memory.batch_select_indices(kept)
                rows, running, mask, place, chosen = (x[kept] for x in (rows, running, mask, place, chosen))
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            place = place + 1
            word = chosen if vocabulary is None else vocabulary[chosen]
            logits = output(word.unsqueeze(1), mask, place, memory)
    tokens = tokens if vocabulary is None else vocabulary[tokens]
    return [
        Generated(row[:length], logprob)
        for row, length, logprob in zip(tokens.tolist(), lengths.tolist(), logprobs.tolist(), strict=True)
    ]


Output = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Any], torch.Tensor]
"""(tokens [rows, n], mask, positions, memory) → logits of what follows the last of them [rows, vocabulary]."""


@contextmanager
def _output_of(model: PreTrainedModel, vocabulary: torch.Tensor | None) -> Iterator[Output]:
    """The model as a function, whose output layer has the vocabulary's rows alone meanwhile."""
    inner = model.get_base_model() if isinstance(model, PeftModel) else model
    accepted = signature(
        inner.forward
    ).parameters  # not every architecture counts positions, or leaves logits out

    with narrowed(model, vocabulary) as only:

        def output(ids: torch.Tensor, mask: torch.Tensor, places: torch.Tensor, memory: Any) -> torch.Tensor:
            more = {"position_ids": places, "logits_to_keep": 1}
            more = {name: value for name, value in more.items() if name in accepted}
            found = model(input_ids=ids, attention_mask=mask, past_key_values=memory, use_cache=True, **more)
            logits: torch.Tensor = only(found.logits[:, -1])
            return logits

        yield output


def greedy(logits: torch.Tensor) -> torch.Tensor:
    """The likeliest token of each row."""
    return logits.argmax(-1)


def sampler(temperature: float, top_p: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """What draws a token of each row from its tempered nucleus (Holtzman et al. 2020)."""

    def choose(logits: torch.Tensor) -> torch.Tensor:
        logits = logits / temperature
        if top_p >= 1:
            return draw(logits.softmax(-1))
        ordered, places = logits.sort(-1, descending=True)
        probabilities = ordered.softmax(-1)
        before = probabilities.cumsum(-1) - probabilities
        return places.gather(1, draw(probabilities.masked_fill(before >= top_p, 0.0)).unsqueeze(1)).squeeze(1)

    return choose


def draw(weights: torch.Tensor) -> torch.Tensor:
    """One index of each row [rows, n], as likely as its weight, by inverting the distribution in two steps.

    `torch.multinomial` makes a random number for each of the n weights: of 262,144 words that took as long as the model.
    """
    size = int(weights.shape[-1] ** 0.5) + 1
    padded = nn.functional.pad(weights, (0, -weights.shape[-1] % size))
    blocks = padded.unflatten(-1, (-1, size))
    block = _invert(blocks.sum(-1))
    inside = _invert(blocks[torch.arange(len(blocks), device=block.device), block])
    return block * size + inside


def _invert(weights: torch.Tensor) -> torch.Tensor:
    """An index of each row as likely as its weight, never one of weight 0."""
    sums = weights.double().cumsum(-1)
    # In (0, 1]: the first index whose sum reaches it has a weight.
    threshold = (1 - torch.rand(len(sums), 1, dtype=torch.float64, device=sums.device)) * sums[:, -1:]
    return torch.searchsorted(sums, threshold).squeeze(1)
