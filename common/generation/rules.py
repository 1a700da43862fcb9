"""Apply the rules of decoding to logits: a penalty on repetition, no n-gram twice, forced first and last tokens."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from common.generation.sampling import penalized

_UNKNOWN = (
    "guidance_scale", "sequence_bias", "encoder_repetition_penalty", "encoder_no_repeat_ngram_size", "bad_words_ids",
    "min_new_tokens", "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens",
    "begin_suppress_tokens", "stop_strings", "max_time", "watermarking_config", "constraints", "force_words_ids",
    "penalty_alpha", "dola_layers", "prompt_lookup_num_tokens", "custom_generate", "diversity_penalty",
    "num_beam_groups", "token_healing", "cache_implementation",
)  # fmt: skip
"""Settings of a checkpoint's generation_config.json that only transformers' `generate` follows."""
_OFF = (None, False, 0, 0.0, 1, 1.0)
"""Values with which these settings have no effect."""


def unknown_rules(checkpoint: GenerationConfig) -> list[str]:
    """Return the names of a checkpoint's settings that change what is generated and that `Rules` does not have."""
    values = {name: getattr(checkpoint, name, None) for name in _UNKNOWN}
    return [name for name, value in values.items() if value not in _OFF]


@dataclass(frozen=True)
class Rules:
    """Rules that change the logits of each step before a token is chosen, in the order of transformers' processors."""

    longest: int
    """Number of steps."""
    penalty: float = 1.0
    """Divide the positive logits of tokens of the prompt and the text by this, and multiply negative ones by it."""
    ngram: int = 0
    """Size of n-grams that a text must not repeat; 0: no limit."""
    first: Sequence[int] = ()
    """Tokens of which one must come first; empty allows all. mBART begins a summary with its language."""
    last: Sequence[int] = ()
    """Tokens of which one must come in the last step; empty allows all."""

    def __call__(self, logits: torch.Tensor, prompt: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Return the changed logits [rows, vocabulary] after the tokens [rows, steps]; `prompt` [rows, n] counts for `penalty`."""
        step = tokens.shape[1]
        if step == 0 and self.first:
            logits = _only(logits, self.first)
        if step + 1 == self.longest and self.last:
            logits = _only(logits, self.last)
        if self.penalty != 1.0:
            logits = penalized(logits, torch.cat([prompt, tokens], 1), self.penalty)
        if 0 < self.ngram <= step:
            logits = without_repeated(logits, tokens, self.ngram)
        return logits


def forced(checkpoint: Any, name: str) -> list[int]:
    """Return the token ids of a setting that forces one of them, such as forced_bos_token_id; empty when it is not set."""
    value = getattr(checkpoint, name, None)
    return [] if value is None else [value] if isinstance(value, int) else list(value)


def _only(logits: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
    changed = torch.full_like(logits, -math.inf)
    changed[:, list(tokens)] = 0.0
    return changed


def without_repeated(logits: torch.Tensor, tokens: torch.Tensor, size: int) -> torch.Tensor:
    """Return logits with -inf for every token that would repeat an n-gram of the tokens [rows, steps], steps at least `size`."""
    grams = tokens.unfold(1, size, 1)
    begun = tokens[:, tokens.shape[1] - size + 1 :]
    again = (grams[..., :-1] == begun.unsqueeze(1)).all(-1)
    # Tokens that are not banned write -inf into a column behind the vocabulary.
    wider = torch.nn.functional.pad(logits, (0, 1))
    banned = torch.where(again, grams[..., -1], logits.shape[-1])
    return wider.scatter(1, banned, -math.inf)[:, :-1]
