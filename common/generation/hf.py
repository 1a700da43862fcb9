"""Decode with transformers, which is always installed (engine hf)."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import torch
from peft import PeftModel
from torch.distributed.fsdp import FSDPModule
from torch.nn import functional
from transformers import (
    GenerationConfig as HFGenerationConfig,
)
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    NoRepeatNGramLogitsProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    StoppingCriteria,
    StoppingCriteriaList,
)

from common.generation import stepping
from common.generation.config import DecodingConfig
from common.generation.decoder import Decoder, candidates_of, end_tokens, with_samples
from common.generation.stepping import Generated
from common.models.logits import target_logits
from common.runs.candidates import Candidate
from common.tokenization.batches import IGNORE, collate_causal, collate_seq2seq

LOGITS_AT_ONCE = 2**27
"""Most logits held in memory while candidates are scored."""


class _NoRepeatOfGenerated(LogitsProcessor):
    """N-gram blocking that ignores the prompt, so that a summary may repeat n-grams of the dialogue."""

    def __init__(self, size: int, prompt: int) -> None:
        self.inner, self.prompt = NoRepeatNGramLogitsProcessor(size), prompt

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return self.inner(input_ids[:, self.prompt :], scores)


class _ChosenLogprobs(StoppingCriteria):
    """Record the log-probability of every chosen token, from the model's raw logits; never stop decoding.

    `remember` is a forward hook of the model, because the scores that `generate` passes on may already be warped.
    """

    def __init__(self) -> None:
        self.logits = torch.empty(0)
        self.steps: list[torch.Tensor] = []

    def remember(self, _model: torch.nn.Module, _inputs: Any, output: Any) -> None:
        self.logits = output.logits[:, -1]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        logits = self.logits.float()
        chosen = logits.gather(1, input_ids[:, -1:].to(logits.device)).squeeze(1)
        self.steps.append(chosen - logits.logsumexp(-1))
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    def sums(self, lengths: Sequence[int]) -> list[float]:
        """Return the sum over the first `lengths` tokens of each row; the tokens after these are padding."""
        steps = torch.stack(self.steps, dim=1)
        counted = torch.arange(steps.shape[1]) < torch.as_tensor(lengths).unsqueeze(1)
        sums: list[float] = steps.masked_fill(~counted.to(steps.device), 0.0).sum(1).tolist()
        return sums


def _hf_config(model: PreTrainedModel, config: DecodingConfig, tokenizer: PreTrainedTokenizerFast) -> Any:
    sampled = config.temperature > 0
    settings: dict[str, Any] = {
        "max_new_tokens": config.max_new_tokens,
        "num_return_sequences": config.candidates,
        "do_sample": sampled,
        "num_beams": 1 if sampled else config.beams,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": end_tokens(model.generation_config, tokenizer),
        "decoder_start_token_id": getattr(model.config, "decoder_start_token_id", None),
        "forced_bos_token_id": getattr(model.generation_config, "forced_bos_token_id", None),
        # `generate` would take unset values from the checkpoint's generation_config.json.
        "min_length": 0,
        "no_repeat_ngram_size": 0,
        "repetition_penalty": 1.0,
    }
    if sampled:
        settings |= {"temperature": config.temperature, "top_p": config.top_p, "top_k": 0}
    elif config.beams > 1:
        settings |= {"length_penalty": config.length_penalty, "early_stopping": True}
    return HFGenerationConfig(**settings)


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
) -> list[list[Candidate]]:
    """Return the candidates of each source (token ids), best first, decoded as one batch.

    Greedy decoding and sampling sum log-probabilities on the way. Beam search needs another forward pass for them;
    `logprobs=False` skips it and leaves them at 0.
    `allowed_tokens`: the allowed token ids; empty allows all. Greedy decoding and sampling by a causal model then generate only
    these and the tokens of the batch's sources; beam search and encoder-decoders ignore `allowed_tokens`.
    Raises UserError when beam search is asked for more candidates than it has beams.
    """
    config.require_consistent()
    if _can_step(model, config):
        stepped: list[list[Candidate]] = _by_stepping(model, tokenizer, sources, config, allowed_tokens)
        return stepped
    causal = not model.config.is_encoder_decoder
    ids, mask = (_left_padded if causal else _right_padded)(sources, tokenizer.pad_token_id)
    return _by_generate(
        model, tokenizer, sources, ids.to(model.device), mask.to(model.device), config, logprobs
    )


def _can_step(model: PreTrainedModel, config: DecodingConfig) -> bool:
    """Return whether `stepping` can decode: not with beam search, an encoder-decoder or a sharded model.

    All processes must call a sharded model equally often, which only transformers' `generate` ensures.
    """
    searched = config.temperature == 0 and config.beams > 1
    return not (model.config.is_encoder_decoder or searched or isinstance(model, FSDPModule))


@torch.inference_mode()
def _by_stepping(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    sources: Sequence[Sequence[int]],
    config: DecodingConfig,
    allowed: Collection[int],
    samples: int = 0,
) -> list[list[Candidate]]:
    """Return the candidates of each source, decoded with `stepping`.

    `allowed`: the allowed token ids, to which those of the sources are added; empty allows all.
    `samples`: when not 0, one greedy candidate and this many samples, for which the source is read only once.
    """
    temperature = config.samples_temperature if samples else config.temperature
    ids, mask = _left_padded(sources, tokenizer.pad_token_id)
    ends = end_tokens(model.generation_config, tokenizer)
    found = stepping.generate(
        model,
        ids.to(model.device),
        mask.to(model.device),
        copies=config.candidates + samples,
        longest=config.max_new_tokens,
        ends=ends,
        choose=stepping.sampler(temperature, config.top_p) if temperature > 0 else stepping.greedy,
        greedy_first=samples > 0,
        warp=NoRepeatNGramLogitsProcessor(config.no_repeat_ngram) if config.no_repeat_ngram else None,
        allowed_tokens=sorted({*allowed, *(token for source in sources for token in source)})
        if allowed
        else (),
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


def _by_generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    sources: Sequence[Sequence[int]],
    ids: torch.Tensor,
    mask: torch.Tensor,
    config: DecodingConfig,
    logprobs: bool,
) -> list[list[Candidate]]:
    """Return the candidates of each source, decoded with transformers' `generate`: beam search and encoder-decoders."""
    causal = not model.config.is_encoder_decoder
    pad = tokenizer.pad_token_id
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
    start = ids.shape[1] if causal else 1  # the generated tokens follow the padded prompt or the start token
    blocking = [_NoRepeatOfGenerated(config.no_repeat_ngram, start)] if config.no_repeat_ngram else []
    summing = logprobs and (config.temperature > 0 or config.beams == 1)
    chosen = _ChosenLogprobs()
    inner = model.get_base_model() if isinstance(model, PeftModel) else model
    hook = inner.register_forward_hook(chosen.remember) if summing else None
    try:
        sequences = model.generate(
            **inputs,
            generation_config=_hf_config(model, config, tokenizer),
            logits_processor=LogitsProcessorList(blocking),
            stopping_criteria=StoppingCriteriaList([chosen] if summing else []),
            # All processes call a sharded model equally often, until the last one has finished its summaries.
            synced_gpus=isinstance(model, FSDPModule),
        )
    finally:
        if hook is not None:
            hook.remove()
    ends = end_tokens(model.generation_config, tokenizer)
    generated = [_until_end(row, ends, pad) for row in sequences[:, start:].tolist()]
    repeated = [source for source in sources for _ in range(config.candidates)]
    if summing:
        scores = chosen.sums([len(tokens) for tokens in generated])
    else:
        scores = sequence_logprobs(model, repeated, generated, pad) if logprobs else [0.0] * len(generated)
    return candidates_of(generated, scores, tokenizer, config, ends)


