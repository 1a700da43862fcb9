"""Find a model by name (a folder, a Hugging Face hub id, or the offline model) and provide it as local safetensors."""

import hashlib
import logging
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core import verified_folder
from common.core.errors import UserError, first_line
from common.core.files import kind_of, root, sha256_file, shown, user_path
from common.core.messages import brief
from common.core.paths import cache_folder
from common.core.verified_folder import build_once
from common.models import hub_errors, offline_gemma
from common.models.architecture import Architecture, architecture, require_architecture
from common.models.conversion import convert
from common.models.merged_models import missing, require_whole_path
from common.models.offline_gemma import NAME
from common.models.weight_files import (
    CARD,
    PICKLED,
    READ,
    SAFE,
    SKIPPED,
    TOKENIZER_FILES,
    defect_of,
    file_names,
    has_tokenizer,
    is_complete,
    pickled_names,
    wanted,
    weight_names,
)

SECONDS = 5.0  # timeout of a request to the hub; downloads use huggingface_hub's own retries
OFFLINE = {f"offline:{NAME}": offline_gemma.write}
PINNED = {
    "Qwen/Qwen2.5-0.5B-Instruct": "7ae557604adf67be50417f59c2c2f167def9a775",
    "Qwen/Qwen2.5-7B-Instruct": "a09a35458c702b33eeacc393d103063234e8bc28",
    "Qwen/Qwen2.5-14B-Instruct": "cf98f3b3bbb457ad9e2bb7baf9a0125b6b88caa8",
    "Qwen/Qwen3-14B": "40c069824f4251a91eefaf281ebe4c544efd3e18",
}
"""The commits on the hub that the experiments use."""
log = logging.getLogger(__name__)
Check = Callable[[Path], None]
"""Function that raises UserError when a folder's config.json says that the weights are of no use."""


@dataclass(frozen=True)
class ModelSource:
    """The place of a model that was found."""

    folder: Path
    """The local folder that from_pretrained reads: config, tokenizer, safetensors."""
    name: str
    """The name that the user gave."""
    commit: str | None
    """The hub's commit, 40 hex digits; None for a local folder and for the offline model."""


def locate(
    name: str,
    revision: str | None = None,
    kind: Architecture | None = None,
    check: Check = lambda _: None,
) -> ModelSource:
    """Return the model's local folder with config, tokenizer and safetensors; download or convert it if necessary.

    `name`: a folder (absolute, or relative to the working directory or the repository), a hub id "owner/name", or
    "offline:gemma-3-270m".
    `revision`: a branch, tag or commit on the hub; None means main. A snapshot in the hub's local cache is used without
    asking the hub, so main does not change once it is downloaded.
    `kind`: download only a model of this architecture; None accepts both.
    `check`: is called with a folder with config.json before weights are downloaded, and may raise UserError.
    Pickled weights (only *.bin) are converted once into `cache_folder()`.
    Raises UserError with one line when the model is not available: what was found and what to do.
    """
    if name in OFFLINE:
        return ModelSource(
            build_once(cache_folder() / name.removeprefix("offline:"), OFFLINE[name]), name, None
        )
    folder = _local(name)
    if folder is not None:
        return ModelSource(_loadable(folder), name, None)
    require_id(name)
    return _from_hub(name, revision, kind, check)


def require_id(name: str) -> None:
    """Raise UserError unless a name that is no folder can be a hub id."""
    require_whole_path(name)
    if error := missing(name):
        raise error
    if not _is_id(name):
        raise UserError(
            f"model {brief(name)}: neither an existing folder nor a hub id; wanted a folder with config.json, "
            f"tokenizer and safetensors, owner/name on the Hugging Face hub, or {' or '.join(OFFLINE)}."
        )


def is_local(name: str) -> bool:
    """Return whether `locate` needs no hub for this name: it is a folder or the offline model."""
    return name in OFFLINE or _local(name) is not None


def on_this_machine(name: str, revision: str | None = None) -> Path | None:
    """Return the folder of that name, or the snapshot in the hub's cache; None when this machine has neither."""
    return _local(name) or (_cached(name, revision) if _is_id(name) else None)


def card(name: str, revision: str | None = None) -> dict[str, Any]:
    """Return the front matter of a model's card on the hub; {} when it has none or the hub cannot be reached.

    It downloads no files. `locate` reports why the hub cannot be reached.
    """
    from huggingface_hub import HfApi

    if not _is_id(name):
        return {}
    try:
        found: Any = HfApi().model_info(name, revision=revision, timeout=SECONDS).card_data
    except Exception as error:
        if hub_errors.refusal(name, revision, error) is None:
            raise
        return {}
    return found.to_dict() if found else {}


def _is_id(name: str) -> bool:
    return re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name, re.ASCII) is not None


def _local(name: str) -> Path | None:
    """Return the folder of that name, relative to the working directory or the repository; None when there is none."""
    relative = user_path(name)
    folders = [path.resolve() for path in (relative, root() / relative) if _is_folder(path)]
    return next(
        (folder for folder in folders if (folder / "config.json").exists()), next(iter(folders), None)
    )


def _is_folder(path: Path) -> bool:
    try:
        return kind_of(path) == "folder"
    except OSError:  # a name that no folder can have
        return False


