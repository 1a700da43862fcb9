"""Whether two tokenizers make the same of every text: what averaging models' weights or words presumes."""

import json
from typing import Any

from transformers import PreTrainedTokenizerFast

_TOKENS = ("pad_token_id", "bos_token_id", "eos_token_id", "unk_token_id")


def difference(one: PreTrainedTokenizerFast, other: PreTrainedTokenizerFast) -> str | None:
    """How `other` differs from `one`, in words; None when both read, write and frame every text alike."""
    words, others = one.get_vocab(), other.get_vocab()
    if words != others:
        changed = sum(words.get(word) != number for word, number in others.items())
        return (
            f"another vocabulary ({len(others)} tokens, {len(words)} wanted; {changed} unknown or elsewhere)"
        )
    for name in _TOKENS:
        if getattr(one, name) != getattr(other, name):
            return f"another {name} ({getattr(other, name)}, {getattr(one, name)} wanted)"
    if one.chat_template != other.chat_template:
        return "another chat template"
    if _rules(one) != _rules(other):
        return "a tokenizer that splits texts otherwise"
    return None


def _rules(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """All that decides ids; how the last batch was padded or cut is no part of it."""
    rules: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    return {name: value for name, value in rules.items() if name not in ("padding", "truncation")}
