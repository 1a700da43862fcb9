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
from transformers import DynamicCache, PreTrainedModel

from common.generation import fixed_steps
from common.generation.fixed_steps import FixedSteps, Step
from common.generation.kv_cache import repeat_with_room, select_rows, without_adapters
from common.generation.sampling import Choose, greedy, penalized
from common.models.logits import limited_vocabulary

Warp = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(vocabulary indices chosen so far [rows, steps], logits [rows, vocabulary]) → logits to choose from."""
COMPACT_BELOW = 0.75
"""Share of unfinished rows below which finished ones are dropped. Dropping copies the KV cache of the other rows."""
CHECK_EVERY = {"cpu": 1, "cuda": 4}
"""Type of device → number of steps after which the loop looks for finished rows. A GPU must wait for the result."""


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
    choose: Choose,
    greedy_first: bool = False,
    penalty: float = 1.0,
    warp: Warp | None = None,
    allowed_tokens: Sequence[int] = (),
    fixed_step: Step | None = None,
) -> list[Generated]:
    """Return `copies` texts of each left-padded source [sources, length], all copies of a source in a row.

    The model reads a source only once for all its copies.
    `greedy_first`: decode the first copy of each source greedily instead of with `choose`.
    `penalty`: divide the positive logits of tokens of the source and the text by this, and multiply negative ones by it.
    `allowed_tokens`: the allowed token ids, to which `ends` are added; empty allows all. The vocabulary then consists only of
    these, also for the log-probabilities; with a penalty, they must include the tokens of the sources.
    `fixed_step`: the model's step from `fixed_steps`, which does not take `allowed_tokens`; None: the model itself.
    """
    vocabulary = (
        torch.as_tensor(sorted({*allowed_tokens, *ends}), device=input_ids.device) if allowed_tokens else None
    )
    stops = torch.as_tensor(sorted(ends), device=input_ids.device)
    prompt = torch.where(attention_mask > 0, input_ids, input_ids[:, -1:])
    if vocabulary is not None:
        stops, prompt = torch.searchsorted(vocabulary, stops), torch.searchsorted(vocabulary, prompt)
    every = CHECK_EVERY.get(input_ids.device.type, 1)
    with _output_of(model, vocabulary) as output:
        kv_cache = DynamicCache(config=model.config)
        positions = (attention_mask.cumsum(1) - 1).clamp(min=0)
        logits = output(input_ids, attention_mask, positions, kv_cache).repeat_interleave(copies, 0)
        fixed = None
        if fixed_step:
            fixed = FixedSteps(fixed_step, kv_cache, attention_mask, copies, longest, logits.dtype)
        else:
            repeat_with_room(kv_cache, copies)
        mask = attention_mask.repeat_interleave(copies, 0)
        position = positions[:, -1:].repeat_interleave(copies, 0)
        rows = torch.arange(len(logits), device=logits.device)  # index of the text in each row of the batch
        running = torch.ones_like(rows, dtype=torch.bool)
        tokens, lengths = rows.new_zeros(len(rows), longest), torch.zeros_like(rows)
        logprobs = torch.zeros(len(rows), dtype=torch.float64, device=logits.device)
        for step in range(longest):
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            # On a CPU, log_softmax is several times as fast as logsumexp.
            scores = logits.log_softmax(-1)
            warped = scores
            if penalty != 1.0:  # depends on the sign of the logits
                seen = torch.cat([prompt[rows // copies], tokens[rows, :step]], 1)
                warped = penalized(logits, seen, penalty)
            if warp:
                warped = warp(tokens[rows, :step], warped)
            chosen = choose(warped, rows, step)
            if greedy_first:
                chosen = torch.where(rows % copies == 0, greedy(warped), chosen)
            logprob_of_chosen = scores.gather(1, chosen.unsqueeze(1)).squeeze(1)
            # Finished rows also get a token, behind their end: on a GPU, indexing with `running` would wait for it.
            tokens[rows, step] = chosen
            lengths[rows] += running
            logprobs[rows] += logprob_of_chosen.double().masked_fill(~running, 0.0)
            running = running & ~torch.isin(chosen, stops)
            if step + 1 == longest:
                break
            if (step + 1) % every == 0:
                left = int(running.sum())
                if not left:
                    break
                if left < (fixed_steps.COMPACT_BELOW if fixed else COMPACT_BELOW) * len(rows):
                    kept = running.nonzero().squeeze(1)
                    if fixed:
                        fixed.select(kept)
                    else:
                        select_rows(kv_cache, kept)
                    rows, running, mask, position, chosen = (
                        x[kept] for x in (rows, running, mask, position, chosen)
                    )
            position = position + 1
            token = (chosen if vocabulary is None else vocabulary[chosen]).unsqueeze(1)
            if fixed:
                logits = fixed.logits(token, position)
                continue
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            logits = output(token, mask, position, kv_cache)
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
    inner = without_adapters(model)
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
