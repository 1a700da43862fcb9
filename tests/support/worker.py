"""Train and decode in each process of a group; tests/training/test_sharding.py starts this file with torchrun."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from accelerate.state import AcceleratorState
from torch.distributed.tensor import DTensor
from torch.optim.optimizer import register_optimizer_step_pre_hook
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from common.core import distributed
from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.generation import resumable
from common.generation.config import DecodingConfig
from common.generation.dev_scores import dev_evaluation
from common.generation.hf import hf_decoder
from common.models.adapters import add_lora
from common.models.config import LoRAConfig, PretrainedConfig, SmallModelConfig
from common.models.pretrained import load_pretrained
from common.models.storage import save_model
from common.tokenization.batches import collate_causal, collate_seq2seq
from common.tokenization.config import LengthConfig
from common.tokenization.examples import sources
from common.tokenization.layout import InputTemplate
from common.training import losses
from common.training.config import TrainingConfig
from common.training.loop import fit
from common.training.losses import cross_entropy
from common.training.policy_gradient import collate, policy_gradient
from tests.support import tiny

WORDS = tiny.tokenizer()
TEMPLATES = {
    "bart": InputTemplate(suffix=(WORDS.eos_token_id,)),
    "qwen2": InputTemplate(suffix=(WORDS.bos_token_id,)),
}
COLLATE: Mapping[str, Callable[..., dict[str, torch.Tensor]]] = {
    "bart": collate_seq2seq,
    "qwen2": collate_causal,
}
SIZE = SmallModelConfig(width=64, layers=1, feed_forward=64, dropout=0.0, positions=256)
LENGTHS = LengthConfig(120)
CONFIG = TrainingConfig(epochs=2, tokens_per_batch=60, learning_rate=3e-3, warmup=0.0, max_gradient_norm=0.5,
                        precision="no", ema=0.9, evaluate_every=2.0)  # fmt: skip
SHARDED = replace(CONFIG, sharding="fsdp")
# One epoch of five batches in steps of four and one; the weights do not change, so the gradients can be compared.
STILL = replace(CONFIG, epochs=1, accumulation=2, learning_rate=0.0, max_gradient_norm=1e9, ema=0.0)
DECODING = {
    "beam": DecodingConfig(candidates=2, beams=3, max_new_tokens=10, tokens_at_once=500),
    "sampled": DecodingConfig(candidates=2, beams=1, temperature=1.2, max_new_tokens=10, tokens_at_once=400),
}


OTHERWISE = ("allowed", "scores", "parts")
"""Other losses: over few allowed tokens, over several scored summaries per row, and of all tokens, a few at a time."""
LOADED = ("bart", "gemma3")
"""Models of which one process loads the weights for all: with weights used twice, with buffers that are not saved."""
FEW = torch.tensor(sorted({*range(5, 60), WORDS.eos_token_id}))


class CrashError(Exception):
    """Simulates the end of a process."""


def examples() -> datasets.Dataset:
    """Return ten rows in five batches of different sizes: of two processes, one is idle in the last step."""
    rows = [tiny.example([5 + n] * (20 - n), [40 + n] * (n + 1) + [WORDS.eos_token_id]) for n in range(10)]
    return datasets.Dataset.from_list(rows)


def scored() -> datasets.Dataset:
    """Return the same rows with two summaries per target; in odd rows the second has a negative weight."""
    rows = [
        {
            **row,
            "lengths": [n // 2 + 1, n - n // 2 + 2],
            "weights": [1.0, 0.5 - n % 2],
            "logprobs": [-50.0, float("nan")],
        }
        for n, row in enumerate(examples())
    ]
    return datasets.Dataset.from_list([{**row, "target": [40, *row["target"]]} for row in rows])


def evaluation(
    tokenizer: PreTrainedTokenizerFast, template: InputTemplate
) -> Callable[[PreTrainedModel], dict[str, float]]:
    """Return the real evaluation in batches of two or three dialogues, with short summaries; its score is called rouge."""
    rows = tiny.rows(7, "dev", seed=4)
    short = DecodingConfig(max_new_tokens=12, tokens_at_once=200)
    real = dev_evaluation(load_competition("daily_talk"), rows, tokenizer, LENGTHS, template, short)
    return lambda model: {"rouge" if name == "score" else name: value for name, value in real(model).items()}


def train(
    kind: str,
    folder: Path,
    config: TrainingConfig,
    crash_at: int | None = None,
    lora: bool = False,
    otherwise: str = "",
    loaded: bool = False,
) -> dict[str, Any]:
    """Train, and return the result, the gradients and how the model was sharded. `otherwise`: one of OTHERWISE.

    `loaded`: train pretrained weights, each process as its experiment loads them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer, base = WORDS, None
    if loaded:
        source = PretrainedConfig(model=f"tiny:{kind}")
        model, tokenizer = load_pretrained(source, frozen=False, sharded=config.sharding == "fsdp")
        for module in model.modules():
            if isinstance(getattr(module, "dropout", None), float):
                module.dropout = 0.0  # each process drops others
    elif lora:
        base = PretrainedConfig(model=f"tiny:{kind}", dtype="float32")
        model, tokenizer = load_pretrained(base, frozen=True, sharded=config.sharding == "fsdp")
        torch.manual_seed(0)
        model = add_lora(model, tokenizer, LoRAConfig(rank=4, dropout=0.0, targets=("all",)))
    else:
        model = tiny.model(kind, WORDS, SIZE)
    seen: dict[str, Any] = {"kinds": [], "steps": 0}
    seen["weights before"] = sum(p.numel() for p in model.parameters() if not p.is_meta)

    def evaluate(now: PreTrainedModel) -> dict[str, float]:
        seen["steps"] += 1
        return evaluation(tokenizer, TEMPLATES.get(kind, TEMPLATES["qwen2"]))(now) | {
            "score": float(seen["steps"])
        }

    calls = [0]

    def loss(model: torch.nn.Module, batch: dict[str, torch.Tensor], smoothing: float) -> torch.Tensor:
        inner = getattr(model, "module", model)
        if not calls[0]:
            seen["kinds"] = sorted(
                {type(model).__name__, *(type(p.grad).__name__ for p in inner.parameters())}
            )
        calls[0] += 1
        if calls[0] == crash_at:
            raise CrashError
        if otherwise == "scores":
            return policy_gradient(model, batch, smoothing, FEW)
        if otherwise == "parts":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(losses, "MOST_LOGITS", 7 * inner.config.vocab_size)
                return cross_entropy(model, batch, smoothing, source=0.3)
        return cross_entropy(model, batch, smoothing, FEW if otherwise else None)

    gradients: list[dict[str, torch.Tensor]] = []

    def keep(*_: Any) -> None:
        now = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        whole = {name: g.full_tensor() if isinstance(g, DTensor) else g for name, g in now.items()}
        gradients.append({name: gradient.clone() for name, gradient in whole.items()})

    hook = register_optimizer_step_pre_hook(keep)
    AcceleratorState._reset_state()
    if distributed.count() == 1:
        AcceleratorState._reset_state(reset_partial_state=True)
    result = fit(
        model,
        scored() if otherwise == "scores" else examples(),
        partial(
            collate if otherwise == "scores" else COLLATE.get(kind, collate_causal),
            pad=tokenizer.pad_token_id,
        ),
        evaluate,
        config,
        folder,
        seed=1,
        fingerprint="f",
        save_best=lambda best, into, weights: save_model(best, tokenizer, into, base, weights),
        loss=loss,
    )
    hook.remove()
    held = [p for p in model.parameters() if isinstance(p, DTensor)]
    return seen | {
        "result": result,
        "gradients": gradients if not config.learning_rate else [],
        "sharded": len(held),
        "parameters": len(list(model.parameters())),
        "held": sum(p.to_local().numel() for p in held),
        "whole": sum(p.numel() for p in held),
    }


