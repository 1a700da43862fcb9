"""Shard weights, gradients and optimizer state with FSDP2, for models too large for one device."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from common.core import distributed
from common.core.errors import UserError


def shard(model: PreTrainedModel, device: torch.device, precision: str) -> None:
    """Shard the weights of the first process over all processes, layer by layer and in place.

    The other processes need no weights: their parameters may be on the meta device. No process holds more than one layer
    of the weights on the device, besides its shards. This uses PyTorch's `fully_shard`, because accelerate silently
    shards nothing unless there are GPUs.
    Raises UserError when there is only one process, the precision is fp16, or the weights are quantized.
    """
    if distributed.count() == 1:
        raise UserError("--sharding fsdp needs several processes: start them with make … gpus=N.")
    if precision == "fp16":
        raise UserError("--sharding fsdp does not work with --precision fp16; use bf16 or no.")
    if not all(parameter.is_floating_point() for parameter in model.parameters()):
        raise UserError("--sharding fsdp cannot shard quantized weights; use --quantization none.")
    mesh = init_device_mesh(device.type, (distributed.count(),))
    half = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    settings: dict[str, Any] = {
        "mesh": mesh,
        "mp_policy": half if precision == "bf16" else MixedPrecisionPolicy(),
    }
    for owner in model.modules():
        for name, buffer in owner.named_buffers(recurse=False):
            setattr(owner, name, _of_the_first(buffer, device))
    names = Counter(id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False))
    tied = {id(p): None for p in model.parameters() if names[id(p)] > 1}
    layers = set(model._no_split_modules or ())
    for module in [*(m for m in model.modules() if type(m).__name__ in layers), model]:
        _receive(module, device, tied)
        fully_shard(module, **settings)


def _receive(
    module: torch.nn.Module, device: torch.device, tied: dict[int, torch.nn.Parameter | None]
) -> None:
    """Give the module's parameters that are not sharded yet the values of the first process, on the device.

    `tied`: parameters that several modules share, by the id of the old one; None for one that has not been replaced yet.
    """
    for owner in module.modules():
        for name, old in list(owner.named_parameters(recurse=False)):
            if isinstance(old, DTensor):
                continue
            new = tied.get(id(old))
            if new is None:
                new = torch.nn.Parameter(_of_the_first(old.detach(), device), requires_grad=old.requires_grad)
            if id(old) in tied:
                tied[id(old)] = new
            setattr(owner, name, new)


def _of_the_first(mine: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return the value that a tensor has in the first process, on the device."""
    here = mine.to(device).contiguous() if distributed.rank() == 0 else torch.empty_like(mine, device=device)
    torch.distributed.broadcast(here, src=0)
    return here


def is_sharded(model: torch.nn.Module) -> bool:
    """Return whether each process holds only a shard of the weights."""
    return isinstance(model, FSDPModule)


@contextmanager
def usable(model: torch.nn.Module) -> Iterator[None]:
    """Make parts of the model, such as the encoder alone, callable inside this context."""
    if isinstance(model, FSDPModule):
        model.unshard()  # weights outside the layers: embeddings, last norm, output layer
    try:
        yield
    finally:
        if isinstance(model, FSDPModule):
            model.reshard()


def whole_weights(model: torch.nn.Module) -> dict[str, torch.Tensor] | None:
    """Return the full weights of a sharded model, tied ones once; None for a model that is not sharded.

    They are on the CPU of the first process; the dict of every other process is empty. Every process must call this.
    """
    if not is_sharded(model):
        return None
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights: dict[str, torch.Tensor] = get_model_state_dict(model, options=options)
    once = {name for name, _ in model.named_parameters()}
    tied = {name for name, _ in model.named_parameters(remove_duplicate=False)} - once
    return {name: value for name, value in weights.items() if name not in tied}
