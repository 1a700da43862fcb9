"""Train adapters, or all weights, of every architecture in two processes (tests/models/test_architecture_table.py)."""

import json
import sys
from functools import partial
from pathlib import Path

import datasets
import torch
from accelerate.state import AcceleratorState

from common.core import distributed
from common.core.errors import UserError
from common.models.adapters import add_lora
from common.models.config import LoRAConfig, PretrainedConfig
from common.models.pretrained import load_pretrained
from common.models.storage import save_model
from common.tokenization.batches import collate_causal, collate_seq2seq
from common.training.config import TrainingConfig
from common.training.loop import fit
from common.training.state import trained_parameters
from tests.support import tiny
from tests.support.architectures import WORDS

# Two optimizer steps of three batches. The second fails when a trained weight got no gradient in the first.
CONFIG = TrainingConfig(
    epochs=1, tokens_per_batch=24, learning_rate=1e-2, warmup=0.0, precision="no", evaluate_every=2.0
)


def trained(base: Path, folder: Path, lora: bool, config: TrainingConfig = CONFIG) -> dict[str, float]:
    """Train the model in the folder `base`; return the number of steps and a checksum of the trained weights."""
    pretrained = PretrainedConfig(model=str(base), dtype="float32")
    model, tokenizer = load_pretrained(pretrained, frozen=lora, sharded=config.sharding == "fsdp")
    if lora:
        torch.manual_seed(0)
        model = add_lora(model, tokenizer, LoRAConfig(rank=2, alpha=4, dropout=0.0, targets=("all",)))
    collate = collate_seq2seq if model.config.is_encoder_decoder else collate_causal
    rows = [tiny.example([20 + n, 30, 31, 32], [40 + n, 50, 51, WORDS.eos_token_id]) for n in range(8)]
    folder.mkdir(parents=True, exist_ok=True)
    AcceleratorState._reset_state()
    result = fit(
        model,
        datasets.Dataset.from_list(rows),
        partial(collate, pad=WORDS.pad_token_id),
        lambda _: {"score": 1.0},
        config,
        folder,
        seed=1,
        fingerprint="f",
        save_best=lambda best, into, weights: save_model(
            best, tokenizer, into, pretrained if lora else None, weights
        ),
    )
    weights = [
        p.full_tensor() if hasattr(p, "full_tensor") else p for p in trained_parameters(model).values()
    ]
    return {"steps": result.steps, "sum": float(sum(p.detach().double().abs().sum() for p in weights))}


def main(folder: Path, kinds: list[str]) -> None:
    """Train each of `kinds`, such as gpt2, gpt2:full, gpt2:fsdp or gpt2:full-fsdp, and write what was found."""
    found: dict[str, object] = {}
    for case in kinds:
        kind, _, way = case.partition(":")
        config = TrainingConfig(**{**vars(CONFIG), "sharding": "fsdp"}) if "fsdp" in way else CONFIG
        try:
            found[case] = trained(folder / kind, folder / f"run-{kind}-{way}", "full" not in way, config)
        except UserError as error:
            found[case] = str(error)
    (folder / f"found-{distributed.rank()}.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
