"""What models say of where they come from: the card of a folder, of the hub's cache, or of the hub. Needs no download."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import hub, rules
from common.errors import UserError
from common.files import read_json, shown
from common.offline_model import NAME

_OURS = ("tiny:", f"offline:{NAME}")  # random, or known


def declared(settings: Mapping[str, Any]) -> dict[str, list[str]]:
    """By the name of every model in the settings: the data sets and models that it says it was made from, sorted.

    A model without a card, or whose card nobody can reach (`hub.locate` then says so), says nothing.
    Raises UserError for a card that cannot be read.
    """
    found = {}
    for key, name in rules.models_of(settings).items():
        if not key.endswith(rules.API) and not name.startswith(_OURS):
            revision = settings.get(f"{key.rpartition('.')[0]}.revision") or hub.PINNED.get(name)
            found[name] = sorted(_says(name, revision))
    return found


def _says(name: str, revision: str | None) -> set[str]:
    folder = hub.on_this_machine(name, revision)
    if folder is None:
        return _sources(hub.card(name, revision))
    return _sources(_card(folder / hub.CARD)) | _origin(folder / "config.json")


def _card(path: Path) -> dict[str, Any]:
    """The front matter of a README.md; {} when there is none."""
    from huggingface_hub import metadata_load

    try:
        return (metadata_load(path) if path.exists() else None) or {}
    except Exception as error:  # of YAML, of the encoding, of the disk
        what = " ".join(str(error).split())[:200]
        raise UserError(
            f"{shown(path)}: the model card's front matter cannot be read ({what}); mend it, or delete the file when "
            "you know what the model was made from."
        ) from error


def _sources(card: Mapping[str, Any]) -> set[str]:
    """Source of the keys: huggingface.co/docs/hub/model-cards."""
    found: set[str] = set()
    for key in ("datasets", "base_model"):
        values = card.get(key) or []
        found |= {str(value) for value in (values if isinstance(values, list) else [values])}
    return found


def _origin(path: Path) -> set[str]:
    """The name that save_pretrained of older versions kept in config.json, which a renamed copy still has."""
    name = read_json(path).get("_name_or_path") if path.exists() else None
    return {name} if name else set()
