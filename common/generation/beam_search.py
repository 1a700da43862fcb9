"""Search with beams, as transformers' `generate` does with `early_stopping=True`: the same texts, computed with less.

A source is read once for all its beams, leaves the batch when its beams have ended, and log-probabilities are summed on
the way. Only the part of the KV cache that differs between beams is reordered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from common.generation.rules import Rules
from common.generation.steppers import Stepper
from common.generation.stepping import Generated, in_vocabulary

UNLIKELY = -1.0e9
"""Score of a beam that has not begun or has ended, as in transformers."""
_BLOCK = 64
"""Number of neighbouring scores whose highest is found first; sorting all of them takes a CPU far longer."""


@dataclass
class _Texts:
    """Texts of some sources, as many of each as there are beams; the best come first."""

    scores: torch.Tensor
    """What they are ordered by [sources, beams]."""
    tokens: torch.Tensor
    """Vocabulary indices [sources, beams, steps]."""
    logprobs: torch.Tensor
    """Sums of log-probabilities [sources, beams]."""
    lengths: torch.Tensor
    """Number of tokens [sources, beams]; 0 for a text that has not ended."""

    def of(self, sources: torch.Tensor) -> "_Texts":
        return _Texts(*(getattr(self, name)[sources] for name in vars(self)))

    def best(self, others: "_Texts", count: int) -> "_Texts":
        """Return the texts with the highest scores of these and others, the same for equal scores as transformers."""
        scores, order = torch.cat([self.scores, others.scores], 1).topk(count)
        at = torch.arange(len(order), device=order.device).unsqueeze(1)
        rest = (
            torch.cat([getattr(x, name) for x in (self, others)], 1)[at, order]
            for name in ("tokens", "logprobs", "lengths")
        )
        return _Texts(scores, *rest)


@torch.inference_mode()
def search(
    stepper: Stepper, *, beams: int, candidates: int, ends: Sequence[int], length_penalty: float, rules: Rules
) -> list[Generated]:
    """Return the best `candidates` texts of each source, at most `beams`, all texts of a source in a row, best first.

    A text's score is the sum of its log-probabilities, as changed by `rules`, divided by its length to the power of
    `length_penalty`.
    """
    longest, count, device = rules.longest, len(stepper.first), stepper.first.device
    stops = in_vocabulary(ends, stepper)
    kept_each = max(2, 1 + len(ends)) * beams  # so many that `beams` of them have not ended
    stepper.repeat(beams, longest)
    logits = stepper.first.repeat_interleave(beams, 0)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    found = _Texts(
        torch.full((count, beams), UNLIKELY, dtype=dtype, device=device),
        torch.zeros(count, beams, longest, dtype=torch.long, device=device),
        torch.zeros(count, beams, dtype=torch.float64, device=device),
        torch.zeros(count, beams, dtype=torch.long, device=device),
    )
    whole = replace(found, **{name: value.clone() for name, value in vars(found).items()})
    running = replace(found, scores=found.scores.clone())
    running.scores[:, 0] = 0.0
    left = torch.arange(count, device=device)  # index of the source of each group of beams
    for step in range(longest):
        scores = logits.to(dtype).log_softmax(-1)
        prompt = stepper.prompt[left].repeat_interleave(beams, 0)
        changed = rules(scores, prompt, running.tokens[:, :, :step].flatten(0, 1))
        size = scores.shape[-1]
        totals = changed.view(len(left), beams, size) + running.scores.unsqueeze(-1)
        best, place = _top(totals.flatten(1), kept_each)
        beam, chosen = place // size, place % size
        at = torch.arange(len(left), device=device).unsqueeze(1)
        tokens = running.tokens[at, beam]
        tokens[:, :, step] = chosen
        summed = running.logprobs[at, beam] + scores[at * beams + beam, chosen].double()
        ended = torch.isin(chosen, stops) | (step + 1 == longest)
        # Only the first `beams` may end; the others are there in case that these do.
        ending = ended & (torch.arange(kept_each, device=device) < beams)
        if bool(ending.any()):
            full = (found.lengths > 0).all(1, keepdim=True)
            normed = best / ((step + 1) ** length_penalty) + (full.to(dtype) + (~ending).to(dtype)) * UNLIKELY
            found = found.best(_Texts(normed, tokens, summed, ending * (step + 1)), beams)
        if step + 1 == longest:
            break
        alive = best + ended.to(dtype) * UNLIKELY
        following, order = alive.topk(beams)
        running = _Texts(following, tokens[at, order], summed[at, order], running.lengths)
        rows = (at * beams + beam[at, order]).flatten()
        token = chosen[at, order]
        open_ones = (found.lengths == 0).any(1)
        remaining = int(open_ones.sum())
        if not remaining:
            break
        if remaining < stepper.compact_below * len(left):
            _store(whole, left, found)
            kept = open_ones.nonzero().squeeze(1)
            left, token, found, running = left[kept], token[kept], found.of(kept), running.of(kept)
            stepper.select(rows.view(-1, beams)[kept].flatten())
        else:
            stepper.reorder(rows)
        logits = stepper.next(token.flatten())
    _store(whole, left, found)
    ids = whole.tokens if stepper.vocabulary is None else stepper.vocabulary[whole.tokens]
    return [
        Generated(row[:length], logprob)
        for of_source in zip(ids.tolist(), whole.lengths.tolist(), whole.logprobs.tolist(), strict=True)
        for row, length, logprob in list(zip(*of_source, strict=True))[:candidates]
    ]


def _store(whole: _Texts, sources: torch.Tensor, found: _Texts) -> None:
    for name in vars(whole):
        getattr(whole, name)[sources] = getattr(found, name)


def _top(values: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the highest `count` values of each row in descending order, and their indices."""
    size = values.shape[-1]
    if size <= _BLOCK * count:
        found = values.topk(count)
        return found.values, found.indices
    blocks = torch.nn.functional.pad(values, (0, -size % _BLOCK), value=-torch.inf).unflatten(
        -1, (-1, _BLOCK)
    )
    chosen = blocks.amax(-1).topk(count).indices
    inside = blocks.gather(1, chosen.unsqueeze(-1).expand(-1, -1, _BLOCK)).flatten(1)
    top, place = inside.topk(count)
    index = chosen.gather(1, place // _BLOCK) * _BLOCK + place % _BLOCK
    return top, index.clamp(max=size - 1)  # the padding comes only where too few values are above -inf
