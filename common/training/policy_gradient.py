"""Learn from the scores of a model's own summaries: make examples and batches, and compute the policy-gradient loss."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from common.core.errors import UserError
from common.data.dialogue import clean
from common.data.rows import Row
from common.runs.candidates import Candidate
from common.tokenization.batches import IGNORE, TARGETS, padded, target_places
from common.training.config import RewardConfig
from common.training.losses import Batch, target_losses
from common.training.reward import advantages

MIN_ADVANTAGE = 0.2
"""Smallest absolute advantage that is learned from; summaries closer to 0 are left out."""


def scored_examples(
    rows: Sequence[Row],
    sources: Mapping[str, Sequence[int]],
    sampled: Mapping[str, Sequence[Candidate]],
    rewards: Mapping[str, Sequence[float]],
    tokenizer: PreTrainedTokenizerFast,
    config: RewardConfig,
    longest: int,
) -> Dataset:
    """Return one training example per dialogue: the summaries to learn from, then the reference.

    Columns:
    - `id`;
    - `source`: token ids of the dialogue;
    - `target`: token ids of all summaries, concatenated; each ends with the end token unless it was cut off at
      `longest` tokens;
    - `lengths`: number of tokens of each summary;
    - `weights`: factor of each summary's log-likelihood, which is its advantage divided by `config.kept`, and for a
      negative advantage also multiplied by `config.worse_weight`;
    - `logprobs`: log-probability of each summary when it was sampled; nan where unknown, which is the reference or a
      text that encodes to another number of tokens than were sampled.

    `rewards`: as `reward.rewards` returns them. A dialogue whose summaries are all alike keeps only its reference.
    Raises UserError when this is true of every dialogue.
    """
    records = []
    for row in rows:
        parts = _kept(
            sampled[row.id], np.asarray(rewards[row.id], dtype=np.float64), tokenizer, config, longest
        )
        reference = _ids(row.summaries[0], tokenizer, ended=True)
        parts.append((reference, config.reference_weight, float("nan")))
        ids, weights, logprobs = zip(*parts, strict=True)
        records.append(
            {"id": row.id, "source": list(sources[row.id]), "target": [token for one in ids for token in one],
             "lengths": [len(one) for one in ids], "weights": [round(weight, 6) for weight in weights], "logprobs": list(logprobs)}
        )  # fmt: skip
    if all(len(record["lengths"]) == 1 for record in records):
        raise UserError(
            "the sampled summaries of each dialogue all score alike: there is nothing to learn. Sample them with a "
            f"higher --sampled-temperature (now {config.sampled_temperature}), or from a trained model."
        )
    return Dataset.from_list(records)


def _ids(text: str, tokenizer: PreTrainedTokenizerFast, *, ended: bool) -> list[int]:
    ids: list[int] = tokenizer.encode(clean(text), add_special_tokens=False)
    return [*ids, tokenizer.eos_token_id] if ended else ids


def _kept(
    sampled: Sequence[Candidate],
    scores: NDArray[np.float64],
    tokenizer: PreTrainedTokenizerFast,
    config: RewardConfig,
    longest: int,
) -> list[tuple[list[int], float, float]]:
    """Return token ids, weight and log-probability of each summary to learn from; duplicate texts count once."""
    first_of_text = {candidate.text: index for index, candidate in reversed(list(enumerate(sampled)))}
    ranked = sorted(first_of_text.values(), key=lambda index: -scores[index])
    ranked_advantages = advantages(scores[ranked])
    half = config.kept // 2
    chosen = range(len(ranked)) if len(ranked) <= 2 * half else [*range(half), *range(-half, 0)]
    parts = []
    for rank in chosen:
        advantage, candidate = float(ranked_advantages[rank]), sampled[ranked[rank]]
        ids = _ids(candidate.text, tokenizer, ended=candidate.tokens < longest)
        if abs(advantage) < MIN_ADVANTAGE or not ids:
            continue
        weight = advantage * (1 if advantage > 0 else config.worse_weight) / config.kept
        known = len(ids) == candidate.tokens and candidate.logprob is not None
        parts.append((ids, weight, float(candidate.logprob or 0) if known else float("nan")))
    return parts


def collate(batch: Sequence[dict[str, Any]], pad: int) -> Batch:
    """Return a batch: `logprobs`, (n, summaries), and five tensors of the shape (n, length).

    The five are `input_ids`, `position_ids`, `segments`, `labels` and `weights`. A row is the source without its last
    token, followed by one part per summary: the source's last token and the summary without its last token. The
    positions of every summary continue those of the source.
    `segments` are 0 in the source, 1 in the first summary, 2 in the second and so on, -1 in padding.
    """
    ids, positions, segments, labels, weights = [], [], [], [], []
    for example in batch:
        source, target = example["source"], example["target"]
        row_ids, row_positions = list(source[:-1]), list(range(len(source) - 1))
        row_segments = [0] * (len(source) - 1)
        start = 0
        for number, length in enumerate(example["lengths"], 1):
            row_ids += [source[-1], *target[start : start + length - 1]]
            row_positions += range(len(source) - 1, len(source) - 1 + length)
            row_segments += [number] * length
            start += length
        ids.append(row_ids)
        positions.append(row_positions)
        segments.append(row_segments)
        labels.append([*[IGNORE] * (len(source) - 1), *target])
        lengths = zip(example["lengths"], example["weights"], strict=True)
        weights.append([0.0] * (len(source) - 1) + [w for length, w in lengths for _ in range(length)])
    most = max(len(example["logprobs"]) for example in batch)
    logprobs = [
        [*example["logprobs"], *[float("nan")] * (most - len(example["logprobs"]))] for example in batch
    ]
    return {
        "input_ids": padded(ids, pad),
        "position_ids": padded(positions, 0),
        "segments": padded(segments, -1),
        "labels": padded(labels, IGNORE),
        "weights": padded(weights, 0.0, torch.float32),
        "logprobs": torch.tensor(logprobs, dtype=torch.float32),
    }


def require_possible(model: torch.nn.Module, smoothing: float) -> None:
    """Raise UserError when the model does not accept the attention mask of `visible`, or labels are smoothed."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    if config.is_encoder_decoder or kinds - {"full_attention", "sliding_attention"}:
        raise UserError(
            f"learning from own summaries needs a causal model with full or sliding-window attention; "
            f"{type(model).__name__} has "
            f"{'an encoder' if config.is_encoder_decoder else ' and '.join(sorted(kinds))}. Name another --model."
        )
    if config._attn_implementation != "sdpa":
        raise UserError(
            f"--attention {config._attn_implementation} does not support several summaries in one row, which learning "
            "from own summaries needs; use --attention sdpa."
        )
    if smoothing:
        raise UserError(
            f"--label-smoothing {smoothing} does not work with learning from own summaries: for a summary with a "
            "negative weight it would make every token less likely. Leave it at 0."
        )


