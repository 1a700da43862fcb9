"""Define the settings of decoding, and the grid of settings to try on dev."""

from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Len

from common.core.errors import UserError
from common.core.ranges import LOWEST_TEMPERATURE, Temperature

Beams = Annotated[int, Ge(1), Le(64)]
LengthPenalty = Annotated[float, Ge(-10), Le(10)]
NgramSize = Annotated[int, Ge(0), Le(100)]
TOKENS_AT_ONCE = 16384
"""What `tokens_at_once` means with `auto` on a CPU."""
MOST_ROWS = 512
"""Most rows of a batch with `tokens_at_once` `auto`: more of them hardly decode faster on any GPU."""


@dataclass(frozen=True)
class DecodingConfig:
    """Settings of decoding."""

    candidates: Annotated[int, Ge(1), Le(256)] = 4
    """Number of candidates kept per dialogue, best first."""
    beams: Beams = 4
    """Beam width; 1 with `temperature` 0 is greedy decoding."""
    samples: Annotated[int, Ge(0), Le(1024)] = 0
    """Number of additional candidates that are sampled and follow the others: a consensus needs varied candidates."""
    samples_temperature: Temperature = 0.5
    """Temperature of these samples."""
    temperature: Annotated[float, Ge(0), Le(10)] = 0.0
    """Sampling temperature of the candidates; 0: greedy decoding or beam search."""
    top_p: Annotated[float, Gt(0), Le(1)] = 0.95
    """Nucleus sampling: sample from the smallest set of tokens with at least this probability."""
    max_new_tokens: Annotated[int, Ge(1), Le(32_768)] = 128
    """Longest summary, in tokens."""
    length_penalty: LengthPenalty = 1.0
    """Exponent of the length by which a beam's log-probability is divided."""
    no_repeat_ngram: NgramSize = 0
    """Size of n-grams that a summary must not repeat, in tokens; 0: no limit."""
    repetition_penalty: Annotated[float, Ge(1), Le(10)] = 1.0
    """Divide the positive logits of tokens already written by this and multiply negative ones by it; 1: no penalty. Of a
    causal model, the tokens of the prompt count too, as in transformers and vLLM."""
    tokens_at_once: Literal["auto"] | Annotated[int, Ge(1), Le(2**31)] = "auto"
    """Most tokens of one batch: rows times (longest source + max_new_tokens) times beams or samples. auto: 16,384 on a CPU;
    on a GPU what its free memory holds, up to 512 rows."""
    engine: Literal["hf", "ctranslate2", "vllm"] = "hf"
    """hf: every model on every device; ctranslate2: BART and mBART, faster on a CPU; vllm: causal models on a GPU."""
    merge: Literal["auto"] | bool = "auto"
    """Engine hf: merge adapters into 16-bit weights before decoding, which is faster; with true, evaluations in training do
    it too. auto: on a GPU whose memory holds these weights."""
    compiled: bool = False
    """Engine hf, causal models with full attention: compile the decoding step, and replay it on a GPU as a CUDA graph. The
    first batch takes minutes longer; not yet measured on a GPU."""
    ct2_weights: Literal["float32", "int8"] = "float32"
    """Type of the weights in ctranslate2; int8 is faster, but some summaries differ."""
    vllm_gpus: Annotated[int, Ge(1), Le(1024)] = 1
    """Number of GPUs over which vllm shards the model, for each process; only for models that do not fit on one GPU."""
    vllm_quantization: Literal["auto", "none", "trained"] = "auto"
    """Weights in vllm. none: not quantized, also after QLoRA; trained: as in training; auto: none if they take at most 70 %
    of the GPU's memory, else trained."""

    def require_consistent(self) -> None:
        """Raise UserError for settings that cannot be combined, and for a temperature that overflows."""
        if self.compiled and (self.engine != "hf" or (not self.temperature and self.beams > 1)):
            raise UserError(
                "--compiled true: only the engine hf compiles its decoding step, and not that of beam search; use --engine hf "
                "--beams 1 --candidates 1 with --samples, or leave --compiled out."
            )
        if 0 < self.temperature < LOWEST_TEMPERATURE:
            raise UserError(
                f"--temperature: found {self.temperature}, wanted 0 (no sampling) or a number from "
                f"{LOWEST_TEMPERATURE} to 10."
            )
        if not self.temperature and self.candidates > self.beams:
            raise UserError(
                f"--candidates {self.candidates} needs at least as many --beams (now {self.beams}), "
                "or sampling with --temperature above 0."
            )


@dataclass(frozen=True)
class GridConfig:
    """Decoding settings to try on dev, in every combination."""

    beams: Annotated[tuple[Beams, ...], Len(1, 32)] = (4,)
    """Beam widths to try."""
    length_penalties: Annotated[tuple[LengthPenalty, ...], Len(1, 32)] = (1.0,)
    """Exponents of the length to try."""
    no_repeat_ngrams: Annotated[tuple[NgramSize, ...], Len(1, 32)] = (0,)
    """Sizes of n-grams to try that a summary must not repeat; 0: no limit."""


def grid(config: DecodingConfig, choices: GridConfig) -> list[DecodingConfig]:
    """Return the settings for every combination in `choices`, each of which searches for one best summary."""
    combinations = product(choices.beams, choices.length_penalties, choices.no_repeat_ngrams)
    return [
        replace(config, candidates=1, samples=0, beams=beams, length_penalty=penalty, no_repeat_ngram=size)
        for beams, penalty, size in combinations
    ]
