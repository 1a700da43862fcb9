"""Texts to token ids: own byte-level BPE, turn-aware sources, cached examples, token-budget batches."""

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from common import dialogue
from common.dialogue import clean, truncate
from common.errors import UserError
from common.files import root, sha256_texts
from common.rows import Row
from common.runs import code_hash

IGNORE = -100  # label value that torch's cross-entropy skips
PAD, BOS, EOS = "<pad>", "<s>", "</s>"


@dataclass(frozen=True)
class LengthConfig:
    """How long a source may be."""

    max_source_tokens: int = 512
    """Tokens of the dialogue, instruction included; longer dialogues lose whole turns from the middle."""


@dataclass(frozen=True)
class CutReport:
    """How much of the dialogues did not fit: counts over one split."""

    dialogues: int
    dialogues_cut: int
    turns: int
    turns_cut: int


def train_bpe(texts: Iterable[str], vocab_size: int, tags: Sequence[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer learned from the texts, every tag one token that decodes to itself.

    Any Unicode text survives encoding and decoding. Source: Sennrich et al. 2016, over bytes as in GPT-2.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(tags),
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    # As *special* tokens the tags would vanish under skip_special_tokens=True.
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in tags])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,  # "</s>" that someone typed is text, not the end of the sequence
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer saved in a folder.

    Not AutoTokenizer: beside a `model_type: qwen2` config it returns other ids for a custom tokenizer.
    """
    return PreTrainedTokenizerFast.from_pretrained(folder)


def token_count(tokenizer: PreTrainedTokenizerFast) -> Callable[[str], int]:
    """A function that gives the number of tokens of a text, special tokens not counted."""
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


def source_ids(
    dialogue: str, tokenizer: PreTrainedTokenizerFast, lengths: LengthConfig, suffix: Sequence[int]
) -> tuple[list[int], int, int]:
    """Token ids of a dialogue that fit the limit with `suffix` behind them, turns cut, and turns in all.

    The suffix (end of sequence, or what tells a causal model to begin) is never cut.
    """
    cut = truncate(clean(dialogue), lengths.max_source_tokens - len(suffix), token_count(tokenizer))
    return [*tokenizer.encode(cut.text, add_special_tokens=False), *suffix], cut.turns_cut, cut.turns


def sources(
    rows: Sequence[Row], tokenizer: PreTrainedTokenizerFast, lengths: LengthConfig, suffix: Sequence[int]
) -> dict[str, list[int]]:
    """Source token ids of every row by its id, in the rows' order."""
    return {row.id: source_ids(row.dialogue, tokenizer, lengths, suffix)[0] for row in rows}


def examples(
    rows: Sequence[Row],
    tokenizer: PreTrainedTokenizerFast,
    lengths: LengthConfig,
    suffix: Sequence[int],
    cache: Path | None = None,
) -> tuple[datasets.Dataset, CutReport]:
    """One example a (row, summary): columns `id`, `source` and `target` (token ids, target ends in EOS).

    The memory-mapped result is kept in `cache` (default `.cache/tokenized`) under a hash of the rows, the
    tokenizer, the lengths and the code that cleans and cuts. A row without summary gives one example with an
    empty target.
    """
    cache = cache or root() / ".cache" / "tokenized"
    rows_hash = sha256_texts(part for row in rows for part in (row.id, row.dialogue, *row.summaries))
    code = [code_hash(Path(file)) for file in (dialogue.__file__, __file__)]
    content = [code, rows_hash, tokenizer.backend_tokenizer.to_str(), lengths.max_source_tokens, list(suffix)]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]
    folder = cache / key
    if not folder.exists():
        records = []
        for row in rows:
            source, turns_cut, turns = source_ids(row.dialogue, tokenizer, lengths, suffix)
            for summary in row.summaries or ("",):
                target = tokenizer.encode(clean(summary), add_special_tokens=False) if summary else []
                target = [*target, tokenizer.eos_token_id] if summary else []
                records.append(
                    {"id": row.id, "source": source, "target": target, "turns_cut": turns_cut, "turns": turns}
                )
        datasets.disable_progress_bars()
        staging = cache / f".{key}.{random.SystemRandom().getrandbits(32):08x}"
        datasets.Dataset.from_list(records).save_to_disk(staging)
        try:
            staging.rename(folder)
        except OSError:  # another process was faster; its files are the same
            shutil.rmtree(staging, ignore_errors=True)
    dataset = datasets.load_from_disk(folder)
    cuts = dict(zip(dataset["id"], zip(dataset["turns_cut"], dataset["turns"], strict=True), strict=True))
    report = CutReport(
        dialogues=len(cuts),
        dialogues_cut=sum(cut > 0 for cut, _ in cuts.values()),
        turns=sum(turns for _, turns in cuts.values()),
        turns_cut=sum(cut for cut, _ in cuts.values()),
    )
    return dataset.remove_columns(["turns_cut", "turns"]), report