def visible(segments: torch.Tensor, positions: torch.Tensor, window: int | None) -> torch.Tensor:
    """Return the boolean attention mask, (n, 1, length, length).

    Each token sees the source and its own summary, up to itself.
    `window`: number of positions that a token sees, itself included; None: all. A padding token always sees itself.
    """
    length = segments.shape[1]
    same = (segments[:, None, :] == 0) | (segments[:, None, :] == segments[:, :, None])
    # Causal by the order in the row, not by positions: the summaries of a row share positions.
    seen = same & torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    if window is not None:
        seen &= positions[:, :, None] - positions[:, None, :] < window
    seen |= torch.eye(length, dtype=torch.bool, device=segments.device)
    return seen[:, None]


def policy_gradient(
    model: torch.nn.Module,
    batch: Batch,
    smoothing: float,
    allowed_tokens: torch.Tensor | None = None,
    *,
    clip: float = RewardConfig.clip,
) -> torch.Tensor:
    """Return minus the log-likelihood of every summary times its weight, summed over the batch, in nats.

    A summary is left out once its probability ratio to the time of sampling, as geometric mean over its tokens, has
    moved by more than `clip` in the direction of its weight: above 1 + `clip` for a positive weight, below 1 - `clip`
    for a negative one. The ratio does not scale the loss. It compares probabilities at temperature 1, whatever the
    sampling temperature was. `allowed_tokens`: the allowed token ids, as in `target_logits`.
    Raises ValueError when `smoothing` is not 0.
    Source: Ranzato et al. 2016, section 3.2.1 (REINFORCE on sequences); Paulus et al. 2018, equation 16 (adding the
    reference's likelihood); Zheng et al. 2025, "Group Sequence Policy Optimization", equation 7 (the ratio).
    """
    if smoothing:
        raise ValueError(
            "label smoothing would make every token of a summary with a negative weight less likely"
        )
    config = getattr(model, "module", model).config.get_text_config()
    segments, positions = batch["segments"], batch["position_ids"]
    kinds = set(getattr(config, "layer_types", None) or ())
    masks = {
        kind: visible(segments, positions, config.sliding_window if kind == "sliding_attention" else None)
        for kind in kinds or {"full_attention"}
    }
    inputs = {
        "input_ids": batch["input_ids"],
        "position_ids": positions,
        "attention_mask": masks if kinds else masks["full_attention"],
        "labels": batch["labels"],
        TARGETS: target_places(batch),
    }
    losses = target_losses(model, inputs, 0.0, allowed_tokens)
    weights = batch["weights"].flatten().index_select(0, inputs[TARGETS])
    return (losses * weights * _unclipped(losses.detach(), weights, inputs[TARGETS], batch, clip)).sum()


def _unclipped(
    losses: torch.Tensor, weights: torch.Tensor, places: torch.Tensor, batch: Batch, clip: float
) -> torch.Tensor:
    """Return 0 for each target token of a summary that `clip` leaves out, 1 for every other, (t,)."""
    before, segments = batch["logprobs"], batch["segments"]
    rows = places // segments.shape[1]
    summaries = rows * before.shape[1] + segments.flatten().index_select(0, places) - 1
    zeros = before.new_zeros(before.numel())
    now = zeros.index_add(0, summaries, -losses)
    tokens = zeros.index_add(0, summaries, torch.ones_like(losses))
    change = torch.exp((now - before.flatten()) / tokens.clamp(min=1)) - 1
    clipped = (
        change[summaries] * torch.sign(weights) > clip
    )  # false for nan: without a known ratio nothing is left out
    return (~clipped).to(losses.dtype)
