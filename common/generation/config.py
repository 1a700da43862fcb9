"""Define the settings of decoding, and the grid of settings to try on dev."""

from dataclasses import dataclass, replace
from itertools import product
from typing import Literal


@dataclass(frozen=True)
class DecodingConfig:
    """Settings of decoding."""

    candidates: int = 4
    """Number of candidates kept per dialogue, best first."""
    beams: int = 4
    """Beam width; 1 with `temperature` 0 is greedy decoding."""
    samples: int = 0
    """Number of additional candidates that are sampled and follow the others: a consensus needs varied candidates."""
    samples_temperature: float = 0.5
    """Temperature of these samples."""
    temperature: float = 0.0
    """Sampling temperature of the candidates; 0: greedy decoding or beam search."""
    top_p: float = 0.95
    """Nucleus sampling: sample from the smallest set of tokens with at least this probability."""
    max_new_tokens: int = 128
    """Longest summary, in tokens."""
    length_penalty: float = 1.0
    """Exponent of the length by which a beam's log-probability is divided."""
    no_repeat_ngram: int = 0
    """Size of n-grams that a summary must not repeat, in tokens; 0: no limit."""
    tokens_at_once: int = 16384
    """Most tokens of one batch: rows times (longest source + max_new_tokens) times beams or samples."""
    engine: Literal["hf", "ctranslate2", "vllm"] = "hf"
    """hf: every model on every device; ctranslate2: BART and mBART, faster on a CPU; vllm: causal models on a GPU."""
    merge: bool = False
    """Engine hf: merge adapters into 16-bit weights before decoding, which is faster; evaluations in training do it too."""
    ct2_weights: Literal["float32", "int8"] = "float32"
    """Type of the weights in ctranslate2; int8 is faster, but some summaries differ."""
    vllm_gpus: int = 1
    """Number of GPUs over which vllm shards the model."""


@dataclass(frozen=True)
class GridConfig:
    """Decoding settings to try on dev, in every combination."""

    beams: tuple[int, ...] = (4,)
    length_penalties: tuple[float, ...] = (1.0,)
    no_repeat_ngrams: tuple[int, ...] = (0,)


def grid(config: DecodingConfig, choices: GridConfig) -> list[DecodingConfig]:
    """Return the settings for every combination in `choices`, each of which searches for one best summary."""
    combinations = product(choices.beams, choices.length_penalties, choices.no_repeat_ngrams)
    return [
        replace(config, candidates=1, samples=0, beams=beams, length_penalty=penalty, no_repeat_ngram=size)
        for beams, penalty, size in combinations
    ]
