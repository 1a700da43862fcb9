"""Compute only the logits that are needed: at target positions, and of allowed tokens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule
from transformers import PreTrainedModel

from common.core.errors import UserError
from common.tokenization.batches import IGNORE, TARGETS, target_places


@dataclass(frozen=True)
class TargetStates:
    """What the model computed for the target tokens of a batch, up to its output layer."""

    states: torch.Tensor
    """The input of the output layer at each target, (t, width)."""
    targets: torch.Tensor
    """Target token ids, (t,), or indices into the allowed tokens."""
    logits: Callable[[torch.Tensor], torch.Tensor]
    """Maps some of the states, (n, width), to their logits, (n, vocabulary)."""


def target_logits(
    model: torch.nn.Module, batch: dict[str, torch.Tensor], allowed_tokens: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits (t, vocabulary) at the batch's t target tokens, row after row, and the target token ids (t,).

    Only target positions go through the output layer, which skips padding and prompts.
    `allowed_tokens`: the allowed token ids in ascending order, which must include every target; None allows all. The vocabulary
    then consists only of these, and the targets returned are indices into it.
    Raises ValueError when a target is not allowed, and UserError for a model that predicts more than the next token.
    """
    inner = getattr(model, "module", model)  # the model itself, without the wrapper for several processes
    inputs, places = _inputs(inner, batch), target_places(batch)

    read = inputs.get("decoder_input_ids", inputs["input_ids"])

    def only_targets(_: nn.Module, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        if arguments[0].shape[:-1] != read.shape:
            raise UserError(
                f"{type(inner).__name__} computes more than the next token of each token (ProphetNet predicts several), so "
                "its loss cannot be computed here; choose another --model."
            )
        return (arguments[0].flatten(0, 1).index_select(0, places).unsqueeze(0),)

    with limited_vocabulary(inner, allowed_tokens) as select:
        hook = inner.get_output_embeddings().register_forward_pre_hook(only_targets)
        try:
            logits = select(model(**inputs, use_cache=False).logits)
        finally:
            hook.remove()
    return logits.squeeze(0), _targets(batch, places, allowed_tokens)


def target_states(
    model: torch.nn.Module, batch: dict[str, torch.Tensor], allowed_tokens: torch.Tensor | None = None
) -> TargetStates:
    """Return the states at the batch's target tokens, and a function that gives the logits of any of them.

    Together they are `target_logits` without the need to hold all logits at once. The function may also be called in
    the backward pass. `allowed_tokens` and the error: as in `target_logits`.
    Raises ValueError as well for a model without `has_body`.
    """
    inner = getattr(model, "module", model)
    if not has_body(inner):
        raise ValueError(f"{type(inner).__name__} has no part that computes the states")
    whole, inputs, places = _whole(inner), _inputs(inner, batch), target_places(batch)
    body, kept = whole.base_model, []

    def only_targets(_: nn.Module, __: Any, output: Any) -> Any:
        states = output.last_hidden_state.flatten(0, 1).index_select(0, places)
        kept.append((output, states))
        return replace(
            output, last_hidden_state=states[None, :1]
        )  # the output layer may not like no row at all

    hook = body.register_forward_hook(only_targets)
    try:
        model(**inputs, use_cache=False)
    finally:
        hook.remove()
    [(output, states)] = kept

    def logits(some: torch.Tensor) -> torch.Tensor:
        # The model's own forward pass does what its architecture does with logits, such as soft-capping.
        computed = replace(output, last_hidden_state=some.unsqueeze(0))
        with limited_vocabulary(inner, allowed_tokens) as select, _instead(body, computed):
            found: torch.Tensor = select(whole.forward(**inputs, use_cache=False).logits)
        return found.squeeze(0)

    return TargetStates(states, _targets(batch, places, allowed_tokens), logits)


def has_body(model: torch.nn.Module) -> bool:
    """Return whether one part of the model computes everything up to the output layer, as in all but T5 and its kin."""
    whole = _whole(getattr(model, "module", model))
    return whole.base_model is not whole


def vocabulary_size(model: torch.nn.Module, allowed_tokens: torch.Tensor | None = None) -> int:
    """Return how many logits the model computes for a token inside `limited_vocabulary`."""
    inner = getattr(model, "module", model)
    if allowed_tokens is not None and _can_limit(inner):
        return len(allowed_tokens)
    head, config = inner.get_output_embeddings(), _whole(inner).config.get_text_config()
    return int(getattr(head, "out_features", config.vocab_size))


def _whole(inner: Any) -> Any:
    """Return the transformers model, without the wrapper of its adapters."""
    return inner.get_base_model() if hasattr(inner, "get_base_model") else inner


def _inputs(inner: Any, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    inputs = {name: value for name, value in batch.items() if name not in ("labels", TARGETS)}
    if inner.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = _shifted(batch["labels"], inner.config)
    return inputs


def _targets(
    batch: dict[str, torch.Tensor], places: torch.Tensor, allowed_tokens: torch.Tensor | None
) -> torch.Tensor:
    targets = batch["labels"].flatten().index_select(0, places)
    if allowed_tokens is None:
        return targets
    indices = torch.searchsorted(allowed_tokens, targets).clamp(max=len(allowed_tokens) - 1)
    if not torch.equal(allowed_tokens[indices], targets):
        raise ValueError("a target token is not among the allowed tokens")
    return indices


@contextmanager
def _instead(body: Any, output: Any) -> Iterator[None]:
    """Make a part of the model return the output without computing it, inside this context."""
    before = body.__dict__.get("forward")
    body.forward = lambda *_, **__: output
    try:
        yield
    finally:
        if before is None:
            del body.forward
        else:
            body.forward = before


@contextmanager
def limited_vocabulary(
    model: PreTrainedModel, allowed_tokens: torch.Tensor | None
) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """Limit the model's output layer to the allowed token ids `allowed_tokens` inside this context; None allows all.

    Yields a function that must be applied to the model's logits. Where the output layer cannot be replaced, the model
    still computes all logits and the function selects the allowed ones: when the layer is trained, is not a plain
    linear layer, is sharded, or when the model adds something to its result (BART).
    """
    if allowed_tokens is None or not _can_limit(model):
        yield lambda logits: logits if allowed_tokens is None else logits[..., allowed_tokens]
        return
    head: Any = model.get_output_embeddings()
    smaller = nn.Linear(head.in_features, len(allowed_tokens), bias=head.bias is not None, device="meta")
    smaller.weight = nn.Parameter(head.weight[allowed_tokens], requires_grad=False)
    if head.bias is not None:
        smaller.bias = nn.Parameter(head.bias[allowed_tokens], requires_grad=False)
    model.set_output_embeddings(smaller)
    try:
        yield lambda logits: logits
    finally:
        model.set_output_embeddings(head)


def _can_limit(model: PreTrainedModel) -> bool:
    """Return whether the output layer can be replaced by a smaller one."""
    if isinstance(model, FSDPModule) or model.config.is_encoder_decoder:
        return False
    head: Any = model.get_output_embeddings()
    return type(head) is nn.Linear and not (torch.is_grad_enabled() and head.weight.requires_grad)


def _shifted(labels: torch.Tensor, config: Any) -> torch.Tensor:
    """Return the decoder's input ids: the start token, then each label except the last.

    transformers' own shift for mBART moves each row's last token to the front, which is only right if the row has ended.
    """
    shifted = torch.full_like(labels, config.decoder_start_token_id)
    shifted[:, 1:] = labels[:, :-1]
    padding = config.decoder_start_token_id if config.pad_token_id is None else config.pad_token_id
    return shifted.masked_fill(shifted == IGNORE, padding)