def _loadable(folder: Path) -> Path:
    """Return the folder, or its conversion when its weights are pickled. Raises UserError when files are missing."""
    defect = defect_of(folder)
    if defect is None:
        return folder
    bins = pickled_names(file_names(folder))
    if _is_pickled(folder):
        digest = hashlib.sha256("".join(sha256_file(folder / name) for name in bins).encode()).hexdigest()
        return convert(folder, cache_folder() / f"local--{folder.name}@{digest[:40]}")
    raise _unusable(folder, defect)


def usable_folder(name: str) -> Path:
    """Return the local folder of that name. Raises UserError, as `locate` does, when no model can be loaded from it."""
    folder = _local(name)
    if folder is None:
        raise UserError(f"model {brief(name)}: not there; check the path.")
    defect = defect_of(folder)
    if defect is not None and not _is_pickled(folder):
        raise _unusable(folder, defect)
    return folder


def _is_pickled(folder: Path) -> bool:
    bins = pickled_names(file_names(folder))
    adapter = (folder / "adapter_config.json").exists()
    return bool(bins) and not adapter and defect_of(folder, PICKLED) is None


def _unusable(folder: Path, defect: str) -> UserError:
    if (folder / "adapter_config.json").exists():
        return UserError(f"{shown(folder)}: a LoRA adapter without its model; use the base model instead.")
    return UserError(
        f"{shown(folder)}: {defect}; wanted config.json, a tokenizer and {SAFE} (or its shards), as "
        "save_pretrained writes them. Copy the missing file, or choose another model."
    )


def _from_hub(name: str, revision: str | None, kind: Architecture | None, check: Check) -> ModelSource:
    folder = _cached(name, revision)
    if folder is None and revision and re.fullmatch(r"[0-9a-f]{40}", revision):
        converted = _converted(name, revision)  # the pickled original may have been deleted
        if verified_folder.problem(converted) is None:
            return ModelSource(converted, name, revision)
    folder = folder or _download(name, revision, kind, check)
    commit = folder.name
    if defect_of(folder) is not None:
        folder = convert(folder, _converted(name, commit))
    return ModelSource(folder, name, commit)


def require_reachable(name: str, revision: str | None) -> None:
    """Raise UserError when a model that is not in the hub's cache is not among the converted ones either.

    Call it only when asking the hub is switched off.
    """
    if revision and re.fullmatch(r"[0-9a-f]{40}", revision) and _converted(name, revision).is_dir():
        return
    raise hub_errors.switched_off(name, revision)


def _converted(name: str, commit: str) -> Path:
    return cache_folder() / f"{name.replace('/', '--')}@{commit}"


def _cached(name: str, revision: str | None) -> Path | None:
    """Return the snapshot folder in huggingface_hub's cache, named by its commit; None when missing or incomplete."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        found = snapshot_download(
            name, revision=revision, local_files_only=True, allow_patterns=[*READ], ignore_patterns=[*SKIPPED]
        )
    except LocalEntryNotFoundError:  # also raised when a file in the cached listing is missing
        return None
    except HFValidationError as error:
        raise UserError(
            f"model {brief(name)}: neither an existing folder nor a hub id ({first_line(error)}); check the name."
        ) from None
    return Path(found) if is_complete(Path(found)) else None


def _download(name: str, revision: str | None, kind: Architecture | None, check: Check) -> Path:
    """Download the wanted files and return the snapshot folder, which is named by its commit.

    Raises UserError when the download fails, and before downloading weights that could not be used.
    """
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    try:
        info = HfApi().model_info(name, revision=revision, timeout=SECONDS, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        files = wanted(sizes)
        _check_files(name, files, sizes)
        hub_errors.require_room(name, str(info.sha), {file: sizes[file] for file in files})
        first = Path(hf_hub_download(name, "config.json", revision=info.sha, etag_timeout=SECONDS)).parent
        require_architecture(first, kind or architecture(first))
        check(first)
        folder = Path(
            snapshot_download(name, revision=revision, allow_patterns=[*files, CARD], etag_timeout=SECONDS)
        )
    except UserError:
        raise
    except Exception as error:
        refusal = hub_errors.refusal(name, revision, error)
        if refusal is None:
            raise
        raise refusal from None  # the message of the HTTP library may contain the token
    if not is_complete(folder):
        raise UserError(
            f"hub model {name}: the download is incomplete ({defect_of(folder)}); run the command again."
        )
    return folder


def _check_files(name: str, files: Collection[str], all_files: Collection[str]) -> None:
    """Raise UserError when a hub repository has no model that can be loaded."""
    weights = weight_names(files, SAFE) or pickled_names(files)
    if "config.json" in files and weights and has_tokenizer(files):
        return
    what = (
        "a LoRA adapter (use its base model)"
        if "adapter_config.json" in all_files
        else "not a model for transformers"
    )
    if "config.json" in files and weights:
        what = "it has no tokenizer"
    listing = ", ".join(sorted(all_files)[:6]) + (" …" if len(all_files) > 6 else "")
    raise UserError(
        f"hub model {name}: {what}; wanted config.json, a tokenizer ({', '.join(TOKENIZER_FILES)}) and {SAFE} or "
        f"{PICKLED} (or their shards), found {listing or 'nothing'}. Choose another model."
    )
