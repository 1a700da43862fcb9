"""Hold the state that training carries from step to step, and store it in checkpoints."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

TRAINED = "trained.safetensors"


@dataclass
class Progress:
    """The progress of training; part of every checkpoint."""

    step: int = 0
    best_score: float = -math.inf
    best_step: int = 0
    bad_evaluations: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the values that a checkpoint stores."""
        return asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the values that `state_dict` returned."""
        for name, value in state.items():
            setattr(self, name, value)


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
        for mean, parameter in zip(self.average, self.parameters, strict=False):
            mean.lerp_(parameter.detach().float(), 1 - keep)

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

    def state_dict(self) -> dict[str, Any]:
        """Return the values that a checkpoint stores."""
        return {"steps": self.steps, "average": self.average}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the values that `state_dict` returned."""
        self.steps = state["steps"]
        for mean, value in zip(self.average, state["average"], strict=True):
            mean.copy_(value)


def trained_parameters(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Return the parameters that training changes, by name; tied ones once."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def keep_trained_weights_only(accelerator: Accelerator, model: torch.nn.Module) -> None:
    """Make accelerate save and load only the trained weights: a few megabytes of adapters for a large 4-bit model."""

    def save(_: Any, weights: list[Any], folder: str) -> None:
        weights.clear()
        if accelerator.is_main_process:
            found = {name: p.detach().contiguous() for name, p in trained_parameters(model).items()}
            save_file(found, Path(folder) / TRAINED)

    def load(models: list[Any], folder: str) -> None:
        models.clear()
        saved = load_file(Path(folder) / TRAINED)
        for name, parameter in trained_parameters(model).items():
            parameter.data.copy_(saved[name])

    accelerator.register_save_state_pre_hook(save)
    accelerator.register_load_state_pre_hook(load)
