"""Run small trainings."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import torch
from transformers import PreTrainedModel

from common.models.config import SmallModelConfig
from common.models.storage import save_model
from common.tokenization.batches import collate_causal, collate_seq2seq
from common.training import checkpoints
from common.training.config import TrainingConfig
from common.training.loop import FitResult, fit
from common.training.losses import cross_entropy
from tests.support import tiny

WORDS = tiny.tokenizer()
COLLATE: dict[str, Callable[..., dict[str, torch.Tensor]]] = {
    "bart": collate_seq2seq,
    "qwen2": collate_causal,
}
DROPOUT = SmallModelConfig(width=64, layers=1, feed_forward=64, dropout=0.2, positions=256)
KINDS = ("bart", "qwen2")

# No warm-up: the first step counts. A checkpoint after every step.
CONFIG = TrainingConfig(epochs=3, tokens_per_batch=512, learning_rate=3e-3, warmup=0.0, precision="no",
                        checkpoint_minutes=0.0)  # fmt: skip


def batch_of(examples: datasets.Dataset, kind: str, count: int) -> dict[str, torch.Tensor]:
    """Return the first examples as one batch."""
    some = examples[:count]
    pairs = zip(some["source"], some["target"], strict=True)
    return COLLATE[kind]([tiny.example(s, t) for s, t in pairs], pad=WORDS.pad_token_id)


def falling_loss(examples: datasets.Dataset, kind: str) -> Callable[[PreTrainedModel], dict[str, float]]:
    """Return an evaluation without generation: the negative loss on some examples."""
    batch = batch_of(examples, kind, 4)

    @torch.no_grad()
    def evaluate(model: PreTrainedModel) -> dict[str, float]:
        assert not model.training
        return {"score": -float(cross_entropy(model, batch, 0.0))}

    return evaluate


def train(
    folder: Path,
    examples: datasets.Dataset,
    kind: str = "bart",
    config: TrainingConfig = CONFIG,
    size: SmallModelConfig = DROPOUT,
    **values: Any,
) -> FitResult:
    folder.mkdir(exist_ok=True)
    settings: dict[str, Any] = {
        "evaluate": falling_loss(examples, kind),
        "seed": 3,
        "fingerprint": "settings",
        "save_best": lambda model, staging, weights: save_model(model, WORDS, staging, None, weights),
        **values,
    }
    collate = partial(COLLATE[kind], pad=WORDS.pad_token_id)
    model = tiny.model(kind, WORDS, size)
    evaluate = settings.pop("evaluate")
    return fit(model, examples, collate, evaluate, config, folder, **settings)


def ending(folder: Path) -> dict[str, bytes]:
    """Return the bytes that training wrote: best model, metrics, and every file of the last checkpoint."""
    last = checkpoints.steps(folder / "checkpoints")[-1]
    files = [folder / "best" / "model.safetensors", *sorted(path for path in last.iterdir())]
    found = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files}
    return found | {"metrics": (folder / "metrics.jsonl").read_bytes()}
