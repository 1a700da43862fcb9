"""Find a model by name (a folder, a Hugging Face hub id, or the offline model) and provide it as local safetensors."""

import hashlib
import logging
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from common.core import verified_folder
from common.core.errors import UserError
from common.core.files import read_json, root, sha256_file, shown, write_json
from common.models import offline_gemma
from common.models.offline_gemma import NAME
from common.training.merge import MERGED

Architecture = Literal["seq2seq", "causal"]

SECONDS = 5.0  # timeout of a request to the hub; downloads use huggingface_hub's own retries
OFFLINE = {f"offline:{NAME}": offline_gemma.write}
READ = ("*.json", "*.model", "*.txt", "*.jinja")  # config and tokenizer
# Subfolders hold copies for other frameworks.
SKIPPED = ("*/*", "*.index.json", "adapter_*", "flax_*", "tf_*")
TOKENIZERS = ("tokenizer.json", "*.model", "vocab.json", "vocab.txt")
CARD = "README.md"
SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
DESCRIPTIONS = {"seq2seq": "an encoder-decoder", "causal": "a decoder-only language model"}
# Ends of the names of model classes that cannot generate text.
HEADLESS = ("ForMaskedLM", "ForPreTraining", "Classification", "ForQuestionAnswering")
ELSEWHERE = "or download it on a machine that can reach the hub and use that folder: --model=FOLDER"
PINNED = {
    "Qwen/Qwen2.5-0.5B-Instruct": "7ae557604adf67be50417f59c2c2f167def9a775",
    "Qwen/Qwen2.5-7B-Instruct": "a09a35458c702b33eeacc393d103063234e8bc28",
    "Qwen/Qwen2.5-14B-Instruct": "cf98f3b3bbb457ad9e2bb7baf9a0125b6b88caa8",
}
"""The commits on the hub that the experiments use."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """The place of a model that was found."""

    folder: Path
    """The local folder that from_pretrained reads: config, tokenizer, safetensors."""
    name: str
    """The name that the user gave."""
    commit: str | None
    """The hub's commit, 40 hex digits; None for a local folder and for the offline model."""


def locate(name: str, revision: str | None = None, kind: Architecture | None = None) -> Source:
    """Return the model's local folder with config, tokenizer and safetensors; download or convert it if necessary.

    `name`: a folder (absolute, or relative to the working directory or the repository), a hub id "owner/name", or
    "offline:gemma-3-270m".
    `revision`: a branch, tag or commit on the hub; None means main. A snapshot in the hub's local cache is used without
    asking the hub, so main does not change once it is downloaded.
    `kind`: download only a model of this architecture; None accepts both.
    Pickled weights (only *.bin) are converted once into `cache_folder()`.
    Raises UserError with one line when the model is not available: what was found and what to do.
    """
    if name in OFFLINE:
        return Source(_build_once(cache_folder() / name.removeprefix("offline:"), OFFLINE[name]), name, None)
    folder = _local(name)
    if folder is not None:
        return Source(_loadable(folder), name, None)
    if Path(name).parent.name == MERGED:
        run, competition = Path(name).name, Path(name).parent.parent.name
        raise UserError(
            f"model {name!r} does not exist yet; train {run}, then create it with: make merge run={run} "
            f"comp={competition}."
        )
    if not _is_id(name):
        raise UserError(
            f"model {name!r}: neither an existing folder nor a hub id; wanted a folder with config.json, "
            f"tokenizer and safetensors, owner/name on the Hugging Face hub, or {' or '.join(OFFLINE)}."
        )
    return _from_hub(name, revision, kind)


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
        if _refusal(name, revision, error) is None:
            raise
        return {}
    return found.to_dict() if found else {}


