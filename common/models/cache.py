"""What is remembered of the tokens read, with room for more: appending a token copies that token alone.

transformers' DynamicCache copies all that is remembered at every step: beside a small model that is most of the step.
"""

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

ROOM = 64
"""Tokens there is room for before all is copied again."""


class _Grown:
    """A tensor [rows, heads, tokens, size] with room behind the tokens, each row so many times in it."""

    def __init__(self, start: torch.Tensor, copies: int = 1) -> None:
        rows, heads, self.length, size = start.shape
        self.whole = start.new_empty(rows * copies, heads, self.length + ROOM, size)
        self.whole.unflatten(0, (rows, copies))[:, :, :, : self.length] = start.unsqueeze(1)

    def tokens(self) -> torch.Tensor:
        """All tokens, a view."""
        return self.whole[:, :, : self.length]

    def appended(self, more: torch.Tensor) -> torch.Tensor | None:
        """All tokens with these; None when there is no room."""
        end = self.length + more.shape[2]
        if end > self.whole.shape[2]:
            return None
        self.whole[:, :, self.length : end] = more
        self.length = end
        return self.tokens()


class _Roomy(DynamicLayer):
    """A layer that takes over another's tokens, each row so many times."""

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
        """All keys and values, these included."""
        self.keys, self.values = self._longer(key_states, value_states)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows alone."""
        super().batch_select_indices(indices)
        self.room = None


class _RoomySliding(_Roomy, DynamicSlidingWindowLayer):
    """The same of a layer that looks back over a window."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The keys and values in the window, these included."""
        self.cumulative_length += key_states.shape[-2]
        behind = self.keys.shape[2]
        keys, values = self._longer(key_states, value_states)
        keys, values = (x[:, :, -(behind + key_states.shape[2]) :] for x in (keys, values))
        self.keys, self.values = (x[:, :, -self.sliding_window + 1 :] for x in (keys, values))
        return keys, values


def repeat_with_room(cache: DynamicCache, copies: int) -> None:
    """Repeat every row of a cache that has read something, and let its layers grow in place.

    Layers that are not of the usual kinds are repeated, and grow as they always do.
    """
    for place, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            cache.layers[place] = _Roomy(layer, copies)
        elif type(layer) is DynamicSlidingWindowLayer and not layer.record_past:
            cache.layers[place] = _RoomySliding(layer, copies)
        elif copies > 1:
            layer.batch_repeat_interleave(copies)
