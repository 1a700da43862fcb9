"""Read sources and compute the logits of one more token for every text, for causal models and encoder-decoders.

`stepping` and `beam_search` choose the tokens. A source is read once for all texts of it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any, Protocol

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from common.generation import fixed_steps
from common.generation.fixed_steps import FixedSteps, Step
from common.generation.kv_cache import repeat_with_room, select_rows, without_adapters
from common.models.logits import limited_vocabulary

COMPACT_BELOW = 0.75
"""Share of unfinished rows below which finished ones are dropped. Dropping copies the KV cache of the other rows."""
READY_MASKS = ("bart", "m2m_100", "marian", "mbart", "mt5", "pegasus", "t5", "umt5")
"""Types of encoder-decoders that take the mask of the source as their attention adds it, so that no step computes it."""

KNOWN = (*READY_MASKS, "led", "longt5", "mvp", "pegasus_x", "plbart", "t5gemma", "t5gemma2")
"""Types of encoder-decoders whose encoder and decoder can be called apart, with the same result as in `generate`."""


class Stepper(Protocol):
    """A model that has read its sources, and the texts that it writes of them, one row for each."""

    first: torch.Tensor
    """Logits of the first token of each source [sources, vocabulary]."""
    prompt: torch.Tensor
    """Vocabulary indices [sources, n] that a penalty on repetition counts besides the text's own."""
    vocabulary: torch.Tensor | None
    """Token ids of the vocabulary's indices; None: the same."""
    compact_below: float
    """Share of unfinished rows below which `select` pays."""

    def repeat(self, copies: int, longest: int) -> None:
        """Begin `copies` texts of each source, all of a source in a row, with room for `longest` tokens."""

    def next(self, chosen: torch.Tensor) -> torch.Tensor:
        """Append a vocabulary index to each row and return the logits of the next one [rows, vocabulary]."""

    def select(self, rows: torch.Tensor) -> None:
        """Keep only the rows with these indices."""

    def reorder(self, rows: torch.Tensor) -> None:
        """Replace each row by the row with this index, a text of the same source."""


class _Causal:
    """A causal model after it has read left-padded sources."""

    def __init__(
        self, output: "_Output", ids: torch.Tensor, mask: torch.Tensor, config: Any,
        vocabulary: torch.Tensor | None, step: Step | None,
    ) -> None:  # fmt: skip
        self.vocabulary = vocabulary
        self.compact_below = fixed_steps.COMPACT_BELOW if step else COMPACT_BELOW
        prompt = torch.where(mask > 0, ids, ids[:, -1:])
        self.prompt = prompt if vocabulary is None else torch.searchsorted(vocabulary, prompt)
        self._output, self._mask, self._step = output, mask, step
        self._fixed: FixedSteps | None = None
        self._kv_cache = DynamicCache(config=config)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        self.first = output(ids, mask, positions, self._kv_cache)
        self._position = positions[:, -1:]

    def repeat(self, copies: int, longest: int) -> None:
        if self._step:
            self._fixed = FixedSteps(
                self._step, self._kv_cache, self._mask, copies, longest, self.first.dtype
            )
        else:
            repeat_with_room(self._kv_cache, copies)
        self._mask = self._mask.repeat_interleave(copies, 0)
        self._position = self._position.repeat_interleave(copies, 0)

    def next(self, chosen: torch.Tensor) -> torch.Tensor:
        self._position = self._position + 1
        token = (chosen if self.vocabulary is None else self.vocabulary[chosen]).unsqueeze(1)
        if self._fixed:
            return self._fixed.logits(token, self._position)
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), 1)], 1)
        return self._output(token, self._mask, self._position, self._kv_cache)

    def select(self, rows: torch.Tensor) -> None:
        self._mask, self._position = self._mask[rows], self._position[rows]
        if self._fixed:
            self._fixed.select(rows)
        else:
            select_rows(self._kv_cache, rows)

    def reorder(self, rows: torch.Tensor) -> None:
        self.select(rows)