def _is_id(name: str) -> bool:
    return re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name, re.ASCII) is not None


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a located model that from_pretrained reads, in order of their names."""
    return [folder / name for name in _needed(folder, SAFE)]


def architecture(folder: Path) -> Architecture:
    """Return the architecture by config.json: "seq2seq" for an encoder-decoder, "causal" for a decoder-only model.

    Raises UserError when transformers does not know the model type (custom code of a model is never run) or the model
    cannot generate text.
    """
    from transformers import AutoConfig, __version__
    from transformers.models.auto import configuration_auto, modeling_auto

    path = folder / "config.json"
    found = read_json(path)
    kind = found.get("model_type")
    if kind not in configuration_auto.CONFIG_MAPPING_NAMES:
        custom = "; it has custom code (auto_map), which is never run" if "auto_map" in found else ""
        raise UserError(
            f"{shown(path)}: model_type {kind!r} is not known to transformers {__version__}{custom}. "
            "Choose a model of a known architecture (BART, T5, mBART, Qwen2, Llama, Gemma3 …)."
        )
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # config classes that check their values raise many types
        raise UserError(
            f"{shown(path)}: transformers {__version__} cannot read it ({_first_line(error)}). Fix it, or choose "
            "another --model."
        ) from error
    result: Architecture = "seq2seq" if config.is_encoder_decoder else "causal"
    heads = found.get("architectures") or []
    writers = (
        modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
        if result == "seq2seq"
        else modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    )
    if kind not in writers or (heads and all(head.endswith(HEADLESS) for head in heads)):
        raise UserError(
            f"{shown(path)}: {', '.join(heads) or kind} cannot generate text; wanted {DESCRIPTIONS['seq2seq']} "
            f"or {DESCRIPTIONS['causal']}. Choose another --model."
        )
    return result


def require_architecture(folder: Path, wanted: Architecture) -> None:
    """Raise UserError unless the folder holds a model of the `wanted` architecture."""
    found = architecture(folder)
    if found != wanted:
        kind = read_json(folder / "config.json")["model_type"]
        raise UserError(
            f"{shown(folder)}: {kind} is {DESCRIPTIONS[found]} and cannot be used here; wanted {DESCRIPTIONS[wanted]}. "
            "Choose another --model, or an experiment for this kind of model (`make list`)."
        )


def cache_folder() -> Path:
    """Return the folder of converted models: KDS_MODEL_CACHE, or .cache/models in the repository (ignored by git)."""
    override = os.environ.get("KDS_MODEL_CACHE")
    return Path(override).expanduser().resolve() if override else root() / ".cache" / "models"


def convert(folder: Path, target: Path) -> Path:
    """Write the folder's config, tokenizer and pickled weights, as bit-identical safetensors, to `target`; return `target`.

    Tied tensors are written under each of their names. An intact `target` is kept as it is; a killed conversion leaves
    no `target`.
    Raises UserError when the weights contain more than tensors (pickles can run code), are damaged, or do not fit on the
    disk.
    """

    def write(staging: Path) -> None:
        log.info("converting the pickled weights of %s to safetensors in %s", shown(folder), shown(target))
        for name in [*_config_files(_names(folder)), *({CARD} & set(_names(folder)))]:
            shutil.copyfile(folder / name, staging / name)
        index = folder / f"{PICKLED}.index.json"
        if (folder / PICKLED).exists():
            _rewrite(folder / PICKLED, staging / SAFE)
            return
        weights = read_json(index)
        for name in sorted(set(weights["weight_map"].values())):
            _rewrite(folder / name, staging / _safe_name(name))
        weights["weight_map"] = {key: _safe_name(name) for key, name in weights["weight_map"].items()}
        write_json(staging / f"{SAFE}.index.json", weights)

    return _build_once(target, write)


def _safe_name(name: str) -> str:
    """Return the safetensors name: pytorch_model-00001-of-00002.bin → model-00001-of-00002.safetensors."""
    return name.removeprefix("pytorch_").removesuffix(".bin") + ".safetensors"


def _rewrite(source: Path, target: Path) -> None:
    from safetensors.torch import save_file

    save_file(_tensors(source), target, metadata={"format": "pt"})


def _tensors(path: Path) -> dict[str, Any]:
    """Load the tensors of a pickled state dict; none shares its memory, because safetensors does not allow it."""
    import torch

    try:
        # Files from before torch 1.6 are not zip archives and cannot be memory-mapped.
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(
            f"{shown(path)}: not a readable file of tensors only ({_first_line(error)}); nothing else is unpickled, "
            "because that can run code. Copy it again, or choose a model with safetensors."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(
            f"{shown(path)}: wanted a state dict (names to tensors), found something else, perhaps a training checkpoint. "
            "Save the model with save_pretrained and use that folder."
        )
    seen: set[int] = set()
    tensors = {}
    for name, tensor in state.items():
        storage = tensor.untyped_storage()
        unshared = storage.data_ptr() not in seen and storage.nbytes() == tensor.nbytes
        seen.add(storage.data_ptr())
        tensors[name] = tensor if unshared and tensor.is_contiguous() else tensor.contiguous().clone()
    return tensors


def _build_once(folder: Path, write: Callable[[Path], None]) -> Path:
    """Return `folder`, verified; let `write` fill it first when it is missing or damaged, in one process at a time."""
    if folder.exists() and verified_folder.problem(folder) is None:
        return folder

    def fill(staging: Path) -> None:
        write(staging)
        for path in staging.iterdir():
            path.chmod(0o644)  # safetensors creates files that other users cannot read

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            damage = verified_folder.problem(folder) if folder.exists() else ""
            if damage is None:  # another process was faster
                return folder
            if damage:
                log.warning("%s: %s; converting the model again", shown(folder), damage)
            verified_folder.save(folder, fill)
    except (OSError, UserError) as error:
        cause = error.__cause__
        if isinstance(cause, UserError) and not isinstance(cause.__cause__, OSError):
            raise cause from None  # not a disk error, but something that `write` found wrong with the model
        free = shutil.disk_usage(_existing(folder)).free // 2**20
        raise UserError(
            f"{shown(folder)}: converting the model failed ({_first_line(cause or error)}); {free} MB are free there. "
            "No incomplete files are left: make room, or set KDS_MODEL_CACHE to a folder on another disk, and run "
            "the same command again."
        ) from error
    return folder


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most 200 characters; its type when it has no message."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return text[:200] if text else type(error).__name__


# --- local folders


def _local(name: str) -> Path | None:
    """Return the folder of that name, relative to the working directory or the repository; None when there is none."""
    relative = Path(name).expanduser()
    folders = [path.resolve() for path in (relative, root() / relative) if path.is_dir()]
    return next(
        (folder for folder in folders if (folder / "config.json").exists()), next(iter(folders), None)
    )


def _loadable(folder: Path) -> Path:
    """Return the folder, or its conversion when its weights are pickled. Raises UserError when files are missing."""
    defect = _defect(folder)
    if defect is None:
        return folder
    if (folder / "adapter_config.json").exists():
        raise UserError(f"{shown(folder)}: a LoRA adapter without its model; use the base model instead.")
    bins = _pickled(_names(folder))
    if bins and _defect(folder, PICKLED) is None:
        digest = hashlib.sha256("".join(sha256_file(folder / name) for name in bins).encode()).hexdigest()
        return convert(folder, cache_folder() / f"local--{folder.name}@{digest[:40]}")
    raise UserError(
        f"{shown(folder)}: {defect}; wanted config.json, a tokenizer and {SAFE} (or its shards), as "
        "save_pretrained writes them. Copy the missing file, or choose another model."
    )


def _defect(folder: Path, weights: str = SAFE) -> str | None:
    """Return why a folder cannot be loaded, or None. Safetensors files are opened, so a truncated one is found."""
    if not (folder / "config.json").exists():
        return "no config.json"
    names = _names(folder)
    if not _has_tokenizer(names):
        return f"no tokenizer ({', '.join(TOKENIZERS)})"
    needed = _needed(folder, weights)
    missing = [name for name in needed if name not in names]
    if missing:
        found = sorted(
            name for name in names if name.endswith((".bin", ".gguf", ".h5", ".msgpack", ".safetensors"))
        )
        return f"no {missing[0]}" + (f" (found {', '.join(found[:3])})" if found else "")
    broken = [name for name in needed if name.endswith(".safetensors") and not _opens(folder / name)]
    return f"{broken[0]} is damaged or truncated" if broken else None


def _needed(folder: Path, weights: str) -> list[str]:
    """Return the names of the files that hold the weights: one file, or the shards in its index."""
    index = folder / f"{weights}.index.json"
    if (folder / weights).exists() or not index.exists():
        return [weights]
    return sorted(set(read_json(index)["weight_map"].values()))


def _has_tokenizer(names: Collection[str]) -> bool:
    return any(fnmatch(name, pattern) for name in names for pattern in TOKENIZERS)


def _opens(path: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            return True
    except (SafetensorError, OSError):
        return False


# --- the hub


def wanted(files: Collection[str]) -> list[str]:
    """Return the files of a repository that from_pretrained needs, sorted: config, tokenizer, and one set of weights.

    The weights are safetensors if there are any, else *.bin. Code, weights of other frameworks and copies in subfolders
    are never included.
    """
    weights = _weights(files, SAFE) or _pickled(files)
    return sorted({*_config_files(files), *weights})


def _config_files(files: Collection[str]) -> list[str]:
    return [
        name
        for name in files
        if any(fnmatch(name, pattern) for pattern in READ)
        and not any(fnmatch(name, pattern) for pattern in SKIPPED)
    ]


def _weights(files: Collection[str], whole: str) -> list[str]:
    """Return the file named `whole`, or its shards and their index; [] when the repository has neither."""
    if whole in files:
        return [whole]
    stem, suffix = whole.split(".")
    shards = [name for name in files if re.fullmatch(rf"{stem}-\d+-of-\d+\.{suffix}", name)]
    index = f"{whole}.index.json"
    return sorted([index, *shards]) if shards and index in files else []


def _pickled(files: Collection[str]) -> list[str]:
    return _weights(files, PICKLED)


def _from_hub(name: str, revision: str | None, kind: Architecture | None) -> Source:
    folder = _cached(name, revision)
    if folder is None and revision and re.fullmatch(r"[0-9a-f]{40}", revision):
        converted = _converted(name, revision)  # the pickled original may have been deleted
        if verified_folder.problem(converted) is None:
            return Source(converted, name, revision)
    folder = folder or _download(name, revision, kind)
    commit = folder.name
    if _defect(folder) is not None:
        folder = convert(folder, _converted(name, commit))
    return Source(folder, name, commit)


def _converted(name: str, commit: str) -> Path:
    return cache_folder() / f"{name.replace('/', '--')}@{commit}"


def _is_complete(folder: Path) -> bool:
    return _defect(folder) is None or (bool(_pickled(_names(folder))) and _defect(folder, PICKLED) is None)


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
            f"model {name!r}: neither an existing folder nor a hub id ({_first_line(error)}); check the name."
        ) from None
    return Path(found) if _is_complete(Path(found)) else None


def _download(name: str, revision: str | None, kind: Architecture | None) -> Path:
    """Download the wanted files and return the snapshot folder, which is named by its commit.

    Raises UserError when the download fails, and before downloading weights that could not be used.
    """
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    try:
        info = HfApi().model_info(name, revision=revision, timeout=SECONDS, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        files = wanted(sizes)
        _check_files(name, files, sizes)
        _check_room(name, str(info.sha), {file: sizes[file] for file in files})
        first = Path(hf_hub_download(name, "config.json", revision=info.sha, etag_timeout=SECONDS)).parent
        require_architecture(first, kind or architecture(first))
        folder = Path(
            snapshot_download(name, revision=revision, allow_patterns=[*files, CARD], etag_timeout=SECONDS)
        )
    except UserError:
        raise
    except Exception as error:
        refusal = _refusal(name, revision, error)
        if refusal is None:
            raise
        raise refusal from None  # the message of the HTTP library may contain the token
    if not _is_complete(folder):
        raise UserError(
            f"hub model {name}: the download is incomplete ({_defect(folder)}); run the command again."
        )
    return folder


def _check_files(name: str, files: Collection[str], all_files: Collection[str]) -> None:
    """Raise UserError when a hub repository has no model that can be loaded."""
    weights = _weights(files, SAFE) or _pickled(files)
    if "config.json" in files and weights and _has_tokenizer(files):
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
        f"hub model {name}: {what}; wanted config.json, a tokenizer ({', '.join(TOKENIZERS)}) and {SAFE} or "
        f"{PICKLED} (or their shards), found {listing or 'nothing'}. Choose another model."
    )


def _check_room(name: str, commit: str, sizes: dict[str, int]) -> None:
    """Raise UserError when the disk of huggingface_hub's cache has no room for the files still to be downloaded."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_CACHE

    missing = sum(
        size
        for file, size in sizes.items()
        if not isinstance(try_to_load_from_cache(name, file, revision=commit), str)
    )
    free = shutil.disk_usage(_existing(Path(HF_HUB_CACHE).resolve())).free
    if missing > free:
        raise UserError(
            f"hub model {name}: the download to {HF_HUB_CACHE} needs {missing / 1e9:.1f} GB, but only {free / 1e9:.1f} "
            "GB are free there; make room, or set HF_HOME to a folder on another disk."
        )


