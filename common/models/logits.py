"""Compute only the logits that are needed: at target positions, and of allowed tokens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule
from transformers import PreTrainedModel

from common.tokenization.batches import IGNORE


def target_logits(
    model: torch.nn.Module, batch: dict[str, torch.Tensor], allowed_tokens: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits (t, vocabulary) at the batch's t target tokens, row after row, and the target token ids (t,).

    Only target positions go through the output layer, which skips padding and prompts.
    `allowed_tokens`: the allowed token ids in ascending order, which must include every target; None allows all. The vocabulary
    then consists only of these, and the targets returned are indices into it.
    Raises ValueError when a target is not allowed.
    """
    inner = getattr(model, "module", model)  # the model itself, without the wrapper for several processes
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    labels = batch["labels"]
    wanted = labels != IGNORE
    if inner.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = _shifted(labels, inner.config)
    with limited_vocabulary(inner, allowed_tokens) as select:
        hook = inner.get_output_embeddings().register_forward_pre_hook(
            lambda _, hidden: (hidden[0][wanted].unsqueeze(0),)
        )
        try:
            logits = select(model(**inputs, use_cache=False).logits)
        finally:
            hook.remove()
    targets = labels[wanted]
    if allowed_tokens is None:
        return logits.squeeze(0), targets
    indices = torch.searchsorted(allowed_tokens, targets).clamp(max=len(allowed_tokens) - 1)
    if not torch.equal(allowed_tokens[indices], targets):
        raise ValueError("a target token is not among the allowed tokens")
    return logits.squeeze(0), indices


@contextmanager
def limited_vocabulary(
    model: PreTrainedModel, allowed_tokens: torch.Tensor | None
) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """Limit the model's output layer to the allowed token ids `allowed_tokens` inside this context; None allows all.

    Yields a function that must be applied to the model's logits. Where the output layer cannot be replaced, the model
    still computes all logits and the function selects the allowed ones: when the layer is trained, is not a plain
    linear layer, is sharded, or when the model adds something to its result (BART).
    """
    fixed = isinstance(model, FSDPModule) or model.config.is_encoder_decoder
    head: Any = None if fixed else model.get_output_embeddings()
    trained = torch.is_grad_enabled() and type(head) is nn.Linear and head.weight.requires_grad
    if allowed_tokens is None or type(head) is not nn.Linear or trained:
        yield lambda logits: logits if allowed_tokens is None else logits[..., allowed_tokens]
        return
    smaller = nn.Linear(head.in_features, len(allowed_tokens), bias=head.bias is not None, device="meta")
    smaller.weight = nn.Parameter(head.weight[allowed_tokens], requires_grad=False)
    if head.bias is not None:
        smaller.bias = nn.Parameter(head.bias[allowed_tokens], requires_grad=False)
    model.set_output_embeddings(smaller)
    try:
        yield lambda logits: logits
    finally:
        model.set_output_embeddings(head)


def _shifted(labels: torch.Tensor, config: Any) -> torch.Tensor:
    """Return the decoder's input ids: the start token, then each label except the last.

    transformers' own shift for mBART moves each row's last token to the front, which is only right if the row has ended.
    """
    shifted = torch.full_like(labels, config.decoder_start_token_id)
    shifted[:, 1:] = labels[:, :-1]
    padding = config.decoder_start_token_id if config.pad_token_id is None else config.pad_token_id
    return shifted.masked_fill(shifted == IGNORE, padding)
