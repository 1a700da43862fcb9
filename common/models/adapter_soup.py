"""The mean of LoRA adapters: of the updates B·A·scale that they add, which is not that of the A and of the B.

The mean of n updates is one adapter whose A and B are theirs side by side (PEFT's `combination_type="cat"` with weights
1/n): exact, of the ranks' sum. It is made from the files alone; the base need not be there.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.utils.other import get_pattern_key
from safetensors.torch import load_file, save_file

from common.core.errors import UserError
from common.core.files import read_json, write_json
from common.models.storage import BASE

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
Mean = Callable[[str, Mapping[str, torch.Tensor]], torch.Tensor]

# What may differ, since it is taken into account or says nothing of the update.
_FREE = (
    {"r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "target_modules", "lora_dropout"}
    | {"inference_mode", "auto_mapping", "peft_version", "base_model_name_or_path", "revision"}
)  # fmt: skip
_SAME = (
    {"peft_type", "task_type", "trainable_token_indices", "modules_to_save", "fan_in_fan_out"}
    | {"exclude_modules", "layers_to_transform", "layers_pattern", "layer_replication", "ensure_weight_tying"}
)  # fmt: skip
_PLAIN_STARTS = (True, False, "gaussian")  # others (PiSSA, OLoRA, LoftQ) change the base's weights too


def is_low_rank(name: str) -> bool:
    """Whether a tensor of this name is one half of a low-rank update."""
    return ".lora_A" in name or ".lora_B" in name or ".lora_embedding_" in name


def require_exact(run: str, folder: Path) -> None:
    """Raises UserError when the folder's adapters add more than B·A·scale, so that no mean of theirs is exact."""
    config = read_json(folder / CONFIG)
    usual = LoraConfig().to_dict()
    if config["peft_type"] != "LORA":
        raise UserError(f"{run} has adapters of kind {config['peft_type']}; only LoRA's have an exact mean.")
    for key, value in config.items():
        start = key == "init_lora_weights" and value in _PLAIN_STARTS
        if key in _FREE | _SAME or start or not value or value == usual.get(key):
            continue
        raise UserError(
            f"{run} was trained with {key}={value}; the mean of such adapters is not exact. Leave it out of runs=."
        )
    if not (folder / WEIGHTS).exists():
        raise UserError(f"{run} has no {WEIGHTS}; train it anew with restart=1.")


def difference(one: Path, other: Path) -> str | None:
    """What keeps the adapters of two folders apart, in words: another base or another kind of adapter; None if nothing."""
    wanted, found = (read_json(folder / BASE) for folder in (one, other))
    for key in ("weights_sha256", "config_sha256"):
        if wanted["source"].get(key) != found["source"].get(key):
            return f"another base ({found['source']['model']}, by its {key}, not {wanted['source']['model']})"
    if wanted["config"]["quantization"] != found["config"]["quantization"]:
        return (
            f"a base in {found['config']['quantization']}, {wanted['config']['quantization']} wanted "
            "(--quantization)"
        )
    mine, theirs = (read_json(folder / CONFIG) for folder in (one, other))
    for key in sorted(_SAME):
        if mine.get(key) != theirs.get(key):
            return f"{key} {theirs.get(key)}, {mine.get(key)} wanted"
    if isinstance(mine["target_modules"], str) and mine["target_modules"] != theirs["target_modules"]:
        return f"target_modules {theirs['target_modules']}, {mine['target_modules']} wanted"
    return None


def average(folders: Mapping[str, Path], folder: Path, mean: Mean) -> None:
    """Write the adapter that adds the mean of what the folders' adapters add; their other tensors by `mean`."""
    configs = {run: read_json(source / CONFIG) for run, source in folders.items()}
    tensors = {run: load_file(source / WEIGHTS) for run, source in folders.items()}
    reference = _scale(next(iter(configs.values())), "")
    names = sorted({name for found in tensors.values() for name in found})
    halves = [name for name in names if is_low_rank(name) and "lora_A" in name.replace("embedding_", "")]
    ranks = {name: [len(found[name]) for found in tensors.values() if name in found] for name in halves}
    rank = max(map(sum, ranks.values()), default=1)
    made = {
        name: mean(name, {run: found[name] for run, found in tensors.items()})
        for name in names
        if not is_low_rank(name)
    }
    for name in halves:
        second = name.replace("lora_A", "lora_B").replace("lora_embedding_A", "lora_embedding_B")
        left, right = [], []
        for run, found in tensors.items():
            if name not in found:  # this one adapts other layers: here it adds nothing
                continue
            factor = _scale(configs[run], _module(name)) / reference
            # A factor other than 1 would be rounded in 16 bits; PEFT holds adapters in 32 anyway.
            left.append(found[name] if factor == 1 else found[name].float() * factor)
            right.append(found[second])
        made[name] = _padded(torch.cat(left, 0), 0, rank)
        made[second] = _padded(torch.cat(right, 1), 1, rank)
    save_file(made, folder / WEIGHTS, metadata={"format": "pt"})
    alpha = reference * rank / len(folders)
    write_json(folder / CONFIG, _config(list(configs.values()), rank, alpha))


def _module(name: str) -> str:
    """The layer that a tensor belongs to, as PEFT's patterns name it."""
    return name.removeprefix("base_model.model.").split(".lora_")[0]


def _scale(config: Mapping[str, Any], module: str) -> float:
    """By which B·A is multiplied in a layer: alpha / rank, with rsLoRA (Kalajdzievski 2023) alpha / √rank."""
    ranks, alphas = config.get("rank_pattern") or {}, config.get("alpha_pattern") or {}
    rank = ranks.get(get_pattern_key(ranks, module), config["r"])
    alpha = alphas.get(get_pattern_key(alphas, module), config["lora_alpha"])
    return float(alpha / (math.sqrt(rank) if config.get("use_rslora") else rank))


def _padded(half: torch.Tensor, dimension: int, rank: int) -> torch.Tensor:
    """The tensor with zeros up to `rank`: one rank for all layers, which every engine can read."""
    missing = list(half.shape)
    missing[dimension] = rank - half.shape[dimension]
    return torch.cat([half, half.new_zeros(missing)], dimension).contiguous()


def _config(configs: list[dict[str, Any]], rank: int, alpha: float) -> dict[str, Any]:
    targets = configs[0]["target_modules"]
    if not isinstance(targets, str):
        targets = sorted({name for config in configs for name in config["target_modules"]})
    return configs[0] | {
        "r": rank,
        "lora_alpha": int(alpha) if alpha.is_integer() else alpha,
        "use_rslora": False,
        "rank_pattern": {},
        "alpha_pattern": {},
        "init_lora_weights": True,
        "target_modules": targets,
    }
