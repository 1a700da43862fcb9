"""Refuse settings of a training that the architecture of its model does not allow, by the model's config.json alone."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from common.models.by_config import require_dropout, require_liger
from common.models.config import LoRAConfig, PretrainedConfig

T = TypeVar("T")


def parts(config: Any, kind: type[T]) -> Iterator[T]:
    """Yield the settings of one kind inside a config, at any depth."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if isinstance(value, kind):
            yield value
        elif dataclasses.is_dataclass(value):
            yield from parts(value, kind)


def require_architecture(settings: Any, folder: Path) -> None:
    """Raise UserError when the model whose config.json is in a folder does not allow the settings of a training."""
    for lora in _adapters(settings):
        require_dropout(folder, lora)
    if _liger(settings):
        require_liger(folder)


def require_architecture_of_hub(settings: Any) -> None:
    """Raise UserError as `require_architecture` does, before the weights of a model on the hub are downloaded.

    The hub is asked for config.json where a setting needs it; a hub that cannot be reached is reported later.
    """
    if not (_liger(settings) or any(lora.dropout for lora in _adapters(settings))):
        return
    from common.models.model_cards import config_folder

    for base in parts(settings, PretrainedConfig):
        if folder := config_folder(base.model, base.revision):
            require_architecture(settings, folder)


def _adapters(settings: Any) -> list[LoRAConfig]:
    return list(parts(settings, LoRAConfig)) if getattr(settings, "adapter", True) else []


def _liger(settings: Any) -> bool:
    return bool(getattr(getattr(settings, "training", None), "kernels", "torch") == "liger")
