"""Logits of the tokens that count, and of no others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule
from transformers import PreTrainedModel

from common.models.averaging import Averaged, mean_log_probabilities
from common.tokenization import IGNORE


def target_logits(
    model: torch.nn.Module, batch: dict[str, torch.Tensor], words: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (t, vocabulary) of the batch's t target tokens, row after row, and those tokens (t,).

    Only their positions go through the output layer: of padding, and of a prompt that is no target, no logits are made.
    `words`: token ids, rising, every target among them: they are the vocabulary then, and the tokens returned are
    places in it. Raises ValueError when a target is not among them.
    """
    inner = getattr(model, "module", model)  # the model itself, not what spreads it over processes
    if isinstance(inner, Averaged):
        found = [target_logits(one, batch, words) for one in inner.models]
        return mean_log_probabilities([logits for logits, _ in found]), found[0][1]
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    labels = batch["labels"]
    wanted = labels != IGNORE
    if inner.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = _shifted(labels, inner.config)
    with narrowed(inner, words) as only:
        hook = inner.get_output_embeddings().register_forward_pre_hook(
            lambda _, hidden: (hidden[0][wanted].unsqueeze(0),)
        )
        try:
            logits = only(model(**inputs, use_cache=False).logits)
        finally:
            hook.remove()
    targets = labels[wanted]
    if words is None:
        return logits.squeeze(0), targets
    places = torch.searchsorted(words, targets).clamp(max=len(words) - 1)
    if not torch.equal(words[places], targets):
        raise ValueError("a target is not among the words that the loss is over")
    return logits.squeeze(0), places


@contextmanager
def narrowed(
    model: PreTrainedModel, words: torch.Tensor | None
) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """Let the model make logits of these tokens alone meanwhile; without any, of all.

    What it yields is to be called with the logits that the model gives: where the output layer is trained or not a
    plain one, is spread over processes, or has something added to it behind (BART), all are made, and those wanted
    are taken from them.
    """
    whole = isinstance(model, Averaged | FSDPModule) or model.config.is_encoder_decoder
    head: Any = None if whole else model.get_output_embeddings()
    trained = torch.is_grad_enabled() and type(head) is nn.Linear and head.weight.requires_grad
    if words is None or type(head) is not nn.Linear or trained:
        yield lambda logits: logits if words is None else logits[..., words]
        return
    smaller = nn.Linear(head.in_features, len(words), bias=head.bias is not None, device="meta")
    smaller.weight = nn.Parameter(head.weight[words], requires_grad=False)
    if head.bias is not None:
        smaller.bias = nn.Parameter(head.bias[words], requires_grad=False)
    model.set_output_embeddings(smaller)
    try:
        yield lambda logits: logits
    finally:
        model.set_output_embeddings(head)


def _shifted(labels: torch.Tensor, config: Any) -> torch.Tensor:
    """What the decoder reads to predict the labels: the start token, then each label but the last.

    transformers' own shift for mBART begins with each row's last token, which is the start only if the row has ended.
    """
    shifted = torch.full_like(labels, config.decoder_start_token_id)
    shifted[:, 1:] = labels[:, :-1]
    return shifted.masked_fill(shifted == IGNORE, config.pad_token_id)
