"""Losses: functions from a model and a batch to the sum over the target tokens, in nats."""

from collections.abc import Callable

import torch
from torch.nn import functional

from common.models.logits import target_logits
from common.tokenization import IGNORE

Batch = dict[str, torch.Tensor]
Loss = Callable[[torch.nn.Module, Batch, float], torch.Tensor]
"""(model, batch, label smoothing) → sum over the batch's target tokens (and what it may add), a scalar with gradient."""


def cross_entropy(
    model: torch.nn.Module,
    batch: Batch,
    smoothing: float,
    words: torch.Tensor | None = None,
    *,
    source: float = 0.0,
) -> torch.Tensor:
    """Sum over the target tokens of the label-smoothed cross-entropy, in nats.

    `words`: the vocabulary, as `target_logits` takes it; None: the model's.
    `source`: of a causal model, weight of the source's tokens, which are then predicted too and add to the sum.
    Raises ValueError when an encoder-decoder is to predict its source.
    Source: Szegedy et al. 2016, section 7 (smoothing mass uniform over the vocabulary); Shi et al. 2024, "Instruction
    Tuning With Loss Over Instructions" (long sources, short targets and few examples gain from it).
    """
    if not source:
        logits, labels = target_logits(model, batch, words)
        return functional.cross_entropy(logits.float(), labels, reduction="sum", label_smoothing=smoothing)
    if getattr(model, "module", model).config.is_encoder_decoder:
        raise ValueError("an encoder-decoder does not predict its source")
    following = torch.full_like(batch["labels"], IGNORE)
    following[:, :-1] = batch["input_ids"][:, 1:].masked_fill(batch["attention_mask"][:, 1:] == 0, IGNORE)
    logits, labels = target_logits(model, {**batch, "labels": following}, words)
    losses = functional.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=smoothing)
    of_target = (batch["labels"] != IGNORE)[following != IGNORE]
    return torch.where(of_target, losses, source * losses).sum()


def r_drop(
    model: torch.nn.Module,
    batch: Batch,
    smoothing: float,
    alpha: float = 1.0,
    words: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cross-entropy, averaged over two passes with other dropout, plus `alpha` / 2 times their symmetric KL, in nats.

    Half of the paper's sum, so that one learning rate serves with and without it. `words` as above.
    Source: Liang et al. 2021, "R-Drop", equations 2 to 4.
    """
    twice = {name: torch.cat([value, value]) for name, value in batch.items()}
    logits, labels = target_logits(model, twice, words)
    one, other = functional.log_softmax(logits.float(), dim=-1).chunk(2)
    wrong = functional.cross_entropy(logits.float(), labels, reduction="sum", label_smoothing=smoothing) / 2
    apart = functional.kl_div(one, other, reduction="sum", log_target=True)
    apart = apart + functional.kl_div(other, one, reduction="sum", log_target=True)
    return wrong + alpha / 2 * apart / 2