class _EncoderDecoder:
    """An encoder-decoder after it has read right-padded sources."""

    def __init__(self, model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor) -> None:
        self.vocabulary = None
        self.compact_below = COMPACT_BELOW
        self.prompt = ids[:, :0]
        self._model = without_adapters(model)
        config = self._model.config
        states = self._model.get_encoder()(input_ids=ids, attention_mask=mask, return_dict=True)[0]
        self._cache: Any = None  # the model makes it
        self._mask: torch.Tensor | None = mask
        adding = config._attn_implementation in ("sdpa", "eager")
        if config.model_type in READY_MASKS and adding:
            lowest = torch.finfo(states.dtype).min
            padding = states.new_zeros(mask.shape).masked_fill(mask == 0, lowest)
            self._mask = padding[:, None, None] if bool((mask == 0).any()) else None
        self._states = states
        self.first = self._logits(ids.new_full((len(ids),), _start_token(self._model)))
        # The layers keep what they need of the states; only the shape counts from now on.
        self._states = states[:1].clone()

    def _logits(self, token: torch.Tensor) -> torch.Tensor:
        result = self._model(
            encoder_outputs=BaseModelOutput(self._states.expand(len(token), -1, -1)), attention_mask=self._mask,
            decoder_input_ids=token.unsqueeze(1), past_key_values=self._cache, use_cache=True,
        )  # fmt: skip
        self._cache = result.past_key_values
        logits: torch.Tensor = result.logits[:, -1]
        return logits

    def repeat(self, copies: int, longest: int) -> None:
        del longest
        repeat_with_room(self._cache.self_attention_cache, copies)
        if copies > 1:
            self._cache.cross_attention_cache.batch_repeat_interleave(copies)
            self._mask = None if self._mask is None else self._mask.repeat_interleave(copies, 0)

    def next(self, chosen: torch.Tensor) -> torch.Tensor:
        return self._logits(chosen)

    def select(self, rows: torch.Tensor) -> None:
        self.reorder(rows)
        select_rows(self._cache.cross_attention_cache, rows)
        self._mask = None if self._mask is None else self._mask[rows]

    def reorder(self, rows: torch.Tensor) -> None:
        select_rows(self._cache.self_attention_cache, rows)


def _start_token(model: PreTrainedModel) -> int:
    """Return the token with which the decoder starts, as transformers' `generate` finds it."""
    found = (
        getattr(holder, "decoder_start_token_id", None) for holder in (model.config, model.generation_config)
    )
    start: int = next((token for token in found if token is not None), model.generation_config.bos_token_id)
    return start


@contextmanager
def reading(
    model: PreTrainedModel,
    ids: torch.Tensor,
    mask: torch.Tensor,
    allowed_tokens: Sequence[int] = (),
    fixed_step: Step | None = None,
) -> Iterator[Stepper]:
    """Yield the model after it has read the sources [sources, length], padded left for a causal model, else right.

    `allowed_tokens`: the only token ids of the vocabulary, also for log-probabilities; empty: all. Only for causal models.
    `fixed_step`: the step of a causal model from `fixed_steps`, which does not take `allowed_tokens`; None: the model itself.
    """
    if model.config.is_encoder_decoder:
        yield _EncoderDecoder(model, ids, mask)
        return
    vocabulary = torch.as_tensor(sorted(allowed_tokens), device=ids.device) if allowed_tokens else None
    with _output_of(model, vocabulary) as output:
        yield _Causal(output, ids, mask, model.config, vocabulary, fixed_step)


_Output = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Any], torch.Tensor]
"""(token ids [rows, n], mask, positions, KV cache) → logits of the next token [rows, vocabulary]."""


@contextmanager
def _output_of(model: PreTrainedModel, vocabulary: torch.Tensor | None) -> Iterator[_Output]:
    """Yield the model as a function whose output layer is limited to the vocabulary (None: not limited)."""
    inner = without_adapters(model)
    # Not every architecture takes position ids or can compute the last logits only.
    accepted = signature(inner.forward).parameters

    with limited_vocabulary(model, vocabulary) as select:

        def output(
            ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, kv_cache: Any
        ) -> torch.Tensor:
            options = {"position_ids": positions, "logits_to_keep": 1}
            options = {name: value for name, value in options.items() if name in accepted}
            result = model(
                input_ids=ids, attention_mask=mask, past_key_values=kv_cache, use_cache=True, **options
            )
            logits: torch.Tensor = select(result.logits[:, -1])
            return logits

        yield output
