"""What lies in the folder of a saved model: all of it, or an adapter on a base that is elsewhere."""

from dataclasses import replace
from pathlib import Path

from common.errors import UserError
from common.files import read_json, sha256_file, shown
from common.models import PretrainedConfig
from common.models.pretrained import locate
from common.models.storage import BASE

ADAPTER = "adapter_config.json"


def weights(folder: Path) -> tuple[Path, PretrainedConfig | None]:
    """The folder of the weights, downloaded if need be, and how the recipe holds them if they are a base's.

    Raises UserError when the base is nowhere to be had or is another one than it was.
    """
    if not (folder / BASE).exists():
        return folder, None
    saved = read_json(folder / BASE)
    config = PretrainedConfig(**saved["config"])
    source = locate(replace(config, revision=saved["source"]["commit"] or config.revision))
    found, wanted = sha256_file(source.folder / "config.json"), saved["source"]["config_sha256"]
    if found != wanted:
        raise UserError(
            f"{shown(folder)} was made on {saved['source']['model']} (config.json {wanted[:12]}), and "
            f"{shown(source.folder)} is another model ({found[:12]}). Put the former back, or train with restart=1."
        )
    return source.folder, config
