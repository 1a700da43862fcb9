"""Compute the losses of a model on a batch, each a sum over the target tokens in nats."""

from collections.abc import Callable

import torch
from torch.nn import functional

from common.models.logits import target_logits
from common.tokenization.batches import IGNORE

Batch = dict[str, torch.Tensor]
Loss = Callable[[torch.nn.Module, Batch, float], torch.Tensor]
"""(model, batch, label smoothing) → sum over the batch's target tokens plus any other terms, a scalar with gradient."""


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
        logits, labels = target_logits(model, batch, allowed_tokens)
        return functional.cross_entropy(logits.float(), labels, reduction="sum", label_smoothing=smoothing)
    if getattr(model, "module", model).config.is_encoder_decoder:
        raise ValueError("an encoder-decoder does not predict its source")
    following = torch.full_like(batch["labels"], IGNORE)
    following[:, :-1] = batch["input_ids"][:, 1:].masked_fill(batch["attention_mask"][:, 1:] == 0, IGNORE)
    logits, labels = target_logits(model, {**batch, "labels": following}, allowed_tokens)
    losses = functional.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=smoothing)
    of_target = (batch["labels"] != IGNORE)[following != IGNORE]
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
    twice = {name: torch.cat([value, value]) for name, value in batch.items()}
    logits, labels = target_logits(model, twice, allowed_tokens)
    first, second = functional.log_softmax(logits.float(), dim=-1).chunk(2)
    entropy = functional.cross_entropy(logits.float(), labels, reduction="sum", label_smoothing=smoothing) / 2
    divergence = functional.kl_div(first, second, reduction="sum", log_target=True)
    divergence = divergence + functional.kl_div(second, first, reduction="sum", log_target=True)
    return entropy + alpha / 2 * divergence / 2
