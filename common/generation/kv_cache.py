"""Preallocate room in a KV cache, so that appending a token copies only that token.

transformers' DynamicCache copies the whole cache at every step, which takes most of a step of a small model.
"""

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

ROOM = 64
"""Number of tokens to preallocate; when they are used up, the whole cache is copied."""


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
        super().batch_select_indices(indices)
        self.room = None


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
        if type(layer) is DynamicLayer:
            cache.layers[index] = _Roomy(layer, copies)
        elif type(layer) is DynamicSlidingWindowLayer and not layer.record_past:
            cache.layers[index] = _RoomySliding(layer, copies)
        elif copies > 1:
            layer.batch_repeat_interleave(copies)
