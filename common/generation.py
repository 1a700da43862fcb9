"""Dialogues to n candidate summaries each, with log-probabilities; resumable, ids never reordered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
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
)

from common import candidates as candidates_on_disk
from common.candidates import Candidate
from common.competition import Competition
from common.errors import UserError
from common.files import (
    mend_tail,
    read_json,
    sha256_texts,
    shown,
    write_json,
)
from common.progress import progress
from common.rows import Row
from common.scoring import score
from common.tokenization import (
    IGNORE,
    LengthConfig,
    collate_causal,
    collate_seq2seq,
    source_ids,
    token_budget_batches,
)


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


class _NoRepeatOfGenerated(LogitsProcessor):
    """n-gram blocking that ignores the prompt, whose words a summary may well use."""

    def __init__(self, size: int, prompt: int) -> None:
        self.inner, self.prompt = NoRepeatNGramLogitsProcessor(size), prompt

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return self.inner(input_ids[:, self.prompt :], scores)


def _hf_config(model: PreTrainedModel, config: DecodingConfig, tokenizer: PreTrainedTokenizerFast) -> Any:
    sampled = config.temperature > 0
    if not sampled and config.candidates > config.beams:
        raise UserError(
            f"--candidates {config.candidates} wants at least as many --beams (now {config.beams}), "
            "or sampling with --temperature above 0."
        )
    settings: dict[str, Any] = {
        "max_new_tokens": config.max_new_tokens,
        "num_return_sequences": config.candidates,
        "do_sample": sampled,
        "num_beams": 1 if sampled else config.beams,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "decoder_start_token_id": getattr(model.config, "decoder_start_token_id", None),
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
) -> list[list[Candidate]]:
    """Candidates of each source (token ids), best first by the decoder; one batch, one call of `generate`.

    Without `logprobs` the log-probabilities are left at 0, which saves a forward pass.
    Raises UserError when more candidates are wanted than there are beams.
    """
    causal = not model.config.is_encoder_decoder
    pad = tokenizer.pad_token_id
    ids, mask = (_left_padded if causal else _right_padded)(sources, pad)
    ids, mask = ids.to(model.device), mask.to(model.device)
    start = ids.shape[1] if causal else 1  # generated tokens follow the padded prompt, or the start token
    blocking = [_NoRepeatOfGenerated(config.no_repeat_ngram, start)] if config.no_repeat_ngram else []
    sequences = model.generate(
        input_ids=ids,
        attention_mask=mask,
        generation_config=_hf_config(model, config, tokenizer),
        logits_processor=LogitsProcessorList(blocking),
    )
    generated = [_until_end(row, tokenizer.eos_token_id, pad) for row in sequences[:, start:].tolist()]
    repeated = [source for source in sources for _ in range(config.candidates)]
    scores = sequence_logprobs(model, repeated, generated, pad) if logprobs else [0.0] * len(generated)
    texts = tokenizer.batch_decode(generated, skip_special_tokens=True)
    flat = [
        Candidate(text.strip(), logprob, len(tokens))
        for text, logprob, tokens in zip(texts, scores, generated, strict=True)
    ]
    groups = [flat[i : i + config.candidates] for i in range(0, len(flat), config.candidates)]
    if config.temperature > 0:
        return [sorted(group, key=_by_mean_logprob, reverse=True) for group in groups]
    return groups


def _by_mean_logprob(candidate: Candidate) -> float:
    return (candidate.logprob or 0.0) / max(1, candidate.tokens)


def _until_end(tokens: list[int], eos: int, pad: int) -> list[int]:
    """The tokens up to and with the end token, padding dropped."""
    if eos in tokens:
        return tokens[: tokens.index(eos) + 1]
    while tokens and tokens[-1] == pad:
        tokens = tokens[:-1]
    return tokens


@torch.inference_mode()
def sequence_logprobs(
    model: PreTrainedModel, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], pad: int
) -> list[float]:
    """log p(target | source) of each pair, in nats, by one teacher-forced forward pass.

    Decoder scores are not used: beam search divides them by length, sampling warps them.
    """
    collate = collate_seq2seq if model.config.is_encoder_decoder else collate_causal
    batch = collate([{"source": s, "target": t} for s, t in zip(sources, targets, strict=True)], pad)
    batch = {name: value.to(model.device) for name, value in batch.items()}
    labels = batch["labels"] if model.config.is_encoder_decoder else batch.pop("labels")
    logits = model(**batch, use_cache=False).logits.float()
    losses = functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORE, reduction="none")
    return [-value for value in losses.sum(dim=1).tolist()]


def _decode_with_samples(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    sources: Sequence[Sequence[int]],
    config: DecodingConfig,
) -> list[list[Candidate]]:
    found: list[list[Candidate]] = decode(model, tokenizer, sources, config)
    if config.samples:
        sampling = replace(config, candidates=config.samples, temperature=config.samples_temperature)
        sampled = decode(model, tokenizer, sources, sampling)
        found = [first + second for first, second in zip(found, sampled, strict=True)]
    return found


def batches(lengths: Sequence[int], config: DecodingConfig) -> list[list[int]]:
    """Index groups by falling length whose decoding fits the token budget."""
    width = max(config.beams, config.candidates, config.samples)
    costs = [(length + config.max_new_tokens) * width for length in lengths]
    return token_budget_batches(costs, config.tokens_at_once, rng=None)


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    sources: Mapping[str, Sequence[int]],
    config: DecodingConfig,
    path: Path,
    *,
    key: str,
    seed: int,
) -> dict[str, list[Candidate]]:
    """Candidates of every source (token ids) by id in the order given, also as JSON lines in `path`.

    After a crash the same call goes on where it stopped and ends with the same candidates, sampled ones too.
    `key` names what they depend on (model, data, settings): lines of another key are made again.
    Raises UserError when the file names ids that `sources` has not.
    """
    key_path = path.with_suffix(".key.json")
    if not key_path.exists() or read_json(key_path) != {"key": key}:
        path.unlink(missing_ok=True)
        write_json(key_path, {"key": key})
    mend_tail(path)
    done = candidates_on_disk.read(path)
    unknown = sorted(set(done) - set(sources))
    if unknown:
        raise UserError(
            f"{shown(path)}: id {unknown[0]!r} is not in this split; delete the file and infer again."
        )
    bar = progress(
        total=len(sources), initial=len(done), description=f"decode {path.parent.name}", unit="dialogue"
    )
    names = list(sources)
    for group in batches([len(sources[name]) for name in names], config):
        ids = [names[index] for index in group]
        if all(name in done for name in ids):
            continue
        torch.manual_seed(
            int(sha256_texts([str(seed), *ids])[:15], 16)
        )  # by batch, so that a resume samples alike
        decoded = _decode_with_samples(model, tokenizer, [sources[i] for i in ids], config)
        for name, found in zip(ids, decoded, strict=True):
            if name not in done:
                candidates_on_disk.append(path, name, found)
                done[name] = found
                bar.update(1)
    bar.close()
    ordered = {name: done[name] for name in names}
    candidates_on_disk.write(path, ordered)
    return ordered


def dev_evaluation(
    competition: Competition,
    rows: Sequence[Row],
    tokenizer: PreTrainedTokenizerFast,
    lengths: LengthConfig,
    suffix: Sequence[int],
) -> Callable[[PreTrainedModel], dict[str, float]]:
    """A function from a model to its scores on the rows, decoded greedily; `score` is the dev profile's headline."""
    config = DecodingConfig(candidates=1, beams=1)
    sources = [source_ids(row.dialogue, tokenizer, lengths, suffix)[0] for row in rows]
    references = {row.id: row.summaries for row in rows}

    def evaluate(model: PreTrainedModel) -> dict[str, float]:
        texts: dict[str, str] = {}
        for group in batches([len(source) for source in sources], config):
            found = decode(model, tokenizer, [sources[i] for i in group], config, logprobs=False)
            texts |= {rows[i].id: candidates[0].text for i, candidates in zip(group, found, strict=True)}
        result = score(texts, references, competition.dev_profile)
        return {"score": result.headline, "distinct": len(set(texts.values())) / len(texts)}

    return evaluate
