"""Provide training examples with several scored summaries."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from transformers import PreTrainedModel

from common.data.rows import Row
from common.runs.candidates import Candidate
from common.tokenization.batches import collate_causal
from common.training.config import RewardConfig
from common.training.losses import cross_entropy
from common.training.policy_gradient import scored_examples
from tests.support import tiny

NAN = float("nan")


def example(source: int, lengths: list[int], weights: list[float], seed: int = 0) -> dict[str, Any]:
    rng = torch.Generator().manual_seed(seed + source)
    ids = torch.randint(5, 200, (source + sum(lengths),), generator=rng).tolist()
    return {
        "source": ids[:source],
        "target": ids[source:],
        "lengths": lengths,
        "weights": weights,
        "logprobs": [NAN] * len(lengths),
    }


def apart(examples: list[dict[str, Any]]) -> Iterator[tuple[float, dict[str, torch.Tensor]]]:
    """Yield the weight of each summary, and a batch with only this summary after its source."""
    for one in examples:
        start = 0
        for length, weight in zip(one["lengths"], one["weights"], strict=True):
            target = one["target"][start : start + length]
            start += length
            yield weight, collate_causal([{"source": one["source"], "target": target}], 0)


def logprob(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> float:
    return -float(cross_entropy(model, batch, 0.0).detach())


TOKENIZER = tiny.tokenizer()
ROW = Row("train_0", "#Person1#: 우산 어디서 살까요?", ("시장에서 우산을 산다.",), "")


def made(sampled: list[Candidate], scores: list[float], **changes: Any) -> dict[str, Any]:
    config = replace(RewardConfig(), **changes)
    sources = {ROW.id: [5, 6, 7]}
    (found,) = scored_examples([ROW], sources, {ROW.id: sampled}, {ROW.id: scores}, TOKENIZER, config, 30)
    return dict(found)
