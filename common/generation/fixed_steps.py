"""Decoding steps whose shapes stay the same, so that torch can compile them and a GPU replay them as a CUDA graph.

A step of a few hundred rows takes a GPU less time than Python needs to start its kernels one by one. A CUDA graph starts all
of them at once, but reads and writes the same memory every time: the KV cache has its whole length from the beginning.
"""

from collections.abc import Callable, Collection
from inspect import signature
from typing import Any

import torch
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer, StaticLayer

from common.core.errors import UserError
from common.generation.kv_cache import unknown_cache, without_adapters

LENGTHS = 128
"""The length of the KV cache is a multiple of this, so that there are few shapes, each with a graph of its own."""
COMPACT_BELOW = 0.5
"""Share of unfinished rows below which finished ones leave the batch; more shapes would take more graphs."""

Step = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Cache], torch.Tensor]
"""(token ids [rows, 1], additive mask [rows, 1, 1, length], positions [rows, 1], KV cache) → logits [rows, vocabulary]."""


def require_fixed(model: PreTrainedModel, allowed_tokens: Collection[int] = ()) -> None:
    """Raise UserError for a model whose step cannot have a fixed shape: all but causal models with full attention alone.

    `allowed_tokens`: the allowed token ids; a limited vocabulary has another size in every batch.
    """
    inner = without_adapters(model)
    name = type(inner).__name__
    if inner.config.is_encoder_decoder or unknown_cache(model) or not _takes(inner):
        raise UserError(
            f"--compiled true: only the step of causal models with a usual KV cache can be compiled, not that of {name}; "
            "leave --compiled out."
        )
    other = {type(layer).__name__ for layer in DynamicCache(config=inner.config).layers} - {
        DynamicLayer.__name__
    }
    if other:
        raise UserError(
            f"--compiled true: {name} has layers without full attention ({', '.join(sorted(other))}), whose step cannot be "
            "compiled; leave --compiled out."
        )
    if allowed_tokens:
        raise UserError(
            "--compiled true: this experiment limits the vocabulary to the tokens of the batch, so that every batch has "
            "another size; leave --compiled out."
        )


def _takes(inner: PreTrainedModel) -> bool:
    return {"position_ids", "logits_to_keep"} <= set(signature(inner.forward).parameters)


def compiled(model: PreTrainedModel) -> Step:
    """Return the model's step, compiled at its first call. Other numbers of rows or tokens do not compile it again."""
    made: Step = torch.compile(step_of(model), mode="reduce-overhead", dynamic=True)
    return made


def step_of(model: PreTrainedModel) -> Step:
    """Return the model's step, not compiled."""

    def step(ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, kv_cache: Cache) -> torch.Tensor:
        result = model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=kv_cache, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        logits: torch.Tensor = result.logits[:, -1]
        return logits

    return step


class FixedSteps:
    """The rows of a batch after their sources have been read: a KV cache with room for all steps, and the mask."""

    def __init__(
        self,
        step: Step,
        read: DynamicCache,
        mask: torch.Tensor,
        copies: int,
        longest: int,
        dtype: torch.dtype,
    ) -> None:
        used = mask.shape[1]
        length = -(-(used + longest) // LENGTHS) * LENGTHS
        self._step, self._used = step, used
        self._layers = [_fixed(layer.keys, layer.values, copies, length) for layer in read.layers]
        read.layers.clear()  # they hold as much memory again
        self._lowest = torch.finfo(dtype).min
        self._mask = torch.full(
            (len(mask) * copies, 1, 1, length), self._lowest, dtype=dtype, device=mask.device
        )
        self._mask[:, 0, 0, :used].masked_fill_(mask.repeat_interleave(copies, 0) > 0, 0.0)

    def logits(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Append a token [rows, 1] to each row and return the logits of the next one [rows, vocabulary]."""
        self._mask[..., self._used] = 0.0
        self._used += 1
        torch.compiler.cudagraph_mark_step_begin()
        return self._step(tokens, self._mask, positions, Cache(layers=self._layers))

    def select(self, rows: torch.Tensor) -> None:
        """Keep only the rows with these indices, at the beginning of the same memory."""
        count = len(rows)
        self._mask = self._mask[rows]
        for layer in self._layers:
            for name in ("keys", "values"):
                whole = getattr(layer, name)
                whole[:count] = whole[rows]
                setattr(layer, name, whole[:count])
            layer.batch_size = count
            _mark(layer)


def _fixed(keys: torch.Tensor, values: torch.Tensor, copies: int, length: int) -> Any:
    """Return a layer of this length with the tokens of another; every row is repeated `copies` times."""
    layer: Any = StaticLayer(max_cache_len=length)
    layer.keys, layer.values = (_longer(x, copies, length) for x in (keys, values))
    layer.dtype, layer.device = keys.dtype, keys.device
    layer.batch_size, layer.num_heads = len(layer.keys), keys.shape[1]
    layer.k_head_dim, layer.v_head_dim = keys.shape[-1], values.shape[-1]
    layer.cumulative_length = torch.tensor(keys.shape[2], device=keys.device)
    layer.is_initialized = True
    _mark(layer)
    return layer


def _mark(layer: Any) -> None:
    """Let a CUDA graph write into the layer's tensors instead of into copies of them."""
    for tensor in (layer.keys, layer.values, layer.cumulative_length):
        # Without a guard, another address records a graph again, but does not compile again.
        torch._dynamo.mark_static_address(tensor, guard=False)


def _longer(start: torch.Tensor, copies: int, length: int) -> torch.Tensor:
    rows, heads, there, size = start.shape
    whole = start.new_zeros(rows * copies, heads, length, size)
    whole.unflatten(0, (rows, copies))[:, :, :, :there] = start.unsqueeze(1)
    return whole
