"""What lies in the folder of a saved model: all of it, or an adapter on a base that is elsewhere."""

from pathlib import Path

from transformers import AutoConfig, GenerationConfig
from transformers.utils import GENERATION_CONFIG_NAME

from common.models import PretrainedConfig
from common.models.pretrained import locate, source_record
from common.models.storage import BASE, recorded_base, require_same_base

ADAPTER = "adapter_config.json"


def weights(folder: Path) -> tuple[Path, PretrainedConfig | None]:
    """The folder of the weights, downloaded if need be, and how the recipe holds them if they are a base's.

    Raises UserError when the base is nowhere to be had or is another one than it was.
    """
    if not (folder / BASE).exists():
        return folder, None
    config, wanted = recorded_base(folder)
    source = locate(config)
    require_same_base(folder, wanted, source_record(source))
    return source.folder, config


def generation_config(folder: Path, weights: Path) -> GenerationConfig:
    """How the saved model begins and ends its texts: as recorded in its folder, else as its weights say."""
    for place in (folder, weights):
        if (place / GENERATION_CONFIG_NAME).exists():
            return GenerationConfig.from_pretrained(place)
    return GenerationConfig.from_model_config(AutoConfig.from_pretrained(weights, trust_remote_code=False))
