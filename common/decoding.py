"""How summaries are decoded: settings, what an engine is, and its tokens made candidates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from transformers import GenerationConfig as HFGenerationConfig
from transformers import PreTrainedTokenizerFast

from common.candidates import Candidate
from common.errors import UserError

Decoder = Callable[[Sequence[Sequence[int]], "DecodingConfig", int], list[list[Candidate]]]
"""(sources as token ids, settings, seed) → candidates of each, best first, then the samples wanted besides: what an
engine is to `generate`."""


@dataclass(frozen=True)
class DecodingConfig:
    """How summaries are decoded."""

    candidates: int = 4
    """Candidates kept a dialogue, best first."""
    beams: int = 4
    """Beam width; 1 with `temperature` 0 is greedy decoding."""
    samples: int = 0
    """Candidates sampled besides and kept behind the searched ones: consensus wants voices that differ."""
    samples_temperature: float = 0.5
    """Temperature of those samples."""
    temperature: float = 0.0
    """Above 0 the candidates are sampled instead of searched."""
    top_p: float = 0.95
    """Nucleus of sampling: the smallest set of tokens with this probability."""
    max_new_tokens: int = 128
    """Longest summary, in tokens."""
    length_penalty: float = 1.0
    """Exponent of the length by which a beam's log-probability is divided."""
    no_repeat_ngram: int = 0
    """No n-gram of this many generated tokens occurs twice; 0 switches it off."""
    tokens_at_once: int = 16384
    """Rows times (longest source + max_new_tokens) times beams of one batch."""
    engine: Literal["hf", "ctranslate2", "vllm"] = "hf"
    """hf: every model, everywhere; ctranslate2: BART and mBART, faster on a CPU; vllm: causal models on a GPU."""
    merge: bool = False
    """hf: add adapters into 16-bit weights first: faster, and scored as such."""
    ct2_weights: Literal["float32", "int8"] = "float32"
    """What ctranslate2 keeps the weights in; int8 is faster still, and its summaries differ here and there."""
    average_with: tuple[str, ...] = ()
    """hf: other runs of the same vocabulary that decode together with this one, each token by the geometric mean of
    all distributions; they read what this run's infer makes of a dialogue."""
    vllm_gpus: int = 1
    """GPUs that vllm spreads one model over."""


@dataclass(frozen=True)
class GridConfig:
    """Decodings to try on dev: every combination."""

    beams: tuple[int, ...] = (4,)
    length_penalties: tuple[float, ...] = (1.0,)
    no_repeat_ngrams: tuple[int, ...] = (0,)


def grid(config: DecodingConfig, choices: GridConfig) -> list[DecodingConfig]:
    """Every combination as a setting that searches for the one best summary."""
    combinations = product(choices.beams, choices.length_penalties, choices.no_repeat_ngrams)
    return [
        replace(config, candidates=1, samples=0, beams=beams, length_penalty=penalty, no_repeat_ngram=size)
        for beams, penalty, size in combinations
    ]


def with_samples(decoder: Decoder) -> Decoder:
    """A decoder that also samples, of one that gives the `config.candidates` alone."""

    def run(sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int) -> list[list[Candidate]]:
        found = decoder(sources, config, seed)
        if config.samples:
            sampling = replace(config, candidates=config.samples, temperature=config.samples_temperature)
            sampled = decoder(sources, sampling, seed)
            found = [first + second for first, second in zip(found, sampled, strict=True)]
        return found

    return run


def require_beams(config: DecodingConfig) -> None:
    """Raises UserError when more candidates are wanted than there are beams."""
    if not config.temperature and config.candidates > config.beams:
        raise UserError(
            f"--candidates {config.candidates} wants at least as many --beams (now {config.beams}), "
            "or sampling with --temperature above 0."
        )


def end_tokens(checkpoint: HFGenerationConfig, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The ids of the tokens that end a summary: the tokenizer's, then what else the checkpoint names.

    An instruct model may end a turn with another token than a text (Gemma's <end_of_turn>).
    """
    named = checkpoint.eos_token_id
    more = [named] if isinstance(named, int) else named or []
    return list(dict.fromkeys([tokenizer.eos_token_id, *more]))


def candidates_of(
    generated: Sequence[Sequence[int]],
    logprobs: Sequence[float],
    tokenizer: PreTrainedTokenizerFast,
    config: DecodingConfig,
    ends: Sequence[int] = (),
) -> list[list[Candidate]]:
    """`config.candidates` of each source from the tokens an engine generated, end token (one of `ends`) included.

    Sampled ones are put in order, best mean log-probability first; a search has its own order.
    """
    # To the tokenizer the checkpoint's own end tokens may be words like any.
    words = [tokens[:-1] if tokens and tokens[-1] in ends else tokens for tokens in generated]
    texts = tokenizer.batch_decode(words, skip_special_tokens=True)
    flat = [
        Candidate(text.strip(), logprob, len(tokens))
        for text, logprob, tokens in zip(texts, logprobs, generated, strict=True)
    ]
    groups = [flat[i : i + config.candidates] for i in range(0, len(flat), config.candidates)]
    if config.temperature > 0:
        return [sorted(group, key=_by_mean_logprob, reverse=True) for group in groups]
    return groups


def _by_mean_logprob(candidate: Candidate) -> float:
    return (candidate.logprob or 0.0) / max(1, candidate.tokens)
