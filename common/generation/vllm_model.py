"""Decide how vLLM loads a saved model: precision, adapters, text only, and the GPUs of this process."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import PreTrainedConfig

from common.core import distributed
from common.core.errors import UserError
from common.core.files import read_json, shown, write_json
from common.core.vllm_release import PLUGIN, USE
from common.generation.config import DecodingConfig
from common.models.config import PretrainedConfig
from common.models.pretrained import computes_in_bf16
from common.models.storage import ADAPTER
from common.models.weight_files import weight_files

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # the values that vLLM accepts as max_lora_rank
MOST_OF_GPU = 0.7
"""Largest share of the GPU's memory for 16-bit weights; the rest holds the KV cache, activations and CUDA graphs."""
WITHOUT_LORA = ("gpt2",)
"""Model types that vLLM runs, but without adapters."""
MULTIMODAL = (
    "Gemma3ForConditionalGeneration",
    "Gemma3nForConditionalGeneration",
    "Gemma4ForConditionalGeneration",
    "Gemma4UnifiedForConditionalGeneration",
    "Qwen3_5ForConditionalGeneration",
    "Qwen3_5MoeForConditionalGeneration",
)
"""Multimodal classes that vLLM runs without their towers, and whose language model it finds under TEXT_PREFIX."""
TEXT_PREFIX = "base_model.model.model.language_model."
"""Beginning of the names of adapters on a multimodal checkpoint's language model."""
_TEXT_ONLY_PREFIX = "base_model.model.model.layers."
"""The same when transformers trained the language model alone, as it does for Qwen3.5."""
ENVIRONMENT = {
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a fork of a process that has initialized CUDA fails
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
}
"""Environment variables of vLLM that are set unless the user has set them."""
_GROUP = (
    "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_RANK", "ROLE_WORLD_SIZE",
    "ROLE_NAME", "MASTER_ADDR", "MASTER_PORT",
)  # fmt: skip
Weights = Literal["none", "nf4"]


@dataclass(frozen=True)
class Adapter:
    """The adapters of a saved model, as vLLM reads them."""

    request: Any
    """vLLM's LoRARequest."""
    rank: int
    folder: TemporaryDirectory[str] | None
    """A copy with the names that vLLM expects, removed when this object is; None when the saved files have them."""


def adapter(folder: Path, config: PreTrainedConfig) -> Adapter | None:
    """Return the adapters in a saved model's folder; None when it has none.

    `config`: the config of the base. Raises UserError for trained embedding rows, adapters of experts, a rank or an
    architecture that vLLM does not support, and a multimodal base in which vLLM would not find the layers: it ignores
    adapters of unknown layers without a word.
    """
    if not (folder / ADAPTER).exists():
        return None
    saved = read_json(folder / ADAPTER)
    if saved.get("trainable_token_indices") or saved.get("modules_to_save"):
        raise UserError(
            f"{shown(folder)} has trained embedding rows (--added-tags), which vLLM cannot load: use --engine hf."
        )
    if saved.get("target_parameters"):
        raise UserError(
            f"{shown(folder)} has adapters of experts, which were never compared with vLLM's: use --engine hf."
        )
    if config.model_type in WITHOUT_LORA:
        raise UserError(
            f"{shown(folder)} has adapters, which vLLM does not support for {config.model_type}: use --engine hf."
        )
    if saved["r"] > RANKS[-1]:
        raise UserError(
            f"{shown(folder)} has adapters of rank {saved['r']}, but vLLM supports at most {RANKS[-1]}: use --engine hf."
        )
    copied = _renamed(folder, config) if is_multimodal(config) else None
    request = import_module("vllm.lora.request").LoRARequest(
        lora_name="best", lora_int_id=1, lora_path=copied.name if copied else str(folder)
    )
    return Adapter(request, saved["r"], copied)


def is_multimodal(config: PreTrainedConfig) -> bool:
    """Return whether a causal checkpoint also holds parts for images or sound."""
    return config.get_text_config(decoder=True) is not config


def _renamed(folder: Path, config: PreTrainedConfig) -> TemporaryDirectory[str] | None:
    """Return a copy of adapters with the names that the multimodal class of vLLM expects; None when they have them."""
    name = next(iter(config.architectures or ()), config.model_type)
    if name not in MULTIMODAL:
        raise UserError(
            f"--engine vllm: where vLLM keeps the language model of {name} is not known, so the adapters of {shown(folder)} "
            "could be ignored: use --engine hf."
        )
    path = folder / "adapter_model.safetensors"
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        texts = [name for name in names if name.startswith((TEXT_PREFIX, _TEXT_ONLY_PREFIX))]
        if all(name.startswith(TEXT_PREFIX) for name in names):
            return None
        if not texts:
            raise UserError(
                f"--engine vllm: {shown(path)} has no adapters of the language model (found {names[0] if names else 'none'}): "
                "use --engine hf."
            )
        # Adapters of the towers do not change texts, and vLLM does not load the towers.
        tensors = {_text_name(name): file.get_tensor(name) for name in texts}
    copied: TemporaryDirectory[str] = TemporaryDirectory(prefix="kds-adapter-")
    save_file(tensors, Path(copied.name) / path.name, metadata={"format": "pt"})
    write_json(Path(copied.name) / ADAPTER, read_json(folder / ADAPTER))
    return copied


