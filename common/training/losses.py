"""Compute the losses of a model on a batch, each a sum over the target tokens in nats."""

from collections.abc import Callable

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from common.models.logits import has_body, target_logits, target_states, vocabulary_size
from common.tokenization.batches import IGNORE, TARGETS, target_places, with_targets
from common.training.kernels import has_liger_loss, liger_losses

Batch = dict[str, torch.Tensor]
Loss = Callable[[torch.nn.Module, Batch, float], torch.Tensor]
"""(model, batch, label smoothing) → sum over the batch's target tokens plus any other terms, a scalar with gradient."""

MOST_LOGITS = 2**26
"""Most logits that a loss holds at once; their float32 copies and gradients take about 1 GB."""


def target_losses(
    model: torch.nn.Module, batch: Batch, smoothing: float, allowed_tokens: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the label-smoothed cross-entropy of each target token, (t,), in nats. Computed `_in_parts`, or by Liger.

    `allowed_tokens`: as in `target_logits`.
    """
    if allowed_tokens is None and has_liger_loss(model):
        return liger_losses(model, target_states(model, batch), smoothing, summed=False)

    def loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return _losses(logits, targets, smoothing)

    return _in_parts(model, batch, allowed_tokens, loss)


def _in_parts(
    model: torch.nn.Module,
    batch: Batch,
    allowed_tokens: torch.Tensor | None,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    copies: int = 1,
) -> torch.Tensor:
    """Return what `loss` makes of the logits and targets of the batch, (t / copies,).

    If there are more than MOST_LOGITS logits, `loss` gets a part of them at a time, and in the backward pass they are
    computed again: together, those of a long batch would not fit into memory.
    `copies`: number of times that the batch repeats its rows; `loss` gets all copies of a token together.
    """
    batch = with_targets(batch)
    rows = MOST_LOGITS // vocabulary_size(model, allowed_tokens)
    if len(batch[TARGETS]) <= rows or not has_body(model):
        return loss(*target_logits(model, batch, allowed_tokens))
    found = target_states(model, batch, allowed_tokens)

    def part(states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return loss(found.logits(states.flatten(0, 1)), targets.flatten())

    size = max(1, rows // copies)
    states = found.states.unflatten(0, (copies, -1)).split(size, dim=1)
    targets = found.targets.unflatten(0, (copies, -1)).split(size, dim=1)
    parts = zip(states, targets, strict=True)
    return torch.cat([checkpoint(part, *one, use_reentrant=False) for one in parts])


def _losses(logits: torch.Tensor, targets: torch.Tensor, smoothing: float) -> torch.Tensor:
    return functional.cross_entropy(logits.float(), targets, reduction="none", label_smoothing=smoothing)


def cross_entropy(
    model: torch.nn.Module,
    batch: Batch,
    smoothing: float,
    allowed_tokens: torch.Tensor | None = None,
    *,
    source: float = 0.0,
) -> torch.Tensor:
    """Return the label-smoothed cross-entropy, summed over the target tokens, in nats.

    `allowed_tokens`: the allowed token ids, as in `target_logits`; None allows the whole vocabulary.
    `source`: weight of the source tokens' cross-entropy, which is added to the sum; causal models only, 0 leaves it out.
    Raises ValueError when `source` is not 0 for an encoder-decoder.
    Source: Szegedy et al. 2016, section 7 (smoothing mass uniform over the vocabulary); Shi et al. 2024, "Instruction
    Tuning With Loss Over Instructions" (it helps with long sources, short targets and few examples).
    """
    if not source:
        if allowed_tokens is None and has_liger_loss(model):
            return liger_losses(model, target_states(model, batch), smoothing, summed=True)  # faster
        return target_losses(model, batch, smoothing, allowed_tokens).sum()
    if getattr(model, "module", model).config.is_encoder_decoder:
        raise ValueError("an encoder-decoder does not predict its source")
    following = torch.full_like(batch["labels"], IGNORE)
    following[:, :-1] = batch["input_ids"][:, 1:].masked_fill(batch["attention_mask"][:, 1:] == 0, IGNORE)
    tokens = {name: value for name, value in batch.items() if name != TARGETS} | {"labels": following}
    tokens[TARGETS] = target_places(tokens)
    losses = target_losses(model, tokens, smoothing, allowed_tokens)
    of_target = (batch["labels"] != IGNORE).flatten().index_select(0, tokens[TARGETS])
    return torch.where(of_target, losses, source * losses).sum()


def r_drop(
    model: torch.nn.Module,
    batch: Batch,
    smoothing: float,
    alpha: float = 1.0,
    allowed_tokens: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the R-Drop loss, summed over the target tokens, in nats.

    It is the mean cross-entropy of two passes with different dropout plus `alpha` / 2 times the mean of the KL
    divergences between them in both directions: half of the paper's sum, so that the learning rate for
    `cross_entropy` also fits R-Drop. `allowed_tokens`: as in `cross_entropy`.
    Source: Liang et al. 2021, "R-Drop", equations 2 to 4.
    """
    twice = {name: torch.cat([value, value]) for name, value in batch.items() if name != TARGETS}
    places = target_places(batch)
    twice[TARGETS] = torch.cat([places, places + batch["labels"].numel()])

    def loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        first, second = functional.log_softmax(logits.float(), dim=-1).chunk(2)
        entropy = _losses(logits, targets, smoothing).unflatten(0, (2, -1)).mean(0)
        divergence = functional.kl_div(first, second, reduction="none", log_target=True)
        divergence = divergence + functional.kl_div(second, first, reduction="none", log_target=True)
        return entropy + alpha / 2 * divergence.sum(-1) / 2

    return _in_parts(model, twice, allowed_tokens, loss, copies=2).sum()
