"""Decode with transformers, which is always installed (engine hf)."""

import logging
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import torch
from torch.distributed.fsdp import FSDPModule
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from common.generation import fixed_steps, steppers, stepping
from common.generation.attention import decoding_attention
from common.generation.batch_size import tokens_at_once
from common.generation.beam_search import search
from common.generation.by_generate import by_generate
from common.generation.config import DecodingConfig
from common.generation.decoder import Decoder, candidates_of, end_tokens, with_samples
from common.generation.halving import Halving
from common.generation.kv_cache import unknown_cache
from common.generation.linear import fast_linear
from common.generation.rules import Rules, forced, unknown_rules
from common.generation.sampling import Numbers, greedy, sampler
from common.generation.stepping import Generated
from common.runs.candidates import Candidate

log = logging.getLogger(__name__)


def _left_padded(sources: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, sources))
    ids = torch.full((len(sources), width), pad, dtype=torch.long)
    mask = torch.zeros((len(sources), width), dtype=torch.long)
    for row, source in enumerate(sources):
        ids[row, width - len(source) :] = torch.as_tensor(source)
        mask[row, width - len(source) :] = 1
    return ids, mask


def _right_padded(sources: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    ids, mask = _left_padded([source[::-1] for source in sources], pad)
    return ids.flip(1), mask.flip(1)


@torch.inference_mode()
def decode(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    sources: Sequence[Sequence[int]],
    config: DecodingConfig,
    *,
    logprobs: bool = True,
    allowed_tokens: Collection[int] = (),
    seed: int | None = None,
) -> list[list[Candidate]]:
    """Return the candidates of each source (token ids), best first, decoded as one batch.

    Log-probabilities are summed on the way, except where transformers' `generate` searches with beams: there they need
    another forward pass, which `logprobs=False` skips; it leaves them at 0.
    `allowed_tokens`: the allowed token ids; empty allows all. Greedy decoding and sampling by a causal model then generate only
    these and the tokens of the batch's sources; beam search and encoder-decoders ignore `allowed_tokens`.
    `seed`: what samples depend on besides their source; None: the state of torch's random number generator.
    Raises UserError when beam search is asked for more candidates than it has beams.
    """
    config.require_consistent()
    if seed is None:
        seed = int(torch.randint(2**62, ())) if config.temperature > 0 else 0
    if can_step(model, config):
        stepped: list[list[Candidate]] = _by_stepping(model, tokenizer, sources, config, allowed_tokens, seed)
        return stepped
    ids, mask = _padded(model, tokenizer, sources)
    return by_generate(model, tokenizer, sources, ids, mask, config, seed, logprobs)


def _padded(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, sources: Sequence[Sequence[int]]
) -> tuple[torch.Tensor, torch.Tensor]:
    side = _right_padded if model.config.is_encoder_decoder else _left_padded
    ids, mask = side(sources, tokenizer.pad_token_id)
    return ids.to(model.device), mask.to(model.device)


def can_step(model: PreTrainedModel, config: DecodingConfig) -> bool:
    """Return whether our own loops can decode: not a sharded model, one with an unknown cache, or unknown rules.

    All processes must call a sharded model equally often, which only transformers' `generate` ensures.
    """
    if isinstance(model, FSDPModule) or unknown_cache(model):
        return False
    encodes = model.config.is_encoder_decoder
    if encodes and model.config.model_type not in steppers.KNOWN:
        return False
    return not ((encodes or _searches(config)) and unknown_rules(model.generation_config))


def _searches(config: DecodingConfig) -> bool:
    return config.temperature == 0 and config.beams > 1


@torch.inference_mode()
def _by_stepping(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    sources: Sequence[Sequence[int]],
    config: DecodingConfig,
    allowed: Collection[int],
    seed: int,
    samples: int = 0,
) -> list[list[Candidate]]:
    """Return the candidates of each source, decoded with `stepping` or `beam_search`.

    `allowed`: the allowed token ids, to which those of the sources are added; empty allows all.
    `samples`: when not 0, one greedy candidate and this many samples, for which the source is read only once.
    """
    ids, mask = _padded(model, tokenizer, sources)
    ends = end_tokens(model.generation_config, tokenizer)
    rules = _rules(model, config)
    if config.compiled:
        fixed_steps.require_fixed(model, allowed)
    step = fixed_steps.compiled(model) if config.compiled else None
    searched, temperature = _searches(config), config.samples_temperature if samples else config.temperature
    if allowed and not searched:
        allowed = {*allowed, *ends, *(token for source in sources for token in source)}
    kept = () if searched else sorted(allowed)
    with (
        nullcontext() if step else fast_linear(model),
        steppers.reading(model, ids, mask, kept, step) as stepper,
    ):
        if searched:
            found = search(
                stepper, beams=config.beams, candidates=config.candidates, ends=ends,
                length_penalty=config.length_penalty, rules=rules,
            )  # fmt: skip
        else:
            copies = config.candidates + samples
            # The samples of an encoder-decoder are the same with a greedy candidate as without.
            apart = config.candidates if samples and model.config.is_encoder_decoder else 0
            numbers = Numbers(seed, sources, copies, model.device, greedy=apart)
            found = stepping.generate(
                stepper, copies=copies, ends=ends, rules=rules, greedy_first=samples > 0,
                choose=sampler(temperature, config.top_p, numbers) if temperature > 0 else greedy,
            )  # fmt: skip

    def candidates(rows: Sequence[Generated], count: int, temperature: float) -> list[list[Candidate]]:
        settings = replace(config, candidates=count, temperature=temperature)
        tokens, logprobs = [row.tokens for row in rows], [row.logprob for row in rows]
        return candidates_of(tokens, logprobs, tokenizer, settings, ends)

    if not samples:
        return candidates(found, config.candidates, config.temperature)
    width = 1 + samples
    first = candidates(found[::width], 1, 0.0)
    sampled = candidates([row for i, row in enumerate(found) if i % width], samples, temperature)
    return [one + more for one, more in zip(first, sampled, strict=True)]


def _rules(model: PreTrainedModel, config: DecodingConfig) -> Rules:
    """Return the rules of the settings, and those of the checkpoint that transformers' `generate` follows."""
    checkpoint, causal = model.generation_config, not model.config.is_encoder_decoder
    return Rules(
        longest=config.max_new_tokens,
        penalty=config.repetition_penalty,
        ngram=config.no_repeat_ngram,
        first=() if causal else forced(checkpoint, "forced_bos_token_id"),
        last=forced(checkpoint, "forced_eos_token_id") if not causal or _searches(config) else (),
    )


@dataclass(frozen=True)
class HFDecoder:
    """A decoder that uses transformers, for every architecture and device."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    allowed_tokens: Collection[int] = ()
    """The allowed token ids, as in `decode`."""
    logprobs: bool = True
    """Whether to compute log-probabilities, as in `decode`."""
    made_with: str = ""
    """What the candidates depend on besides model and settings, such as a precision chosen by the GPU's memory."""
    _budgets: dict[DecodingConfig, int] = field(default_factory=dict)

    def __call__(
        self, sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int
    ) -> list[list[Candidate]]:
        """Return the candidates of each source."""
        with decoding_attention(self.model):
            return self._decode(sources, config, seed)

    def _decode(
        self, sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int
    ) -> list[list[Candidate]]:
        together = config.samples and config.temperature == 0 and not _searches(config)
        if not (together and can_step(self.model, config)):
            return with_samples(self._once)(sources, config, seed)
        config.require_consistent()
        found: list[list[Candidate]] = _by_stepping(
            self.model, self.tokenizer, sources, config, self.allowed_tokens, seed, config.samples
        )
        return found

    def _once(
        self, sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int
    ) -> list[list[Candidate]]:
        found: list[list[Candidate]] = decode(
            self.model,
            self.tokenizer,
            sources,
            config,
            logprobs=self.logprobs,
            allowed_tokens=self.allowed_tokens,
            seed=seed,
        )
        return found

    def tokens_at_once(self, config: DecodingConfig) -> int:
        """Return the token budget of a batch for `--tokens-at-once auto`; the same for the same settings."""
        if config not in self._budgets:
            self._budgets[config] = tokens_at_once(self.model, config)
        return self._budgets[config]


def hf_decoder(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    allowed_tokens: Collection[int] = (),
    made_with: str = "",
) -> Decoder:
    """Return a decoder that uses transformers, and continues with smaller batches when memory runs out.

    `allowed_tokens`: the allowed token ids, as in `decode`. `made_with`: as in HFDecoder.
    """
    warn_of_slow_decoding(model)
    return Halving(
        HFDecoder(model, tokenizer, allowed_tokens, made_with=made_with), shared=isinstance(model, FSDPModule)
    )


def warn_of_slow_decoding(model: PreTrainedModel) -> None:
    """Log a warning when `stepping` cannot decode a causal model because of its cache."""
    if not model.config.is_encoder_decoder and (name := unknown_cache(model)):
        log.warning(
            "%s: this kind of cache cannot be decoded step by step; transformers' generate decodes it, more slowly and "
            "without limiting the vocabulary.",
            name,
        )
