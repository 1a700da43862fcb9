"""Models by name: a folder, a repository of the Hugging Face hub, or the one that needs no hub, as local safetensors."""

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

from common import checkpoints, merging, offline_model
from common.errors import UserError
from common.files import read_json, root, sha256_file, shown, write_json

Architecture = Literal["seq2seq", "causal"]

SECONDS = 5.0  # to wait for the hub's answer; a download under way has huggingface_hub's own retries
OFFLINE = {f"offline:{offline_model.NAME}": offline_model.write}
READ = ("*.json", "*.model", "*.txt", "*.jinja")  # config and tokenizer
SKIPPED = (
    "*/*",
    "*.index.json",
    "adapter_*",
    "flax_*",
    "tf_*",
)  # subfolders hold copies for other frameworks
TOKENIZERS = ("tokenizer.json", "*.model", "vocab.json", "vocab.txt")
CARD = "README.md"
SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
WORDS = {"seq2seq": "an encoder-decoder", "causal": "a decoder-only language model"}
HEADLESS = (
    "ForMaskedLM",
    "ForPreTraining",
    "Classification",
    "ForQuestionAnswering",
)  # nothing to write with
ELSEWHERE = "or download it where the hub can be reached and name that folder: --model=FOLDER"
PINNED = {
    "Qwen/Qwen2.5-0.5B-Instruct": "7ae557604adf67be50417f59c2c2f167def9a775",
    "Qwen/Qwen2.5-7B-Instruct": "a09a35458c702b33eeacc393d103063234e8bc28",
    "Qwen/Qwen2.5-14B-Instruct": "cf98f3b3bbb457ad9e2bb7baf9a0125b6b88caa8",
}
"""Commits on the hub that experiments mean by a name."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """Where a model was found."""

    folder: Path
    """The local folder that from_pretrained reads: config, tokenizer, safetensors."""
    name: str
    """As the user gave it."""
    commit: str | None
    """The hub's commit, 40 hex digits; None for a local folder and for the offline model."""


def locate(name: str, revision: str | None = None, kind: Architecture | None = None) -> Source:
    """The model's local folder with config, tokenizer and safetensors; downloads or converts what is not there yet.

    `name` is a folder (absolute, or relative to the working directory or the repository), a hub id "owner/name",
    or "offline:gemma-3-270m". `revision` is a hub branch, tag or commit, None the hub's main: what is in the hub's
    local cache is taken unasked, so a main once downloaded stays the same. Pickled weights (only *.bin) are
    converted once into `cache_folder()`. `kind`: what a model must be to be downloaded; None takes both.
    Raises UserError, one line, when the model cannot be had: what was found and the ways out.
    """
    if name in OFFLINE:
        return Source(_kept(cache_folder() / name.removeprefix("offline:"), OFFLINE[name]), name, None)
    folder = _local(name)
    if folder is not None:
        return Source(_usable(folder), name, None)
    if Path(name).parent.name == merging.FOLDER:
        run, competition = Path(name).name, Path(name).parent.parent.name
        raise UserError(
            f"model {name!r} is not here; write it with: make merge run={run} comp={competition}, once {run} is trained."
        )
    if not _is_id(name):
        raise UserError(
            f"model {name!r}: neither a folder that exists nor a hub id; wanted a folder with config.json, "
            f"tokenizer and safetensors, owner/name of the Hugging Face hub, or {' or '.join(OFFLINE)}."
        )
    return _from_hub(name, revision, kind)


def is_local(name: str) -> bool:
    """Whether `locate` finds the model on this machine whatever the hub has: a folder, or the offline model."""
    return name in OFFLINE or _local(name) is not None


def on_this_machine(name: str, revision: str | None = None) -> Path | None:
    """The folder of that name, or the hub's snapshot in its cache, as it is; None when nothing of it is here."""
    return _local(name) or (_cached(name, revision) if _is_id(name) else None)


