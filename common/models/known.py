"""Judge a model's name by what this machine knows: without torch, without the network, and without writing anything."""

import os
from importlib.util import find_spec
from pathlib import Path

from common.core.errors import UserError
from common.core.files import read_json
from common.core.paths import cache_folder
from common.models import hub, offline_gemma
from common.models.architecture import require_known_type
from common.models.config import PREFIX, require_kind
from common.models.weight_files import PICKLED, defect_of, file_names, pickled_names, weight_files
from common.tokenization.config import unknown_language

_YES = ("1", "on", "yes", "true")


def require_findable(name: str, revision: str | None = None) -> Path | None:
    """Return the folder of a model that is on this machine; None when it must be made, converted or downloaded first.

    Raises UserError, as `hub.locate` would after seconds or minutes, when this machine already knows that the model cannot
    be loaded: an invalid name, a folder without a usable model, a missing package, or no snapshot while the hub is
    switched off. A model on the hub is not looked up.
    """
    require_no_revision(name, revision)
    if name.startswith(PREFIX):
        require_kind(name)
        return None
    if name in hub.OFFLINE:
        return _offline(name)
    if hub.is_local(name):
        local = hub.usable_folder(name)
        require_known_type(local)
        return local
    hub.require_id(name)
    folder = hub.on_this_machine(name, revision or hub.PINNED.get(name))
    if folder is not None:
        require_known_type(folder)
    elif any(os.environ.get(key, "").lower() in _YES for key in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")):
        hub.require_reachable(name, revision or hub.PINNED.get(name))
    return folder


def require_no_revision(name: str, revision: str | None) -> None:
    """Raise UserError for a revision of a model that does not come from the hub."""
    if revision and (name.startswith(PREFIX) or hub.is_local(name)):
        raise UserError(
            f"--revision {revision}: {name} is on this machine and has no revisions; leave --revision out, "
            "or give the model's hub id: --model owner/name."
        )


def _offline(name: str) -> Path | None:
    """Return the folder of a converted offline model, or None. Raises UserError when its package is not installed."""
    folder = cache_folder() / name.removeprefix("offline:")
    if folder.is_dir():
        return folder
    for module in offline_gemma.MODULES:
        if find_spec(module) is None:
            raise offline_gemma.missing(module)
    return None


def weights_bytes(folder: Path) -> int:
    """Return the size of a model's weights on disk in bytes; 0 when they cannot be read."""
    pickled = [folder / name for name in pickled_names(file_names(folder))]
    files = pickled if defect_of(folder, PICKLED) is None and pickled else weight_files(folder)
    try:
        return sum(path.stat().st_size for path in files)
    except OSError:
        return 0


def require_language(folder: Path | None, language: str) -> None:
    """Raise UserError when the tokenizer of a model on this machine certainly lacks a language token such as ko_KR."""
    path = folder / "tokenizer.json" if folder else None
    if path is None or not path.is_file():
        return
    content = read_json(path)
    added = [token.get("content") for token in content.get("added_tokens", []) if isinstance(token, dict)]
    if language in added or language in _vocabulary(content):
        return
    raise unknown_language(language, str(folder))


def _vocabulary(tokenizer: dict[str, object]) -> set[str]:
    model = tokenizer.get("model")
    vocabulary = model.get("vocab", {}) if isinstance(model, dict) else {}
    if isinstance(vocabulary, dict):
        return set(vocabulary)
    return {
        entry[0] for entry in vocabulary if isinstance(entry, list) and entry
    }  # Unigram: pairs of text and score
