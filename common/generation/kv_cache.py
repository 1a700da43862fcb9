"""Repeat and select the rows of a KV cache, and preallocate room in it, so that appending a token copies only that token.

transformers' DynamicCache copies the whole cache at every step, which takes most of a step of a small model.
"""

from inspect import signature
from typing import Any

import torch
from peft import PeftModel
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import (
    DummyLayer,
    DynamicIndexedLayer,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
    LinearAttentionCacheLayerMixin,
    LinearAttentionLayer,
)

ROOM = 64
"""Number of tokens to preallocate; when they are used up, the whole cache is copied."""
_KNOWN = (
    DummyLayer,
    DynamicIndexedLayer,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
    LinearAttentionLayer,
)
"""Types of layers whose whole state `repeat_with_room` and `select_rows` repeat and select. A subclass may hold more."""


_OUTSIDE = ("recurrent_gemma",)
"""Types of models that keep states in their modules, where the cache does not show them."""


def without_adapters(model: PreTrainedModel) -> PreTrainedModel:
    """Return the model that a PEFT model wraps; any other model itself."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def unknown_cache(model: PreTrainedModel) -> str:
    """Return the name of what keeps the rows of a model's cache from being repeated and selected; "" for nothing."""
    inner = without_adapters(model)
    takes = "past_key_values" in signature(inner.forward).parameters
    if not takes or not inner._supports_default_dynamic_cache() or inner.config.model_type in _OUTSIDE:
        return type(inner).__name__
    try:
        layers = DynamicCache(config=inner.config).layers
    except KeyError as error:  # a type of layer for which transformers has no dynamic cache
        return str(error.args[0])
    return next((type(layer).__name__ for layer in layers if type(layer) not in _KNOWN), "")


class _Grown:
    """A tensor [rows, heads, tokens, size] with room for more tokens; every row of `start` is repeated `copies` times."""

    def __init__(self, start: torch.Tensor, copies: int = 1) -> None:
        rows, heads, self.length, size = start.shape
        self.whole = start.new_empty(rows * copies, heads, self.length + ROOM, size)
        self.whole.unflatten(0, (rows, copies))[:, :, :, : self.length] = start.unsqueeze(1)

    def tokens(self) -> torch.Tensor:
        """Return a view of all tokens."""
        return self.whole[:, :, : self.length]

    def appended(self, more: torch.Tensor) -> torch.Tensor | None:
        """Append tokens and return a view of all; None when there is no room."""
        end = self.length + more.shape[2]
        if end > self.whole.shape[2]:
            return None
        self.whole[:, :, self.length : end] = more
        self.length = end
        return self.tokens()

    def select(self, rows: torch.Tensor) -> None:
        """Keep only the rows with these indices, with the room behind them."""
        self.whole = self.whole.index_select(0, rows)


class _Roomy(DynamicLayer):
    """A cache layer with room, which starts with the tokens of another layer; every row is repeated `copies` times."""

    def __init__(self, other: DynamicLayer, copies: int) -> None:
        self.__dict__.update(other.__dict__)
        keys, values = _Grown(other.keys, copies), _Grown(other.values, copies)
        self.room: tuple[_Grown, _Grown] | None = (keys, values)
        self.keys, self.values = keys.tokens(), values.tokens()

    def _longer(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        longer = [grown.appended(new) for grown, new in zip(self.room or (), (keys, values), strict=False)]
        if not longer or longer[0] is None:
            self.room = _Grown(self.keys), _Grown(self.values)
            longer = [grown.appended(new) for grown, new in zip(self.room, (keys, values), strict=True)]
        return longer[0], longer[1]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values; return all of them."""
        self.keys, self.values = self._longer(key_states, value_states)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep only the rows with these indices."""
        if self.room is None:
            super().batch_select_indices(indices)
            return
        behind = self.keys.shape[2]
        for grown in self.room:
            grown.select(indices)
        self.keys, self.values = (grown.tokens()[:, :, -behind:] for grown in self.room)


class _RoomySliding(_Roomy, DynamicSlidingWindowLayer):
    """A cache layer with room for sliding-window attention."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values; return those that the new tokens may attend to."""
        self.cumulative_length += key_states.shape[-2]
        behind = self.keys.shape[2]
        keys, values = self._longer(key_states, value_states)
        keys, values = (x[:, :, -(behind + key_states.shape[2]) :] for x in (keys, values))
        self.keys, self.values = (x[:, :, -self.sliding_window + 1 :] for x in (keys, values))
        return keys, values


def repeat_with_room(cache: DynamicCache, copies: int) -> None:
    """Repeat every row of a filled cache `copies` times, and replace its layers by ones with room for more tokens.

    Layers of other types are also repeated, but not replaced.
    """
    for index, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer and layer.is_initialized:
            cache.layers[index] = _Roomy(layer, copies)
        elif type(layer) is DynamicSlidingWindowLayer and layer.is_initialized and not layer.record_past:
            cache.layers[index] = _RoomySliding(layer, copies)
        elif copies > 1:
            if isinstance(layer, LinearAttentionCacheLayerMixin):
                rows = _rows_of(layer)
                layer.reorder_cache(torch.arange(rows).repeat_interleave(copies))
            else:
                layer.batch_repeat_interleave(copies)


def select_rows(cache: DynamicCache, indices: torch.Tensor) -> None:
    """Keep only the rows of a filled cache with these indices."""
    for layer in cache.layers:
        # Layers with convolution or recurrent states lack `batch_select_indices`, or have one that forgets these states.
        if isinstance(layer, LinearAttentionCacheLayerMixin):
            layer.reorder_cache(indices)
        else:
            layer.batch_select_indices(indices)


def _rows_of(layer: LinearAttentionCacheLayerMixin) -> int:
    states = (*layer.conv_states.values(), *layer.recurrent_states.values(), getattr(layer, "keys", None))
    return next((len(state) for state in states if state is not None), 0)
