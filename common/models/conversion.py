"""Convert pickled PyTorch weights to safetensors without running code from the pickle."""

import logging
import pickle  # nosec B403: for its exception; weights are read with weights_only
import shutil
import zipfile
from pathlib import Path
from typing import Any

from common.core.errors import UserError, first_line
from common.core.files import read_json, shown, write_json
from common.core.progress import waiting
from common.core.verified_folder import build_once
from common.models.weight_files import CARD, PICKLED, SAFE, config_files, file_names

log = logging.getLogger(__name__)


def convert(folder: Path, target: Path) -> Path:
    """Write the folder's config, tokenizer and pickled weights, as bit-identical safetensors, to `target`; return `target`.

    Tied tensors are written under each of their names. An intact `target` is kept as it is; a killed conversion leaves
    no `target`.
    Raises UserError when the weights contain more than tensors (pickles can run code), are damaged, or do not fit on the
    disk.
    """

    def write(staging: Path) -> None:
        log.info("converting the pickled weights of %s to safetensors in %s", shown(folder), shown(target))
        for name in [*config_files(file_names(folder)), *({CARD} & set(file_names(folder)))]:
            shutil.copyfile(folder / name, staging / name)
        index = folder / f"{PICKLED}.index.json"
        if (folder / PICKLED).exists():
            _rewrite(folder / PICKLED, staging / SAFE)
            return
        weights = read_json(index)
        for name in sorted(set(weights["weight_map"].values())):
            _rewrite(folder / name, staging / _safe_name(name))
        weights["weight_map"] = {key: _safe_name(name) for key, name in weights["weight_map"].items()}
        write_json(staging / f"{SAFE}.index.json", weights)

    with waiting(f"convert {folder.name}"):
        return build_once(target, write)


def _safe_name(name: str) -> str:
    """Return the safetensors name: pytorch_model-00001-of-00002.bin → model-00001-of-00002.safetensors."""
    return name.removeprefix("pytorch_").removesuffix(".bin") + ".safetensors"


def _rewrite(source: Path, target: Path) -> None:
    from safetensors.torch import save_file

    save_file(_tensors(source), target, metadata={"format": "pt"})


def _tensors(path: Path) -> dict[str, Any]:
    """Load the tensors of a pickled state dict; none shares its memory, because safetensors does not allow it."""
    import torch

    try:
        # Files from before torch 1.6 are not zip archives and cannot be memory-mapped.
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(
            f"{shown(path)}: not a readable file of tensors only ({first_line(error)}); nothing else is unpickled, "
            "because that can run code. Copy it again, or choose a model with safetensors."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(
            f"{shown(path)}: wanted a state dict (names to tensors), found something else, perhaps a training checkpoint. "
            "Save the model with save_pretrained and use that folder."
        )
    seen: set[int] = set()
    tensors = {}
    for name, tensor in state.items():
        storage = tensor.untyped_storage()
        unshared = storage.data_ptr() not in seen and storage.nbytes() == tensor.nbytes
        seen.add(storage.data_ptr())
        tensors[name] = tensor if unshared and tensor.is_contiguous() else tensor.contiguous().clone()
    return tensors
