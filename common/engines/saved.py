"""Read the folder of a saved model, which holds either all weights or an adapter on a base stored elsewhere."""

from pathlib import Path

from transformers import AutoConfig, GenerationConfig
from transformers.utils import GENERATION_CONFIG_NAME

from common.models import PretrainedConfig
from common.models.pretrained import locate, source_record
from common.models.storage import BASE, recorded_base, require_same_base

ADAPTER = "adapter_config.json"


def weights(folder: Path) -> tuple[Path, PretrainedConfig | None]:
    """Return the folder of the weights, downloaded if necessary, and the settings of the base if they belong to one.

    Raises UserError when the base cannot be found or is not the one that the adapter was trained on.
    """
    if not (folder / BASE).exists():
        return folder, None
    config, wanted = recorded_base(folder)
    source = locate(config)
    require_same_base(folder, wanted, source_record(source))
    return source.folder, config


def generation_config(folder: Path, weights: Path) -> GenerationConfig:
    """Load the generation config of a saved model (start and end tokens), from its folder or else from its weights."""
    for place in (folder, weights):
        if (place / GENERATION_CONFIG_NAME).exists():
            return GenerationConfig.from_pretrained(place)
    return GenerationConfig.from_model_config(AutoConfig.from_pretrained(weights, trust_remote_code=False))