def card(name: str, revision: str | None = None) -> dict[str, Any]:
    """What the front matter of a model's card on the hub says; {} when it has none or the hub cannot be asked.

    Nothing is downloaded. Why the hub cannot be asked is `locate`'s to say.
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
    """The safetensors of a located model that from_pretrained reads, in order of their names."""
    return [folder / name for name in _needed(folder, SAFE)]


def architecture(folder: Path) -> Architecture:
    """ "seq2seq" for an encoder-decoder, "causal" for a decoder-only language model, by the folder's config.json.

    Raises UserError when transformers itself does not know the model (code of a model's own is never run) or when
    it cannot write text.
    """
    from transformers import AutoConfig, __version__
    from transformers.models.auto import configuration_auto, modeling_auto

    path = folder / "config.json"
    found = read_json(path)
    kind = found.get("model_type")
    if kind not in configuration_auto.CONFIG_MAPPING_NAMES:
        own = "; it brings code of its own (auto_map), which is never run" if "auto_map" in found else ""
        raise UserError(
            f"{shown(path)}: model_type {kind!r} is not known to transformers {__version__}{own}. "
            "Name a model of a known architecture (BART, T5, mBART, Qwen2, Llama, Gemma3 …)."
        )
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # strict config classes raise many kinds
        raise UserError(
            f"{shown(path)}: transformers {__version__} cannot read it ({_line(error)})."
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
            f"{shown(path)}: {', '.join(heads) or kind} cannot write text; wanted {WORDS['seq2seq']} "
            f"or {WORDS['causal']}."
        )
    return result


def require(folder: Path, wanted: Architecture) -> None:
    """Nothing when the folder's model is of the wanted architecture; else raises UserError naming what it is."""
    found = architecture(folder)
    if found != wanted:
        kind = read_json(folder / "config.json")["model_type"]
        raise UserError(
            f"{shown(folder)}: {kind} is {WORDS[found]} and cannot be used here; wanted {WORDS[wanted]}. "
            "Name another --model, or take an experiment for this kind (`make list`)."
        )


def cache_folder() -> Path:
    """Where converted models are kept: KDS_MODEL_CACHE, or .cache/models of the repository (git ignores it)."""
    override = os.environ.get("KDS_MODEL_CACHE")
    return Path(override).expanduser().resolve() if override else root() / ".cache" / "models"


def convert(folder: Path, target: Path) -> Path:
    """`target`, with the folder's config and tokenizer and its pickled weights as safetensors, bit for bit.

    Tied tensors are written once under each of their names. Nothing is done when an intact `target` is there; a
    conversion that was killed leaves no `target`.
    Raises UserError when the weights hold more than tensors (pickles can run code), are damaged, or do not fit on
    the disk.
    """

    def write(staging: Path) -> None:
        log.info("converting the pickled weights of %s to safetensors in %s", shown(folder), shown(target))
        for name in [*_texts(_names(folder)), *({CARD} & set(_names(folder)))]:
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

    return _kept(target, write)


def _safe_name(name: str) -> str:
    """pytorch_model-00001-of-00002.bin → model-00001-of-00002.safetensors."""
    return name.removeprefix("pytorch_").removesuffix(".bin") + ".safetensors"


def _rewrite(source: Path, target: Path) -> None:
    from safetensors.torch import save_file

    save_file(_tensors(source), target, metadata={"format": "pt"})


def _tensors(path: Path) -> dict[str, Any]:
    """The tensors of a pickled state dict, each with memory of its own, as safetensors wants them."""
    import torch

    try:
        # Files from before torch 1.6 are no archives and cannot be mapped.
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(
            f"{shown(path)}: not a readable file of tensors alone ({_line(error)}); nothing else is unpickled, "
            "since that can run code. Copy it again, or name a model that has safetensors."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(
            f"{shown(path)}: wanted a state dict (names to tensors), found something else: a training checkpoint? "
            "Save the model with save_pretrained and name that folder."
        )
    seen: set[int] = set()
    tensors = {}
    for name, tensor in state.items():
        storage = tensor.untyped_storage()
        alone = storage.data_ptr() not in seen and storage.nbytes() == tensor.nbytes
        seen.add(storage.data_ptr())
        tensors[name] = tensor if alone and tensor.is_contiguous() else tensor.contiguous().clone()
    return tensors


def _kept(folder: Path, write: Callable[[Path], None]) -> Path:
    """`folder`, verified; filled by `write` when it is absent or damaged, by one process at a time."""
    if folder.exists() and checkpoints.problem(folder) is None:
        return folder

    def fill(staging: Path) -> None:
        write(staging)
        for path in staging.iterdir():
            path.chmod(0o644)  # safetensors lets nobody else read

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            damage = checkpoints.problem(folder) if folder.exists() else ""
            if damage is None:  # another process was faster
                return folder
            if damage:
                log.warning("%s: %s; making it again", shown(folder), damage)
            checkpoints.save(folder, fill)
    except (OSError, UserError) as error:
        cause = error.__cause__
        if isinstance(cause, UserError) and not isinstance(cause.__cause__, OSError):
            raise cause from None  # not the disk: what `write` found wrong with the model
        free = shutil.disk_usage(_existing(folder)).free // 2**20
        raise UserError(
            f"{shown(folder)}: converting the model failed ({_line(cause or error)}); {free} MB are free there. "
            "Nothing half-written is left: make room, or set KDS_MODEL_CACHE to a folder on another disk, and run "
            "the same command again."
        ) from error
    return folder


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _line(error: BaseException) -> str:
    """What an error says, on one line and short."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return text[:200] if text else type(error).__name__


# --- local folders


def _local(name: str) -> Path | None:
    """The folder of that name, relative to the working directory or the repository; None when there is none."""
    given = Path(name).expanduser()
    folders = [path.resolve() for path in (given, root() / given) if path.is_dir()]
    return next(
        (folder for folder in folders if (folder / "config.json").exists()), next(iter(folders), None)
    )


def _usable(folder: Path) -> Path:
    """The folder, or its conversion when its weights are pickled. Raises UserError saying what it lacks."""
    lack = _lack(folder)
    if lack is None:
        return folder
    if (folder / "adapter_config.json").exists():
        raise UserError(f"{shown(folder)}: a LoRA adapter without its model; name the base model instead.")
    bins = _pickled(_names(folder))
    if bins and _lack(folder, PICKLED) is None:
        digest = hashlib.sha256("".join(sha256_file(folder / name) for name in bins).encode()).hexdigest()
        return convert(folder, cache_folder() / f"local--{folder.name}@{digest[:40]}")
    raise UserError(
        f"{shown(folder)}: {lack}; wanted config.json, a tokenizer and {SAFE} (or its shards), as "
        "save_pretrained writes them. Copy what is missing, or name another model."
    )


def _lack(folder: Path, weights: str = SAFE) -> str | None:
    """What a folder lacks to be loaded, or None. Safetensors are opened: one cut short is noticed."""
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
    return f"{broken[0]} is damaged or cut short" if broken else None


def _needed(folder: Path, weights: str) -> list[str]:
    """The names of the files that hold the weights: one, or the shards that its index names."""
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
    """Those of a repository's files that from_pretrained needs: config, tokenizer, and one set of weights.

    Safetensors when there are any, else *.bin; never code, other frameworks' weights or copies in subfolders.
    """
    weights = _weights(files, SAFE) or _pickled(files)
    return sorted({*_texts(files), *weights})


def _texts(files: Collection[str]) -> list[str]:
    return [
        name
        for name in files
        if any(fnmatch(name, pattern) for pattern in READ) and not any(fnmatch(name, no) for no in SKIPPED)
    ]


def _weights(files: Collection[str], whole: str) -> list[str]:
    """The one file of that name, or its shards and their index; [] when the repository has neither."""
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
        converted = _converted(name, revision)  # the pickled original may be gone since
        if checkpoints.problem(converted) is None:
            return Source(converted, name, revision)
    folder = folder or _download(name, revision, kind)
    commit = folder.name
    if _lack(folder) is not None:
        folder = convert(folder, _converted(name, commit))
    return Source(folder, name, commit)


def _converted(name: str, commit: str) -> Path:
    return cache_folder() / f"{name.replace('/', '--')}@{commit}"


def _whole(folder: Path) -> bool:
    return _lack(folder) is None or (bool(_pickled(_names(folder))) and _lack(folder, PICKLED) is None)


def _cached(name: str, revision: str | None) -> Path | None:
    """The snapshot in huggingface_hub's cache, named by its commit; None when it is not there or not whole."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        found = snapshot_download(
            name, revision=revision, local_files_only=True, allow_patterns=[*READ], ignore_patterns=[*SKIPPED]
        )
    except LocalEntryNotFoundError:  # also when the listing kept with it names a file that is not there
        return None
    except HFValidationError as error:
        raise UserError(f"model {name!r}: no folder of that name, and no hub id ({_line(error)}).") from None
    return Path(found) if _whole(Path(found)) else None


def _download(name: str, revision: str | None, kind: Architecture | None) -> Path:
    """The snapshot folder, named by its commit, with the wanted files.

    Raises UserError when they cannot be had and, before the weights are fetched, when they are of no use.
    """
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    try:
        info = HfApi().model_info(name, revision=revision, timeout=SECONDS, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        files = wanted(sizes)
        _check_files(name, files, sizes)
        _check_room(name, str(info.sha), {file: sizes[file] for file in files})
        first = Path(hf_hub_download(name, "config.json", revision=info.sha, etag_timeout=SECONDS)).parent
        require(first, kind or architecture(first))
        folder = Path(
            snapshot_download(name, revision=revision, allow_patterns=[*files, CARD], etag_timeout=SECONDS)
        )
    except UserError:
        raise
    except Exception as error:
        refusal = _refusal(name, revision, error)
        if refusal is None:
            raise
        raise refusal from None  # an HTTP library's own message may hold the token
    if not _whole(folder):
        raise UserError(
            f"hub model {name}: the download lacks something ({_lack(folder)}); run the command again."
        )
    return folder


def _check_files(name: str, files: Collection[str], all_files: Collection[str]) -> None:
    """Raises UserError when a hub repository holds no model that can be loaded."""
    weights = _weights(files, SAFE) or _pickled(files)
    if "config.json" in files and weights and _has_tokenizer(files):
        return
    what = (
        "a LoRA adapter: name its base model"
        if "adapter_config.json" in all_files
        else "not for transformers"
    )
    if "config.json" in files and weights:
        what = "without a tokenizer"
    shortly = ", ".join(sorted(all_files)[:6]) + (" …" if len(all_files) > 6 else "")
    raise UserError(
        f"hub model {name}: {what}; wanted config.json, a tokenizer ({', '.join(TOKENIZERS)}) and {SAFE} or "
        f"{PICKLED} (or their shards), found {shortly or 'nothing'}. Name another model."
    )


def _check_room(name: str, commit: str, sizes: dict[str, int]) -> None:
    """Raises UserError when the disk of huggingface_hub's cache is too small for what is still to be downloaded."""
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
            f"hub model {name}: {missing / 1e9:.1f} GB are to be downloaded to {HF_HUB_CACHE}, where {free / 1e9:.1f} "
            "GB are free; make room, or set HF_HOME to a folder on another disk."
        )


def _refusal(name: str, revision: str | None, error: Exception) -> UserError | None:
    """What a failed download means for the user; None for an error that is none of the hub's, network's or disk's."""
    from huggingface_hub import constants, errors

    model = f"hub model {name}" + (f" at revision {revision}" if revision else "")
    cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) else None
    if constants.HF_HUB_OFFLINE:
        return UserError(
            f"{model}: not in the local cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE forbids to ask the hub; "
            f"unset HF_HUB_OFFLINE, {ELSEWHERE}."
        )
    for answer in (error, cause):
        if isinstance(answer, errors.HfHubHTTPError):
            return UserError(f"{model}: {_answer(name, answer)}.")
    if isinstance(error, UnicodeEncodeError):
        return UserError(f"{model}: HF_TOKEN holds characters that no token has; set it anew, or unset it.")
    # httpx's or httpx2's, as this version of huggingface_hub uses
    transport: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    if isinstance(error, errors.LocalEntryNotFoundError | ConnectionError | TimeoutError | transport):
        return UserError(
            f"{model}: not in the local cache, and the hub at {constants.ENDPOINT} cannot be reached "
            f"({type(cause or error).__name__}); check the network, {ELSEWHERE}."
        )
    if isinstance(error, OSError | RuntimeError):  # hf_xet, which writes large files, raises the latter
        free = shutil.disk_usage(_existing(Path(constants.HF_HUB_CACHE).resolve())).free // 2**20
        return UserError(
            f"{model}: writing to {constants.HF_HUB_CACHE} failed ({_line(error)}); {free} MB are free there. Whole "
            "files are kept, half ones are not: make room, or set HF_HOME to a folder on another disk."
        )
    return None


def _answer(name: str, error: Any) -> str:
    """What the hub's refusal (an HfHubHTTPError) says, and the way out."""
    from huggingface_hub import constants, errors

    page, status = f"https://huggingface.co/{name}", error.response.status_code
    if isinstance(error, errors.GatedRepoError):
        return (
            f"gated, and the hub refused this account ({status}); accept the terms at {page}, put a token of that "
            f"account into HF_TOKEN, {ELSEWHERE}"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"the hub knows none of that name, or it is private ({status}); check the spelling at {page}, put a token "
            "that may read it into HF_TOKEN, or name a local folder: --model=FOLDER"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the hub has the model, not that revision; wanted a branch, tag or commit listed at {page}/commits/main"
    hint = "check HF_TOKEN" if status in (401, 403) else "try again later"
    return f"the hub at {constants.ENDPOINT} answered {status}; {hint}, {ELSEWHERE}"