def _padded(sequences: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    """An int64 tensor of shape (len(sequences), longest), padded on the right with `value`.

    The width is a multiple of 8: tensor cores want that, and a CPU compiles its kernels for fewer shapes.
    """
    width = -(-max(map(len, sequences)) // 8) * 8
    out = torch.full((len(sequences), width), value, dtype=torch.long)
    for row, sequence in zip(out, sequences, strict=True):
        row[: len(sequence)] = torch.as_tensor(sequence, dtype=torch.long)
    return out


def collate_seq2seq(batch: Sequence[dict[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask` (n, source), `labels` (n, target) padded with -100."""
    sources = [example["source"] for example in batch]
    return {
        "input_ids": _padded(sources, pad),
        "attention_mask": _padded([[1] * len(s) for s in sources], 0),
        "labels": _padded([example["target"] for example in batch], IGNORE),
    }


def collate_causal(batch: Sequence[dict[str, Any]], pad: int) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask` (n, length), `logits_to_keep` (k,) and `labels` (n, k).

    Position i of `labels` is what the logits of sequence position `logits_to_keep[i]` must predict: the
    completion's tokens, -100 elsewhere. Only those k positions need go through the output layer.
    """
    sources = [example["source"] for example in batch]
    targets = [example["target"] for example in batch]
    inputs = _padded([[*s, *t] for s, t in zip(sources, targets, strict=True)], pad)
    first = min(map(len, sources)) - 1
    next_token = torch.full_like(inputs, IGNORE)
    for row, source, target in zip(next_token, sources, targets, strict=True):
        row[len(source) - 1 : len(source) - 1 + len(target)] = torch.as_tensor(target, dtype=torch.long)
    return {
        "input_ids": inputs,
        "attention_mask": _padded(
            [[1] * (len(s) + len(t)) for s, t in zip(sources, targets, strict=True)], 0
        ),
        "logits_to_keep": torch.arange(first, inputs.shape[1] - 1),
        "labels": next_token[:, first:-1],
    }


def token_budget_batches(lengths: Sequence[int], budget: int, rng: random.Random | None) -> list[list[int]]:
    """Indices grouped so that rows times the longest length stays within the budget; one pass over all.

    With `rng` the rows are shuffled, bucketed by length within chunks and the batches shuffled: little
    padding, much randomness. Without it batches run from the longest down. A row longer than the budget
    has a batch of its own.
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


def require_ids(tokenizer: PreTrainedTokenizerFast) -> None:
    """Raises UserError when the tokenizer lacks a padding or end token, which training and decoding need."""
    missing = [name for name in ("pad_token", "eos_token") if getattr(tokenizer, name) is None]
    if missing:
        raise UserError(
            f"tokenizer {tokenizer.name_or_path!r} has no {' and no '.join(missing)}; "
            "set it in its tokenizer_config.json (causal models often reuse eos_token for padding)."
        )
