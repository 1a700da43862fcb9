"""Generate token by token, greedily or by sampling, and drop texts from the batch when they end.

transformers' `generate` computes every row, with its whole KV cache, until the longest one ends; of 64 samples, most
end long before the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from common.generation.rules import Rules
from common.generation.sampling import Choose, greedy
from common.generation.steppers import Stepper

CHECK_EVERY = {"cpu": 1, "cuda": 4}
"""Type of device → number of steps after which the loop looks for finished rows. A GPU must wait for the result."""


@dataclass(frozen=True)
class Generated:
    """The tokens of a row, end token included, and the sum of their log-probabilities before warping and temperature."""

    tokens: list[int]
    logprob: float


def in_vocabulary(tokens: Sequence[int], stepper: Stepper) -> torch.Tensor:
    """Return the vocabulary indices of the token ids, in ascending order."""
    ids = torch.as_tensor(sorted(tokens), device=stepper.first.device)
    return ids if stepper.vocabulary is None else torch.searchsorted(stepper.vocabulary, ids)


@torch.inference_mode()
def generate(
    stepper: Stepper,
    *,
    copies: int,
    ends: Sequence[int],
    choose: Choose,
    rules: Rules,
    greedy_first: bool = False,
) -> list[Generated]:
    """Return `copies` texts of each source, all copies of a source in a row, of at most `rules.longest` tokens.

    `greedy_first`: decode the first copy of each source greedily instead of with `choose`.
    """
    longest = rules.longest
    stops, prompt = in_vocabulary(ends, stepper), stepper.prompt
    every = CHECK_EVERY.get(prompt.device.type, 1)
    stepper.repeat(copies, longest)
    logits = stepper.first.repeat_interleave(copies, 0)
    rows = torch.arange(len(logits), device=logits.device)  # index of the text in each row of the batch
    running = torch.ones_like(rows, dtype=torch.bool)
    tokens, lengths = rows.new_zeros(len(rows), longest), torch.zeros_like(rows)
    logprobs = torch.zeros(len(rows), dtype=torch.float64, device=logits.device)
    for step in range(longest):
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        # On a CPU, log_softmax is several times as fast as logsumexp.
        scores = logits.log_softmax(-1)
        # A penalty depends on the sign of the logits.
        warped = logits if rules.penalty != 1.0 else scores
        warped = rules(warped, prompt[rows // copies], tokens[rows, :step])
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
            if left < stepper.compact_below * len(rows):
                kept = running.nonzero().squeeze(1)
                stepper.select(kept)
                rows, running, chosen = (x[kept] for x in (rows, running, chosen))
        logits = stepper.next(chosen)
    tokens = tokens if stepper.vocabulary is None else stepper.vocabulary[tokens]
    return [
        Generated(row[:length], logprob)
        for row, length, logprob in zip(tokens.tolist(), lengths.tolist(), logprobs.tolist(), strict=True)
    ]
