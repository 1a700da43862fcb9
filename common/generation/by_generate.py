"""Decode with transformers' `generate`: sharded models, and models or checkpoints that our own loops cannot decode."""

from collections.abc import Sequence
from typing import Any

import torch
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
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
)

from common.generation.config import DecodingConfig
from common.generation.decoder import candidates_of, end_tokens
from common.generation.kv_cache import without_adapters
from common.generation.sampling import Choose, Numbers, sampler
from common.models.logits import target_logits
from common.runs.candidates import Candidate
from common.tokenization.batches import IGNORE, collate_causal, collate_seq2seq

LOGITS_AT_ONCE = 2**27
"""Most logits held in memory while candidates are scored."""


class _OfGenerated(LogitsProcessor):
    """A processor that only sees the generated tokens: a summary may repeat n-grams of the dialogue, and the start token is
    no part of it."""

    def __init__(self, inner: LogitsProcessor, start: int) -> None:
        self.inner, self.start = inner, start

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return self.inner(input_ids[:, self.start :], scores)


class _Sampled(LogitsProcessor):
    """Sample with our own random numbers, and leave `generate` no other token to choose."""

    def __init__(self, choose: Choose, start: int) -> None:
        self.choose, self.start = choose, start

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        rows = torch.arange(len(scores), device=scores.device)
        chosen = self.choose(scores, rows, input_ids.shape[1] - self.start)
        return torch.full_like(scores, -torch.inf).scatter(1, chosen.unsqueeze(1), 0.0)


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
        # Of an encoder-decoder only the generated tokens count, without the start token (`_OfGenerated`).
        "repetition_penalty": 1.0 if model.config.is_encoder_decoder else float(config.repetition_penalty),
    }
    if sampled:  # by `_Sampled`
        settings |= {"temperature": 1.0, "top_p": 1.0, "top_k": 0}
    elif config.beams > 1:
        settings |= {"length_penalty": config.length_penalty, "early_stopping": True}
    return HFGenerationConfig(**settings)


def by_generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    sources: Sequence[Sequence[int]],
    ids: torch.Tensor,
    mask: torch.Tensor,
    config: DecodingConfig,
    seed: int,
    logprobs: bool,
) -> list[list[Candidate]]:
    """Return the candidates of each source, decoded with transformers' `generate`."""
    causal = not model.config.is_encoder_decoder
    pad = tokenizer.pad_token_id
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
    start = ids.shape[1] if causal else 1  # the generated tokens follow the padded prompt or the start token
    processors = LogitsProcessorList()
    if config.repetition_penalty != 1.0 and not causal:
        penalty = RepetitionPenaltyLogitsProcessor(float(config.repetition_penalty))
        processors.append(_OfGenerated(penalty, start))
    if config.no_repeat_ngram:
        processors.append(_OfGenerated(NoRepeatNGramLogitsProcessor(config.no_repeat_ngram), start))
    if config.temperature > 0:
        numbers = Numbers(seed, sources, config.candidates, ids.device)
        processors.append(_Sampled(sampler(config.temperature, config.top_p, numbers), start))
    summing = logprobs and (config.temperature > 0 or config.beams == 1)
    chosen = _ChosenLogprobs()
    inner = without_adapters(model)
    hook = inner.register_forward_hook(chosen.remember) if summing else None
    try:
        sequences = model.generate(
            **inputs,
            generation_config=_hf_config(model, config, tokenizer),
            logits_processor=processors,
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