def _text_name(name: str) -> str:
    if name.startswith(TEXT_PREFIX):
        return name
    return f"{TEXT_PREFIX}layers.{name.removeprefix(_TEXT_ONLY_PREFIX)}"


def chosen_weights(
    decoding: DecodingConfig, base: PretrainedConfig | None, weights: Path, memory: float
) -> Weights:
    """Return the quantization of the weights: "none" (their dtype), or "nf4" of a base that was trained so.

    `memory`: bytes of all GPUs that share the model.
    Raises UserError for int8, which vLLM cannot make, and for nf4 without its plugin.
    """
    trained = base.quantization if base else "none"
    choice = decoding.vllm_quantization
    if trained == "none" or choice == "none":
        return "none"
    needed = 2 * weight_count(weights)
    if choice == "auto" and needed <= MOST_OF_GPU * memory:
        return "none"
    if trained == "int8":
        raise UserError(
            "--engine vllm cannot load weights with --quantization int8, as this run was trained"
            + (
                f", and 16-bit weights ({needed / 2**30:.1f} GB) leave too little of the GPU's {memory / 2**30:.1f} GB: "
                if choice == "auto"
                else ": use --vllm-quantization none, or "
            )
            + "use --engine hf."
        )
    if find_spec(PLUGIN) is None:
        raise UserError(
            f"--engine vllm: 4-bit weights need the package vllm-bnb-plugin, which is not installed; run: {USE} "
            "(or use --vllm-quantization none, or --engine hf)."
        )
    return "nf4"


def weight_count(folder: Path) -> int:
    """Return the number of weights in a model's safetensors files, from their headers."""
    count = 0
    for path in weight_files(folder):
        with safe_open(path, framework="np") as file:
            count += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    return count


def dtype_of(base: PretrainedConfig | None, *, adapted: bool) -> str:
    """Return the type of the weights and activations.

    Raises UserError for adapters on a base that is not 16-bit: vLLM only computes adapters in 16 bits.
    """
    chosen = base.dtype if base else "auto"
    if chosen == "auto":
        chosen = "bfloat16" if computes_in_bf16() else "float16" if adapted else "float32"
    if adapted and chosen == "float32":
        raise UserError(
            "--engine vllm only computes adapters in 16 bits, and this run was trained with --dtype float32: use --engine hf."
        )
    return chosen


def arguments(
    folder: Path,
    config: PreTrainedConfig,
    decoding: DecodingConfig,
    *,
    dtype: str,
    weights: Weights,
    rank: int,
    longest: int | None,
) -> dict[str, Any]:
    """Return the arguments of vLLM's LLM.

    `longest`: most tokens of a source and its summary; None lets vLLM choose the longest context that fits.
    """
    settings: dict[str, Any] = {
        "model": str(folder),
        "skip_tokenizer_init": True,  # we pass token ids; vLLM might load the tokenizer differently
        "tensor_parallel_size": decoding.vllm_gpus,
        "logprobs_mode": "raw_logprobs",  # before temperature and top-p
        "dtype": dtype,
        "seed": 0,
        # Without it the KV cache must hold one request of the model's whole context, which can be 100 times ours.
        "max_model_len": -1 if longest is None else longest,
    }
    if rank:
        settings |= {"enable_lora": True, "max_lora_rank": min(size for size in RANKS if size >= rank)}
    if weights == "nf4":
        settings["quantization"] = "bitsandbytes"  # the plugin quantizes while loading: nf4, double
    if is_multimodal(config):
        settings["language_model_only"] = (
            True  # otherwise the image processor is loaded, which wants a tokenizer
        )
    return settings


def gpus_of_process(size: int) -> list[int]:
    """Return the numbers of this process's GPUs among the visible ones: `size` for each process of this machine.

    Raises UserError when the machine has too few.
    """
    there, processes = torch.cuda.device_count(), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    if processes * size > there:
        raise UserError(
            f"--vllm-gpus {size}: this machine has {there} GPUs, and "
            f"{processes} {'process needs' if processes == 1 else 'processes need'} {processes * size}; lower it"
            f"{' or gpus=' if processes > 1 else ''}."
        )
    first = (distributed.gpu() or 0) * size
    return list(range(first, first + size))


def memory_of(gpus: list[int]) -> float:
    """Return the memory in bytes that the GPUs can use together, as the smallest allows."""
    return len(gpus) * min(float(torch.cuda.get_device_properties(gpu).total_memory) for gpu in gpus)


@contextmanager
def own_gpus(gpus: list[int]) -> Iterator[None]:
    """Let processes that start inside this context see only these GPUs, and nothing of torchrun's group of processes."""
    before = dict(os.environ)
    visible = before.get("CUDA_VISIBLE_DEVICES")
    listed = visible.split(",") if visible is not None else None
    for name in before:
        if name in _GROUP or name.startswith("TORCHELASTIC_"):
            del os.environ[name]
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(listed[gpu].strip() if listed else str(gpu) for gpu in gpus)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
