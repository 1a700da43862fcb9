"""The mean of saved models of one architecture, tensor by tensor and without loading a model (Wortsman et al. 2022)."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from common.core.errors import UserError
from common.core.files import read_json
from common.core.verified_folder import MANIFEST
from common.models import adapter_soup
from common.models.adapter_soup import CONFIG, WEIGHTS, is_low_rank, require_exact
from common.models.storage import BASE
from common.models.weight_files import weight_files
from common.tokenization import same_vocabulary
from common.tokenization.tokenizer import load_tokenizer

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
_NO_MATTER = (
    "transformers_version",
    "_name_or_path",
)  # in config.json, like dropout, which inference has none of


def require_alike(folders: Mapping[str, Path]) -> None:
    """Raises UserError, naming the run and what differs, unless the models saved in the folders can be averaged.

    They need the same architecture, tokenizer and tensors (names, shapes, types); adapters the same base.
    """
    (first, wanted), *others = folders.items()
    kind = _kind(first, wanted)
    if kind == "adapter":
        require_exact(first, wanted)
    for run, folder in others:
        found = _kind(run, folder)
        differs = f"{_NAMES[found]}, not {_NAMES[kind]}" if found != kind else None
        differs = differs or same_vocabulary.difference(load_tokenizer(wanted), load_tokenizer(folder))
        if not differs and kind == "adapter":
            require_exact(run, folder)
            differs = adapter_soup.difference(wanted, folder)
        differs = differs or _settings_difference(wanted, folder) or _tensor_difference(wanted, folder, kind)
        if differs:
            raise UserError(
                f"{run} and {first} cannot be averaged: {run} has {differs}; leave one of them out of runs=."
            )


_NAMES = {"adapter": "adapters", "model": "a whole model"}


def _kind(run: str, folder: Path) -> str:
    """adapter or model. Raises UserError for a run that has no weights of its own."""
    if (folder / CONFIG).exists():
        return "adapter"
    if (folder / BASE).exists():
        raise UserError(f"{run} trains nothing, it only names a pretrained model; leave it out of runs=.")
    if not all(path.exists() for path in weight_files(folder)) or not (folder / "config.json").exists():
        raise UserError(f"{run} has no model whose weights could be averaged; leave it out of runs=.")
    return "model"


def _settings_difference(one: Path, other: Path) -> str | None:
    for name in ("config.json", "generation_config.json"):
        wanted, found = (
            read_json(folder / name) if (folder / name).exists() else {} for folder in (one, other)
        )
        for key in sorted({*wanted, *found}):
            if key in _NO_MATTER or "drop" in key or wanted.get(key) == found.get(key):
                continue
            return f"{key} {found.get(key)} in {name}, {wanted.get(key)} wanted"
    return None


def _tensor_difference(one: Path, other: Path, kind: str) -> str | None:
    wanted, found = _shapes(one, kind), _shapes(other, kind)
    if lack := sorted(set(wanted) ^ set(found)):
        return f"{'no' if lack[0] in wanted else 'a'} tensor {lack[0]}"
    for name, shape in wanted.items():
        if found[name] != shape:
            return f"tensor {name} as {found[name]}, {shape} wanted"
    return None


def _shapes(folder: Path, kind: str) -> dict[str, str]:
    """Type and shape of every tensor that is averaged as it is."""
    shapes = {}
    for path in [folder / WEIGHTS] if kind == "adapter" else weight_files(folder):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                part = file.get_slice(name)
                shapes[name] = f"{part.get_dtype()} {'×'.join(map(str, part.get_shape()))}"
    return {name: shape for name, shape in shapes.items() if not is_low_rank(name)}


def average(folders: Mapping[str, Path], folder: Path) -> None:
    """Write the mean of the models saved in `folders` (see `require_alike`) into a folder that exists.

    Everything but the weights is the first one's. Raises UserError when tensors of whole numbers differ.
    """
    first = next(iter(folders.values()))
    for path in sorted(p for p in first.iterdir() if p.is_file()):
        if path.suffix not in _WEIGHTS and path.name != MANIFEST:
            shutil.copyfile(path, folder / path.name)
    if (first / CONFIG).exists():
        adapter_soup.average(folders, folder, mean)
    else:
        _average_models(folders, folder)


def _average_models(folders: Mapping[str, Path], folder: Path) -> None:
    """One file of weights after the other, so that no model need fit into memory more than once."""
    readers = {run: _reader(source) for run, source in folders.items()}
    for path in weight_files(next(iter(folders.values()))):
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
        means = {name: mean(name, {run: read(name) for run, read in readers.items()}) for name in names}
        save_file(means, folder / path.name, metadata={"format": "pt"})


def _reader(folder: Path) -> Any:
    """A function from a tensor's name to the tensor; shards may be cut otherwise than another model's."""
    where: dict[str, Any] = {}
    for path in weight_files(folder):
        file: Any = safe_open(path, framework="pt")
        where |= dict.fromkeys(file.keys(), file)
    return lambda name: where[name].get_tensor(name)


def mean(name: str, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The mean of the runs' tensors of this name, summed in a wider type, in their own type.

    Raises UserError when they hold whole numbers, which have no mean, and differ.
    """
    values: Sequence[torch.Tensor] = list(tensors.values())
    first = values[0]
    if not first.is_floating_point():
        for run, tensor in tensors.items():
            if not torch.equal(tensor, first):
                raise UserError(f"{run}: {name} holds other whole numbers than {next(iter(tensors))}'s.")
        return first
    wide = torch.float64 if first.element_size() >= 4 else torch.float32
    total = torch.zeros(first.shape, dtype=wide)
    for tensor in values:
        total += tensor
    return (total / len(values)).to(first.dtype)
