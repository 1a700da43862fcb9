"""Decode with sdpa attention, also where a model was trained with FlashAttention."""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel

from common.generation.kv_cache import without_adapters


def use_sdpa(model: PreTrainedModel) -> str:
    """Switch a model from FlashAttention to sdpa if its architecture has both; return the name of what it used before.

    For every layer and step of decoding, FlashAttention in transformers unpads all keys and values of a batch.
    """
    inner = without_adapters(model)
    before: str = inner.config.get_text_config()._attn_implementation or ""
    if before.startswith("flash_attention") and inner._supports_sdpa:
        inner.set_attn_implementation("sdpa")
    return before


@contextmanager
def decoding_attention(model: PreTrainedModel) -> Iterator[None]:
    """Let a model in training decode with sdpa inside this context."""
    inner = without_adapters(model)
    before = use_sdpa(model)
    try:
        yield
    finally:
        if before != (inner.config.get_text_config()._attn_implementation or ""):
            inner.set_attn_implementation(before)
