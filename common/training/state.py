"""Hold the state that training carries from step to step."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.distributed.tensor import DTensor


@dataclass
class Progress:
    """The progress of training; part of every checkpoint."""

    step: int = 0
    evaluated: int = 0
    """Last step after which the model was evaluated, 0 before the first evaluation."""
    best_score: float = -math.inf
    best_step: int = 0
    best: str = ""
    """The fingerprint of best/ (`verified_folder`); only the first process, which saves it, knows it before a resume."""
    bad_evaluations: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0


class MovingAverage:
    """An exponential moving average of the trained weights, kept in float32.

    The decay grows with the step t as min(decay, (1 + t) / (10 + t)), so that the average soon forgets the initial weights.
    """

    def __init__(self, parameters: list[torch.nn.Parameter], decay: float) -> None:
        self.parameters, self.decay, self.steps = parameters, decay, 0
        self.average = [p.detach().float().clone() for p in parameters] if decay else []

    def update(self) -> None:
        """Add the weights of this step to the average."""
        self.steps += 1
        keep = min(self.decay, (1 + self.steps) / (10 + self.steps))
        if self.average:
            own = [_held(parameter.detach()).float() for parameter in self.parameters]
            torch._foreach_lerp_([_held(mean) for mean in self.average], own, 1 - keep)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the model the averaged weights inside this context and restore its own afterwards."""
        own = [p.detach().clone() for p in self.parameters] if self.decay else []
        for parameter, mean in zip(self.parameters, self.average, strict=False):
            parameter.data.copy_(mean)
        try:
            yield
        finally:
            for parameter, value in zip(self.parameters, own, strict=False):
                parameter.data.copy_(value)


def _held(tensor: torch.Tensor) -> torch.Tensor:
    """Return the part of a sharded tensor that this process holds, any other tensor as it is."""
    held: torch.Tensor = tensor.to_local() if isinstance(tensor, DTensor) else tensor
    return held


def trained_parameters(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Return the parameters that training changes, by name; tied ones once."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}
