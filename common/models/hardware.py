"""Compare the hardware that pretrained weights need with what there is. Never imports torch."""

from common.core.errors import UserError
from common.models.config import PretrainedConfig


def require_memory(config: PretrainedConfig, found: float) -> None:
    """Raise UserError when the settings want more GPU memory than the `found` gigabytes; 0 means that there is no GPU."""
    if found < config.gpu_memory:
        wanted = f"{config.model} needs a GPU with {config.gpu_memory:.0f} GB"
        if found:
            problem = f"{wanted} and this machine has a GPU with {found:.1f} GB"
        else:
            problem = f"{wanted} and this machine has no GPU"
        raise UserError(
            f"{problem}. Use a machine with one, a smaller --model with --gpu-memory 0, or exp010, which trains on a CPU."
        )


def require_bfloat16(config: PretrainedConfig, *, supported: bool) -> None:
    """Raise UserError when the settings want a GPU, and this one does not compute in bfloat16."""
    if config.gpu_memory and not supported:
        raise UserError(
            f"{config.model} needs bfloat16, which this GPU does not support (Ampere and newer do). "
            "Use another GPU, or try --gpu-memory 0 --dtype float16."
        )
