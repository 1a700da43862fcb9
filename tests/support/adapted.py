"""Train adapters on tiny models until they reproduce one example."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from common.core.json_lines import read_lines
from common.generation.config import DecodingConfig
from common.generation.hf import decode
from common.models.adapters import add_lora
from common.models.config import LoRAConfig, PretrainedConfig
from common.models.pretrained import load_pretrained
from common.models.storage import save_model
from common.models.tiny import tiny as tiny_folder
from common.tokenization.batches import collate_causal, collate_seq2seq
from common.training.config import TrainingConfig
from common.training.loop import fit
from common.training.losses import cross_entropy
from tests.support import tiny

Lesson = tuple[list[int], list[int]]
KINDS = ("bart", "mbart", "qwen2", "gemma3")
GREEDY = DecodingConfig(candidates=1, beams=1, max_new_tokens=12)
LORA = LoRAConfig(rank=8, alpha=16, dropout=0.0)
SOURCES = [[7, 8, 9, 10, 11], [14], [20, 21, 22]]
LESSON: Lesson = ([30, 31, 32, 33], [40, 41, 42, 43, 44])  # the example that adapters learn to reproduce


def base_of(kind: str, **settings: Any) -> PretrainedConfig:
    return PretrainedConfig(model=str(louder(kind)), dtype=settings.pop("dtype", "float32"), **settings)


def louder(kind: str) -> Path:
    """Return a tiny model with larger weights: adapters have almost no effect on its small initial weights."""
    folder = tiny_folder(f"tiny:{kind}")
    loud = folder.with_name(f"loud-{kind}")
    if not loud.exists():
        model, tokenizer = load_pretrained(
            PretrainedConfig(model=f"tiny:{kind}", dtype="float32"), frozen=False
        )
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
        loud.mkdir()
        save_model(model, tokenizer, loud)
    return loud


def adapted(
    config: PretrainedConfig, lora: LoRAConfig = LORA, tags: Sequence[str] = ()
) -> tuple[PeftModel, PreTrainedTokenizerFast]:
    model, tokenizer = load_pretrained(config, frozen=True)
    torch.manual_seed(0)
    return add_lora(model, tokenizer, lora, tags), tokenizer


def batch_of(model: PreTrainedModel, pairs: Any) -> dict[str, torch.Tensor]:
    seq2seq = model.config.is_encoder_decoder
    collate = collate_seq2seq if seq2seq else collate_causal
    return collate([{"source": s, "target": t} for s, t in pairs], 0)


def teach(
    model: PreTrainedModel, steps: int = 40, rate: float = 3e-2, lesson: Lesson = LESSON
) -> list[float]:
    """Train until the model reproduces the lesson; return the loss per token of every step."""
    batch = batch_of(model, [lesson])
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.0
    )
    model.train()
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = cross_entropy(model, batch, 0.0) / 5
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    model.eval()
    return losses


@torch.no_grad()
def logits_of(model: PreTrainedModel, lesson: Lesson = LESSON) -> torch.Tensor:
    batch = batch_of(model, [lesson, (SOURCES[0], [5, 6])])
    if model.config.is_encoder_decoder:
        batch["decoder_input_ids"] = batch.pop("labels").clamp(min=0)
    else:
        batch.pop("labels")
    return model(**batch).logits


def written(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, lesson: Lesson = LESSON) -> list[str]:
    found = decode(model, tokenizer, [lesson[0], *SOURCES], GREEDY)
    return [group[0].text for group in found]


class CrashError(Exception):
    """Simulates the end of a process."""


def fitted(
    folder: Path, base: PretrainedConfig, steps: int = 16, dropout: float = 0.0, crash_at: int = 99
) -> tuple[PeftModel, PreTrainedTokenizerFast, list[float]]:
    """Return adapters trained by the real loop, evaluated by generation after every second step."""
    folder.mkdir(exist_ok=True)
    model, tokenizer = adapted(base, LoRAConfig(rank=8, alpha=16, dropout=dropout, targets=("all",)))
    calls = [0]
    rows = datasets.Dataset.from_list([tiny.example(*LESSON)] * 4)
    collate = collate_seq2seq if model.config.is_encoder_decoder else collate_causal

    def evaluate(now: PreTrainedModel) -> dict[str, float]:
        decode(now, tokenizer, SOURCES, GREEDY)
        calls[0] += 1
        if calls[0] == crash_at:
            raise CrashError
        return {"score": float(len(list(read_lines(folder / "metrics.jsonl"))))}

    fit(
        model,
        rows,
        partial(collate, pad=tokenizer.pad_token_id),
        evaluate,
        TrainingConfig(epochs=steps, tokens_per_batch=4096, learning_rate=1e-2, warmup=0.0, label_smoothing=0.0,
                       evaluate_every=2.0),
        folder,
        seed=1,
        fingerprint="f",
        save_best=lambda best, into, weights: save_model(best, tokenizer, into, base, weights),
    )  # fmt: skip
    losses = [line["train_loss"] for line in read_lines(folder / "metrics.jsonl") if "train_loss" in line]
    return model, tokenizer, losses
