"""Compare two tokenizers: averaging models' weights or probabilities requires that they treat every text the same."""

import json
from typing import Any

from transformers import PreTrainedTokenizerFast

_TOKENS = ("pad_token_id", "bos_token_id", "eos_token_id", "unk_token_id")


def difference(one: PreTrainedTokenizerFast, other: PreTrainedTokenizerFast) -> str | None:
    """Return a description of how `other` differs from `one`; None when both give the same ids and text in all cases."""
    ids, other_ids = one.get_vocab(), other.get_vocab()
    if ids != other_ids:
        changed = sum(ids.get(token) != number for token, number in other_ids.items())
        return f"another vocabulary ({len(other_ids)} tokens, {len(ids)} wanted; {changed} new or with other ids)"
    for name in _TOKENS:
        if getattr(one, name) != getattr(other, name):
            return f"another {name} ({getattr(other, name)}, {getattr(one, name)} wanted)"
    if one.chat_template != other.chat_template:
        return "another chat template"
    if _rules(one) != _rules(other):
        return "a tokenizer that splits texts differently"
    return None


def _rules(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return everything that determines token ids, without the padding and truncation of the last batch."""
    rules: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    return {name: value for name, value in rules.items() if name not in ("padding", "truncation")}