def candidates(kind: str, folder: Path, name: str) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    model = tiny.model(kind, WORDS, SIZE, seed=3).eval()
    inputs = sources(tiny.rows(9, "test", seed=5), WORDS, LENGTHS, TEMPLATES[kind])
    decoder = hf_decoder(model, WORDS)
    return resumable.generate(decoder, inputs, DECODING[name], folder / f"{name}.jsonl", key="k", seed=1)


def main(folder: Path) -> None:
    rank = distributed.rank()
    found: dict[str, Any] = {"gathered": distributed.gather([rank, f"of {distributed.count()}"])}
    for kind, config in (("bart", CONFIG), ("qwen2", CONFIG), ("bart", SHARDED), ("qwen2", SHARDED)):
        found[f"{config.sharding} {kind}"] = train(kind, folder / f"{config.sharding}-{kind}", config)
    for kind in COLLATE:
        for sharding in ("none", "fsdp"):
            config = replace(STILL, sharding=sharding)
            found[f"still {sharding} {kind}"] = train(kind, folder / f"still-{sharding}-{kind}", config)
    for otherwise in OTHERWISE:
        for sharding in ("none", "fsdp"):
            into = folder / f"still-{sharding}-{otherwise}"
            config = replace(STILL, sharding=sharding, label_smoothing=0.0)
            found[f"still {sharding} {otherwise}"] = train("qwen2", into, config, otherwise=otherwise)
    for kind in LOADED:
        config = replace(STILL, sharding="fsdp")
        found[f"loaded {kind}"] = train(kind, folder / f"loaded-{kind}", config, loaded=True)
    for kind, config in (("bart", CONFIG), ("qwen2", SHARDED)):
        often = replace(config, checkpoint_minutes=0.0)
        killed = folder / f"{config.sharding}-{kind}-killed"
        try:
            train(kind, killed, often, crash_at=5)
        except CrashError:
            distributed.wait()
        found[f"{config.sharding} {kind} killed"] = train(kind, killed, often)
    found["lora"] = train("qwen2", folder / "lora", SHARDED, lora=True)
    for name in DECODING:
        found[name] = candidates("bart", folder, name)
    refused = {"fp16": replace(SHARDED, precision="fp16"), "other": CONFIG}
    for name, config in refused.items():
        try:
            train("bart", folder / ("fp16" if name == "fp16" else "alone"), config)
        except UserError as error:
            found[name] = str(error)
    torch.save(found, folder / f"found_{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
