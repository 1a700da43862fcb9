"""Pad token ids into batches and group rows by a token budget."""

import random
from collections.abc import Sequence
from typing import Any

import torch

IGNORE = -100  # label value that torch's cross-entropy skips
TARGETS = "targets"
"""Name of a batch's tensor with the places of its target tokens, which `with_targets` adds."""


def padded(sequences: Sequence[Sequence[Any]], value: float, dtype: torch.dtype = torch.long) -> torch.Tensor:
    """Return the sequences as a tensor (len(sequences), longest), padded on the right with `value`.

    `longest` is rounded up to a multiple of 8: tensor cores need that, and a CPU compiles its kernels for fewer shapes.
    """
    width = -(-max(map(len, sequences)) // 8) * 8
    out = torch.full((len(sequences), width), value, dtype=dtype)
    for row, sequence in zip(out, sequences, strict=True):
        row[: len(sequence)] = torch.as_tensor(sequence, dtype=dtype)
    return out


def collate_seq2seq(batch: Sequence[dict[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """Return `input_ids` and `attention_mask`, (n, source), and `labels`, (n, target), padded with -100."""
    sources = [example["source"] for example in batch]
    return {
        "input_ids": padded(sources, pad),
        "attention_mask": padded([[1] * len(s) for s in sources], 0),
        "labels": padded([example["target"] for example in batch], IGNORE),
    }


def collate_causal(batch: Sequence[dict[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """Return `input_ids`, `attention_mask` and `labels`, all (n, length), padded on the right.

    `labels` has at each position the next token if that belongs to the summary, -100 elsewhere.
    """
    inputs = [[*example["source"], *example["target"]] for example in batch]
    labels = [[*[IGNORE] * (len(example["source"]) - 1), *example["target"], IGNORE] for example in batch]
    return {
        "input_ids": padded(inputs, pad),
        "attention_mask": padded([[1] * len(ids) for ids in inputs], 0),
        "labels": padded(labels, IGNORE),
    }


def with_targets(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the batch with the places of its target tokens, which a GPU would have to stop for to count them."""
    return {**batch, TARGETS: target_places(batch)}


def target_places(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the indices of the batch's target tokens into its flattened labels, (t,), in ascending order."""
    if TARGETS in batch:
        return batch[TARGETS]
    return (batch["labels"].flatten() != IGNORE).nonzero().squeeze(1)


def token_budget_batches(lengths: Sequence[int], budget: int, rng: random.Random | None) -> list[list[int]]:
    """Return batches of all indices such that rows times the longest length stays within the budget.

    With `rng`, the rows are shuffled and sorted by length within chunks, and the batches are shuffled, which combines
    little padding with much randomness. Without it, the batches are in descending order of length. A row longer than the
    budget gets its own batch.
    """
    order = list(range(len(lengths)))
    if rng is None:
        chunks = [order]
    else:
        rng.shuffle(order)
        chunks = [order[i : i + 2048] for i in range(0, len(order), 2048)]
    batches: list[list[int]] = []
    for chunk in chunks:
        batch: list[int] = []
        for index in sorted(chunk, key=lambda i: -lengths[i]):
            if batch and lengths[batch[0]] * (len(batch) + 1) > budget:
                batches.append(batch)
                batch = []
            batch.append(index)
        if batch:
            batches.append(batch)
    if rng is not None:
        rng.shuffle(batches)
    return batches