def _until_end(tokens: list[int], ends: Sequence[int], pad: int) -> list[int]:
    """Return the tokens up to and including the first end token, without padding."""
    for index, token in enumerate(tokens):
        if token in ends:
            return tokens[: index + 1]
    while tokens and tokens[-1] == pad:
        tokens = tokens[:-1]
    return tokens


@torch.inference_mode()
def sequence_logprobs(
    model: PreTrainedModel, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], pad: int
) -> list[float]:
    """Return log p(target | source) of each pair, in nats, from teacher-forced forward passes.

    The scores of `generate` are no use here: beam search divides them by the length, sampling warps them.
    """
    collate = collate_seq2seq if model.config.is_encoder_decoder else collate_causal
    longest = max(map(len, targets))
    size = max(1, LOGITS_AT_ONCE // (longest * model.get_output_embeddings().weight.shape[0]))
    found: list[float] = []
    for start in range(0, len(sources), size):
        pairs = zip(sources[start : start + size], targets[start : start + size], strict=True)
        batch = collate([{"source": s, "target": t} for s, t in pairs], pad)
        batch = {name: value.to(model.device) for name, value in batch.items()}
        logits, labels = target_logits(model, batch)
        losses = functional.cross_entropy(logits.float(), labels, reduction="none")
        rows = (batch["labels"] != IGNORE).nonzero()[:, 0]
        sums = losses.new_zeros(len(batch["labels"])).index_add_(0, rows, losses)
        found += [-value for value in sums.tolist()]
    return found


def hf_decoder(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, allowed_tokens: Collection[int] = ()
) -> Decoder:
    """Return a decoder that uses transformers, for every architecture and device.

    `allowed_tokens`: the allowed token ids, as in `decode`.
    """

    def once(sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int) -> list[list[Candidate]]:
        torch.manual_seed(seed)
        found: list[list[Candidate]] = decode(
            model, tokenizer, sources, config, allowed_tokens=allowed_tokens
        )
        return found

    twice = with_samples(once)

    def run(sources: Sequence[Sequence[int]], config: DecodingConfig, seed: int) -> list[list[Candidate]]:
        if not (config.samples and config.temperature == 0 and _can_step(model, config)):
            return twice(sources, config, seed)
        config.require_consistent()
        torch.manual_seed(seed)
        found: list[list[Candidate]] = _by_stepping(
            model, tokenizer, sources, config, allowed_tokens, config.samples
        )
        return found

    return run
