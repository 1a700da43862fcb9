"""Losses: functions from a model and a batch to the sum over the target tokens, in nats."""

from collections.abc import Callable

import torch
from torch.nn import functional

from common.models.logits import target_logits

Batch = dict[str, torch.Tensor]
Loss = Callable[[torch.nn.Module, Batch, float], torch.Tensor]
"""(model, batch, label smoothing) → sum over the batch's target tokens, a scalar with gradient."""


def cross_entropy(
    model: torch.nn.Module, batch: Batch, smoothing: float, words: torch.Tensor | None = None
) -> torch.Tensor:
    """Sum over the target tokens of the label-smoothed cross-entropy, in nats.

    `words`: the vocabulary, as `target_logits` takes it; None: the model's.
    Source: Szegedy et al. 2016, section 7 (smoothing mass uniform over the vocabulary).
    """
    logits, labels = target_logits(model, batch, words)
    return functional.cross_entropy(logits.float(), labels, reduction="sum", label_smoothing=smoothing)


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
