"""Models too large for one device: weights, gradients and optimizer state spread over the processes (FSDP2)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from transformers import PreTrainedModel

from common import processes
from common.errors import UserError


def shard(model: PreTrainedModel, device: torch.device, precision: str) -> None:
    """Spread the model, layer by layer, over all processes; in place.

    PyTorch's own `fully_shard`: accelerate shards on GPUs only and elsewhere silently does not.
    Raises UserError when there is one process, the precision is fp16, or the weights are quantized.
    """
    if processes.count() == 1:
        raise UserError("--sharding fsdp needs several processes: start them with make … gpus=N.")
    if precision == "fp16":
        raise UserError("--sharding fsdp does not go together with --precision fp16; use bf16 or no.")
    if not all(parameter.is_floating_point() for parameter in model.parameters()):
        raise UserError("--sharding fsdp cannot spread quantized weights; use --quantization none.")
    mesh = init_device_mesh(device.type, (processes.count(),))
    half = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    settings: dict[str, Any] = {
        "mesh": mesh,
        "mp_policy": half if precision == "bf16" else MixedPrecisionPolicy(),
    }
    for owner in model.modules():  # weights move as they are spread; tables beside them do not
        for name, table in owner.named_buffers(recurse=False):
            setattr(owner, name, table.to(device))
    layers = set(model._no_split_modules or ())
    for module in list(model.modules()):
        if type(module).__name__ in layers:
            fully_shard(module, **settings)
    fully_shard(model, **settings)


def is_sharded(model: torch.nn.Module) -> bool:
    """Whether each process holds only its share of the weights."""
    return isinstance(model, FSDPModule)


@contextmanager
def usable(model: torch.nn.Module) -> Iterator[None]:
    """Parts of the model, such as an encoder alone, can be called inside this context."""
    if isinstance(model, FSDPModule):
        model.unshard()  # what no layer owns: embeddings, last norm, output layer
    try:
        yield
    finally:
        if isinstance(model, FSDPModule):
            model.reshard()


def whole_weights(model: torch.nn.Module) -> dict[str, torch.Tensor] | None:
    """All weights of a sharded model, tied ones once, on the CPU of the first process; None of a model that has them.

    Every process must call this.
    """
    if not is_sharded(model):
        return None
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights: dict[str, torch.Tensor] = get_model_state_dict(model, options=options)
    once = {name for name, _ in model.named_parameters()}
    tied = {name for name, _ in model.named_parameters(remove_duplicate=False)} - once
    return {name: value for name, value in weights.items() if name not in tied}


def save_share(folder: Path, state: dict[str, Any]) -> None:
    """Write what this process alone holds into a checkpoint."""
    torch.save(state, folder / f"share_{processes.rank()}.pt")


def load_share(folder: Path) -> dict[str, Any]:
    """What `save_share` wrote in this process."""
    state: dict[str, Any] = torch.load(folder / f"share_{processes.rank()}.pt", weights_only=True)
    return state
