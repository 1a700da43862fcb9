"""Write the state of a training as JSON and safetensors, and read it back. Reading never runs code from a file.

Every function that reads raises ValueError when a file does not hold what this training needs.
"""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor

from common.core.errors import first_line
from common.core.files import parse_json, read_regular
from common.training.state import MovingAverage

Tensors = dict[str, torch.Tensor]
MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps for each weight, besides the number of steps."""


def local(tensor: torch.Tensor) -> torch.Tensor:
    """Return the part of a sharded tensor that this process holds, on the CPU; any other tensor as it is."""
    held: torch.Tensor = tensor.detach().to_local().cpu() if isinstance(tensor, DTensor) else tensor.detach()
    return held.contiguous()


def fill(tensor: torch.Tensor, values: torch.Tensor) -> None:
    """Copy values into a tensor, for a sharded one into the part that this process holds."""
    into = tensor.to_local() if isinstance(tensor, DTensor) else tensor
    into.copy_(values)


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write named tensors; of a sharded one only the part that this process holds."""
    save_file({name: local(tensor) for name, tensor in tensors.items()}, path)


def read_tensors(path: Path, wanted: Mapping[str, torch.Tensor]) -> Tensors:
    """Return the tensors of a file, which must have the names, shapes and types of `wanted`."""
    found = _load(path)
    _require_tensors(found, wanted, path.name)
    return found


def _load(path: Path) -> Tensors:
    try:
        tensors: Tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path.name} cannot be read ({first_line(error)})") from error
    return tensors


def _require_tensors(found: Tensors, wanted: Mapping[str, torch.Tensor], file: str) -> None:
    if found.keys() != wanted.keys():
        name = min(found.keys() ^ wanted.keys())
        raise ValueError(f"{file} {'lacks' if name in wanted else 'has an unknown'} {name!r}")
    for name, tensor in wanted.items():
        here, there = tensor.to_local() if isinstance(tensor, DTensor) else tensor, found[name]
        if (here.shape, here.dtype) != (there.shape, there.dtype):
            raise ValueError(
                f"{file}: {name!r} is {there.dtype} {list(there.shape)}, wanted {here.dtype} {list(here.shape)}"
            )


def read_values(path: Path, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object of a JSON file, which must have the names and types of `wanted`; in lists the first entry counts."""
    values: dict[str, Any] = read_value(path)
    _require_like(values, wanted, path.name)
    return values


def read_value(path: Path) -> Any:
    """Return the value of a JSON file."""
    try:
        return parse_json(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is not valid JSON ({first_line(error)})") from error


def _require_like(found: Any, wanted: Any, name: str) -> None:
    if type(found) is not type(wanted):
        raise ValueError(f"{name} is a JSON {type(found).__name__}, wanted {type(wanted).__name__}")
    if isinstance(wanted, dict):
        if found.keys() != wanted.keys():
            raise ValueError(f"{name} differs in {min(found.keys() ^ wanted.keys(), key=str)!r}")
        for key, value in wanted.items():
            _require_like(found[key], value, f"{name}: {key}")
    elif isinstance(wanted, list):
        if len(found) != len(wanted):
            raise ValueError(f"{name} has {len(found)} entries, wanted {len(wanted)}")
        for entry in found:
            _require_like(entry, wanted[0], name)


def optimizer_tensors(optimizer: Any, parameters: Mapping[str, torch.nn.Parameter]) -> Tensors:
    """Return what AdamW keeps for each parameter that ever had a gradient, by names such as "exp_avg layers.0.weight"."""
    return {
        f"{kind} {name}": value
        for name, parameter in parameters.items()
        for kind, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer(
    path: Path, optimizer: Any, parameters: Mapping[str, torch.nn.Parameter], rates: list[float]
) -> None:
    """Give AdamW the tensors that `optimizer_tensors` returned, read from a file, and the learning rate of each group."""
    saved = _load(path)
    wanted: Tensors = {}
    for name, parameter in parameters.items():
        if any(f"{kind} {name}" in saved for kind in ("step", *MOMENTS)):
            wanted |= {f"step {name}": torch.zeros(())} | {f"{kind} {name}": parameter for kind in MOMENTS}
    _require_tensors(saved, wanted, path.name)
    names = {parameter: name for name, parameter in parameters.items()}
    ordered = [names[parameter] for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for index, name in enumerate(ordered):
        if f"step {name}" not in saved:
            continue
        state[index] = {"step": saved[f"step {name}"]}
        for kind in MOMENTS:
            state[index][kind] = torch.zeros_like(parameters[name])
            fill(state[index][kind], saved[f"{kind} {name}"])
    groups = optimizer.state_dict()["param_groups"]
    groups = [{**group, "lr": rate} for group, rate in zip(groups, rates, strict=True)]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def average_tensors(average: MovingAverage, parameters: Mapping[str, torch.nn.Parameter]) -> Tensors:
    """Return the averaged weights by the names of the parameters; {} when there is no average."""
    return dict(zip(parameters, average.average, strict=True)) if average.average else {}


def random_states(device: torch.device) -> dict[str, Any]:
    """Return the states of all random generators that this process uses, as JSON values."""
    version, numbers, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": {"version": version, "numbers": list(numbers), "gauss": [] if gauss is None else [gauss]},
        "numpy": {"name": name, "keys": np.asarray(keys).tolist(), "position": int(position),
                  "has_gauss": int(has_gauss), "cached": float(cached)},
        "torch": torch.get_rng_state().numpy().tobytes().hex(),
        "cuda": torch.cuda.get_rng_state(device).numpy().tobytes().hex() if device.type == "cuda" else "",
    }  # fmt: skip


def load_random_states(path: Path, device: torch.device) -> None:
    """Set all random generators to the states that `random_states` returned, read from a file."""
    wanted, found = random_states(device), read_value(path)
    gauss = (
        found["python"].get("gauss")
        if isinstance(found, dict) and isinstance(found.get("python"), dict)
        else []
    )
    wanted["python"]["gauss"] = [0.0] if gauss else []  # whether there is one depends on the last call
    _require_like(found, wanted, path.name)
    python, numpy_ = found["python"], found["numpy"]
    try:
        random.setstate((python["version"], tuple(python["numbers"]), *(python["gauss"] or [None])))
        keys = np.array(numpy_["keys"], dtype=np.uint32)
        state = (numpy_["name"], keys, numpy_["position"], numpy_["has_gauss"], numpy_["cached"])
        np.random.set_state(state)
        torch.set_rng_state(_bytes(found["torch"]))
        if device.type == "cuda":
            torch.cuda.set_rng_state(_bytes(found["cuda"]), device)
    except (RuntimeError, TypeError, OverflowError, ValueError) as error:
        raise ValueError(f"{path.name} holds no state of a random generator ({first_line(error)})") from error


def _bytes(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)
