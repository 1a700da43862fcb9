"""Compute linear layers with oneDNN where torch's default, MKL, leaves half of the processor unused.

MKL computes float32 with AVX2 on AMD's processors, also on those with AVX-512; oneDNN, another library in torch, uses
AVX-512 there. Both round in float32, so that texts differ only where two tokens tie.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel

FEWEST_ROWS = 16
"""With fewer rows, MKL is as fast or faster."""


@cache
def pays() -> bool:
    """Return whether this machine has a processor of AMD's with AVX-512, and torch has oneDNN."""
    if not torch.backends.mkldnn.is_available() or torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return False


@contextmanager
def fast_linear(model: PreTrainedModel) -> Iterator[None]:
    """Let a model's plain linear layers in float32 on a CPU use oneDNN inside this context, where it pays.

    Only for inference: oneDNN's operation has no gradient.
    """
    layers = [layer for layer in model.modules() if _plain(layer)] if pays() else []
    for layer in layers:
        layer.forward = partial(_linear, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _plain(layer: nn.Module) -> bool:
    if type(layer) is not nn.Linear or "forward" in vars(
        layer
    ):  # accelerate replaces `forward` of layers elsewhere
        return False
    weight = layer.weight
    return weight.dtype == torch.float32 and weight.device.type == "cpu" and type(weight.data) is torch.Tensor


def _linear(layer: nn.Linear, states: torch.Tensor) -> torch.Tensor:
    rows = states.numel() // states.shape[-1]
    if rows < FEWEST_ROWS or states.dtype != torch.float32 or torch.is_grad_enabled():
        return nn.functional.linear(states, layer.weight, layer.bias)
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(states, layer.weight, layer.bias, "none", [], "")
    return found
