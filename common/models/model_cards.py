"""Read model cards (the origin of models) and config.json, from a folder, the hub's cache or the hub, without weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import read_json, shown
from common.data.competition_rules import API, models_of
from common.models import hub, hub_errors
from common.models.hub import PINNED, on_this_machine
from common.models.offline_gemma import NAME
from common.models.weight_files import CARD

_WITHOUT_CARD = ("tiny:", f"offline:{NAME}")  # random weights, or a model whose origin is known


def declared(settings: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return, by name of every model in the settings, the data sets and models that its card names as its origin, sorted.

    The list is empty for a model without a card or whose card cannot be reached (`hub.locate` reports the latter).
    Raises UserError for a card that cannot be read.
    """
    found = {}
    for key, name in models_of(settings).items():
        if not key.endswith(API) and not name.startswith(_WITHOUT_CARD):
            revision = settings.get(f"{key.rpartition('.')[0]}.revision") or PINNED.get(name)
            found[name] = sorted(_declared_by(name, revision))
    return found


def declared_in(folder: Path) -> list[str]:
    """Return the data sets and models that the card in a folder names, sorted. Raises UserError for a card that cannot be read."""
    return sorted(_sources(_card(folder / CARD)))


def config_folder(name: str, revision: str | None) -> Path | None:
    """Return a folder with a model's config.json, of which a model on the hub is downloaded alone.

    None for a model that needs no download, and when the hub does not give the file (`hub.locate` reports why).
    """
    from huggingface_hub import hf_hub_download

    if not name or name.startswith(_WITHOUT_CARD) or hub.is_local(name):
        return None
    revision = revision or PINNED.get(name)
    if folder := on_this_machine(name, revision):
        return folder
    hub.require_id(name)
    try:
        return Path(hf_hub_download(name, "config.json", revision=revision, etag_timeout=hub.SECONDS)).parent
    except Exception as error:
        if hub_errors.refusal(name, revision, error) is None:
            raise
        return None


def _declared_by(name: str, revision: str | None) -> set[str]:
    folder = on_this_machine(name, revision)
    if folder is None:
        return _sources(hub.card(name, revision))
    return _sources(_card(folder / CARD)) | _origin(folder / "config.json")


def _card(path: Path) -> dict[str, Any]:
    """Return the front matter of a README.md; {} when there is none."""
    from huggingface_hub import metadata_load

    try:
        return (metadata_load(path) if path.exists() else None) or {}
    except Exception as error:  # from the YAML parser, the encoding or the disk
        what = " ".join(str(error).split())[:200]
        raise UserError(
            f"{shown(path)}: the model card's front matter cannot be read ({what}); fix it, or delete the file if "
            "you know what the model was made from."
        ) from error


def _sources(card: Mapping[str, Any]) -> set[str]:
    """Return the values of `datasets` and `base_model`. Source of the keys: huggingface.co/docs/hub/model-cards."""
    found: set[str] = set()
    for key in ("datasets", "base_model"):
        values = card.get(key) or []
        found |= {str(value) for value in (values if isinstance(values, list) else [values])}
    return found


def _origin(path: Path) -> set[str]:
    """Return the model name that older versions of save_pretrained wrote to config.json; a renamed copy still has it."""
    name = read_json(path).get("_name_or_path") if path.exists() else None
    return {name} if name else set()
