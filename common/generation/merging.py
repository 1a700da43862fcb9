"""Decide whether to merge adapters into 16-bit weights before decoding."""

import math
from pathlib import Path

import torch
from safetensors import safe_open

from common.generation.config import DecodingConfig
from common.models import storage
from common.models.pretrained import computes_in_bf16, device
from common.models.storage import ADAPTER
from common.models.weight_files import weight_files

SHARE = 0.7
"""Largest share of a GPU's memory for the weights. It does not go by what is free just now: an interrupted decoding that
resumes must choose the same. The rest holds the KV cache: 6 GB of 24 GB hold about 100 rows of
a model with 7 billion weights."""


def merges(folder: Path, decoding: DecodingConfig) -> bool:
    """Return whether to merge the adapters of a saved model: the setting, or with `auto` whether a GPU holds the weights.

    On a CPU `auto` means no: merging takes more memory there.
    Raises UserError as `storage.weights` does.
    """
    if decoding.merge != "auto":
        return decoding.merge
    if device().type != "cuda" or not (folder / ADAPTER).exists():
        return False
    weights, base = storage.weights(folder)
    dtype = "float32" if base is None else base.dtype
    size = 2 if dtype.endswith("float16") or (dtype == "auto" and computes_in_bf16()) else 4
    _, total = torch.cuda.mem_get_info(device())
    return bool(weight_count(weights) * size <= SHARE * total)


def weight_count(folder: Path) -> int:
    """Return the number of weights in a model's safetensors."""
    count = 0
    for path in weight_files(folder):
        with safe_open(path, framework="pt") as tensors:
            count += sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    return count
