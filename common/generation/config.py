"""Decoding: its settings, the interface of an engine, and the conversion of generated tokens to candidates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from transformers import GenerationConfig as HFGenerationConfig
from transformers import PreTrainedTokenizerFast

from common.core.errors import UserError
from common.runs.candidates import Candidate

Decoder = Callable[[Sequence[Sequence[int]], "DecodingConfig", int], list[list[Candidate]]]
"""The interface of an engine for `generate`: (sources as token ids, settings, seed) → candidates of each source.

`config.candidates` come first, best first, then `config.samples`."""


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
    average_with: tuple[str, ...] = ()
    """hf: other runs of the same vocabulary that decode together with this one, each token by the geometric mean of
    all distributions; they read what this run's infer makes of a dialogue."""
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


def with_samples(decoder: Decoder) -> Decoder:
    """Return a decoder that adds `config.samples` sampled candidates to the candidates of `decoder`."""

    def run(sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int) -> list[list[Candidate]]:
        found = decoder(sources, config, seed)
        if config.samples:
            sampling = replace(config, candidates=config.samples, temperature=config.samples_temperature)
            sampled = decoder(sources, sampling, seed)
            found = [first + second for first, second in zip(found, sampled, strict=True)]
        return found

    return run


def require_beams(config: DecodingConfig) -> None:
    """Raise UserError when beam search is asked for more candidates than it has beams."""
    if not config.temperature and config.candidates > config.beams:
        raise UserError(
            f"--candidates {config.candidates} needs at least as many --beams (now {config.beams}), "
            "or sampling with --temperature above 0."
        )


def end_tokens(checkpoint: HFGenerationConfig, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Return the ids of all tokens that end a summary: the tokenizer's end token, then those of the checkpoint.

    They differ where an instruct model ends a turn with a token of its own (Gemma's <end_of_turn>).
    """
    eos = checkpoint.eos_token_id
    more = [eos] if isinstance(eos, int) else eos or []
    return list(dict.fromkeys([tokenizer.eos_token_id, *more]))


def candidates_of(
    generated: Sequence[Sequence[int]],
    logprobs: Sequence[float],
    tokenizer: PreTrainedTokenizerFast,
    config: DecodingConfig,
    ends: Sequence[int] = (),
) -> list[list[Candidate]]:
    """Return `config.candidates` candidates of each source from the token ids that an engine generated.

    `generated` includes the end token, one of `ends`. Sampled candidates are sorted in descending order of mean
    log-probability; those of a search keep its order.
    """
    # The tokenizer may not know the checkpoint's end tokens as special and would decode them as text.
    bodies = [tokens[:-1] if tokens and tokens[-1] in ends else tokens for tokens in generated]
    texts = tokenizer.batch_decode(bodies, skip_special_tokens=True)
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
