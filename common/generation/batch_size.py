"""Find the token budget of a batch from a GPU's free memory and from what decoding holds there for each token."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel

from common.generation.config import TOKENS_AT_ONCE, DecodingConfig
from common.generation.kv_cache import unknown_cache, without_adapters

SHARE = 0.7
"""Share of the free memory to plan with. The rest is for what the estimate leaves out, such as copies of the KV cache."""
_ROWS, _TOKENS = 4, 256
_LOGITS = 16
"""Bytes of a row for each token of the vocabulary: four float32 tensors, of logits, log-probabilities and a sorted copy."""


@dataclass(frozen=True)
class Footprint:
    """Bytes of memory that decoding a row takes, beside the weights."""

    token: float
    """Of the KV cache, for each token of the source and the summary."""
    row: float
    """Independent of the length: logits, and the states of convolutions and recurrent layers."""
    read: float
    """Of activations while the source is read, for each of its tokens. All copies of a source share them."""

    def each(self, config: DecodingConfig) -> float:
        """Return the bytes for each token of a batch, as `resumable.costs` counts them."""
        width = max(config.beams, config.candidates + config.samples)
        return self.token + self.read / width + self.row / config.max_new_tokens


def tokens_at_once(model: PreTrainedModel, config: DecodingConfig) -> int:
    """Return the token budget of a batch: TOKENS_AT_ONCE on a CPU, on a GPU what SHARE of its free memory holds."""
    if model.device.type != "cuda" or (not model.config.is_encoder_decoder and unknown_cache(model)):
        return TOKENS_AT_ONCE
    each = footprint(model).each(config)
    gc.collect()
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(model.device)
    return budget(free, each)


def budget(free: int, each: float) -> int:
    """Return how many tokens of `each` bytes SHARE of the free bytes holds, at least 1."""
    return max(1, min(2**31, int(SHARE * free / each)))


@torch.inference_mode()
def footprint(model: PreTrainedModel) -> Footprint:
    """Return what decoding takes, measured with a forward pass over a few rows; activations are only measured on a GPU."""
    text = model.config.get_text_config(decoder=True)
    tokens = min(_TOKENS, getattr(text, "max_position_embeddings", None) or _TOKENS)
    ids = torch.ones(_ROWS, tokens, dtype=torch.long, device=model.device)
    cache, _ = _read(model, ids)  # the first pass also allocates the workspaces of libraries
    held = _by_token(cache) / _ROWS, _by_row(cache) / _ROWS
    del cache
    # The difference of two passes leaves out what does not grow with the tokens, such as a layer's unpacked 4-bit weights.
    grown = _peak(model, ids) - _peak(model, ids[:1])
    vocabulary = model.get_output_embeddings().weight.shape[0]
    read = max(0.0, grown / ids[1:].numel() - held[0])
    return Footprint(held[0], held[1] + _LOGITS * vocabulary, read)


def _peak(model: PreTrainedModel, ids: torch.Tensor) -> int:
    """Return the most bytes that reading the sources takes on a GPU; 0 on a CPU, which does not count them."""
    if model.device.type != "cuda":
        return 0
    before = torch.cuda.memory_allocated(model.device)
    torch.cuda.reset_peak_memory_stats(model.device)
    _read(model, ids)
    return int(torch.cuda.max_memory_allocated(model.device) - before)


def _read(model: PreTrainedModel, ids: torch.Tensor) -> tuple[Any, Any]:
    """Return the cache after the model has read the sources `ids`, and its output."""
    if model.config.is_encoder_decoder:
        output = model(input_ids=ids, decoder_input_ids=ids[:, :1], use_cache=True)
        return output.past_key_values, output
    cache = DynamicCache(config=model.config)
    # Not every architecture can compute the last logits only.
    last = "logits_to_keep" in signature(without_adapters(model).forward).parameters
    return cache, model(
        input_ids=ids, past_key_values=cache, use_cache=True, **({"logits_to_keep": 1} if last else {})
    )


def _by_token(cache: Any) -> float:
    """Return the bytes of all rows' keys and values for one token."""
    if isinstance(cache, EncoderDecoderCache):
        # A token belongs to the source (cross-attention) or to the summary (self-attention).
        return max(_by_token(cache.self_attention_cache), _by_token(cache.cross_attention_cache))
    return float(sum(tensor.nbytes / tensor.shape[-2] for tensor in _keys_and_values(cache)))


def _by_row(cache: Any) -> float:
    """Return the bytes of all rows' states that do not grow with the length."""
    if isinstance(cache, EncoderDecoderCache):
        return 0.0
    states = [
        state
        for layer in cache.layers
        for name in ("conv_states", "recurrent_states")
        for state in getattr(layer, name, {}).values()
    ]
    return float(sum(state.nbytes for state in states if state is not None))


def _keys_and_values(cache: Any) -> Iterator[torch.Tensor]:
    for layer in cache.layers:
        for name in ("keys", "values", "indexer_keys"):
            tensor = getattr(layer, name, None)
            if tensor is not None and tensor.numel():
                yield tensor
