"""Decode with transformers, which is always installed (engine hf)."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch.distributed.fsdp import FSDPModule
from transformers import NoRepeatNGramLogitsProcessor, PreTrainedModel, PreTrainedTokenizerFast

from common.generation import fixed_steps, stepping
from common.generation.attention import decoding_attention
from common.generation.batch_size import tokens_at_once
from common.generation.by_generate import by_generate
from common.generation.config import DecodingConfig
from common.generation.decoder import Decoder, candidates_of, end_tokens, with_samples
from common.generation.halving import Halving
from common.generation.kv_cache import unknown_cache
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

    Greedy decoding and sampling sum log-probabilities on the way. Beam search needs another forward pass for them;
    `logprobs=False` skips it and leaves them at 0.
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
    causal = not model.config.is_encoder_decoder
    ids, mask = (_left_padded if causal else _right_padded)(sources, tokenizer.pad_token_id)
    ids, mask = ids.to(model.device), mask.to(model.device)
    return by_generate(model, tokenizer, sources, ids, mask, config, seed, logprobs)


def can_step(model: PreTrainedModel, config: DecodingConfig) -> bool:
    """Return whether `stepping` can decode: not with beam search, an encoder-decoder, a sharded model or an unknown cache.

    All processes must call a sharded model equally often, which only transformers' `generate` ensures.
    """
    searched = config.temperature == 0 and config.beams > 1
    if model.config.is_encoder_decoder or searched or isinstance(model, FSDPModule):
        return False
    return not unknown_cache(model)


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
    """Return the candidates of each source, decoded with `stepping`.

    `allowed`: the allowed token ids, to which those of the sources are added; empty allows all.
    `samples`: when not 0, one greedy candidate and this many samples, for which the source is read only once.
    """
    temperature = config.samples_temperature if samples else config.temperature
    ids, mask = _left_padded(sources, tokenizer.pad_token_id)
    ends = end_tokens(model.generation_config, tokenizer)
    copies = config.candidates + samples
    numbers = Numbers(seed, sources, copies, model.device)
    if config.compiled:
        fixed_steps.require_fixed(model, allowed)
    found = stepping.generate(
        model,
        ids.to(model.device),
        mask.to(model.device),
        copies=copies,
        longest=config.max_new_tokens,
        ends=ends,
        choose=sampler(temperature, config.top_p, numbers) if temperature > 0 else greedy,
        greedy_first=samples > 0,
        penalty=config.repetition_penalty,
        warp=NoRepeatNGramLogitsProcessor(config.no_repeat_ngram) if config.no_repeat_ngram else None,
        allowed_tokens=sorted({*allowed, *(token for source in sources for token in source)})
        if allowed
        else (),
        fixed_step=fixed_steps.compiled(model) if config.compiled else None,
    )

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
        if not (config.samples and config.temperature == 0 and can_step(self.model, config)):
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