def _refusal(name: str, revision: str | None, error: Exception) -> UserError | None:
    """Return a UserError for a failed download; None when the error does not come from the hub, network or disk."""
    from huggingface_hub import constants, errors

    model = f"hub model {name}" + (f" at revision {revision}" if revision else "")
    cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) else None
    if constants.HF_HUB_OFFLINE:
        return UserError(
            f"{model}: not in the local cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE forbids asking the hub; "
            f"unset HF_HUB_OFFLINE, {ELSEWHERE}."
        )
    for answer in (error, cause):
        if isinstance(answer, errors.HfHubHTTPError):
            return UserError(f"{model}: {_answer(name, answer)}.")
    if isinstance(error, UnicodeEncodeError):
        return UserError(
            f"{model}: HF_TOKEN contains characters that are not allowed in a token; correct it or unset it."
        )
    # The HTTPError of httpx or httpx2, depending on the version of huggingface_hub.
    transport: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    if isinstance(error, errors.LocalEntryNotFoundError | ConnectionError | TimeoutError | transport):
        return UserError(
            f"{model}: not in the local cache, and the hub at {constants.ENDPOINT} cannot be reached "
            f"({type(cause or error).__name__}); check the network, {ELSEWHERE}."
        )
    if isinstance(error, OSError | RuntimeError):  # hf_xet, which writes large files, raises RuntimeError
        free = shutil.disk_usage(_existing(Path(constants.HF_HUB_CACHE).resolve())).free // 2**20
        return UserError(
            f"{model}: writing to {constants.HF_HUB_CACHE} failed ({_first_line(error)}); {free} MB are free there. Make "
            "room, or set HF_HOME to a folder on another disk, and run the same command again: complete files are kept."
        )
    return None


def _answer(name: str, error: Any) -> str:
    """Return what the hub answered (an HfHubHTTPError) and what to do about it."""
    from huggingface_hub import constants, errors

    page, status = f"https://huggingface.co/{name}", error.response.status_code
    if isinstance(error, errors.GatedRepoError):
        return (
            f"gated, and the hub denied access to this account ({status}); accept the terms at {page} and put a token of "
            f"that account into HF_TOKEN, {ELSEWHERE}"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"the hub has no model of that name, or it is private ({status}); check the spelling at {page}, put a token "
            "with read access into HF_TOKEN, or use a local folder: --model=FOLDER"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the hub has the model, but not that revision; wanted a branch, tag or commit listed at {page}/commits/main"
    hint = "check HF_TOKEN" if status in (401, 403) else "try again later"
    return f"the hub at {constants.ENDPOINT} answered {status}; {hint}, {ELSEWHERE}"
