"""Decode with sdpa attention, also where a model was trained with FlashAttention."""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel

from common.generation.kv_cache import without_adapters


@contextmanager
def decoding_attention(model: PreTrainedModel) -> Iterator[None]:
    """Let a model use sdpa instead of FlashAttention inside this context, if its architecture has sdpa.

    For every layer and step of decoding, FlashAttention in transformers unpads all keys and values of a batch.
    """
    inner = without_adapters(model)
    before: str = inner.config._attn_implementation or ""
    if not (before.startswith("flash_attention") and inner._supports_sdpa):
        yield
        return
    inner.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        inner.set_attn_implementation(before)
