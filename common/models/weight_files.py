"""Select, check and hash the weight, config and tokenizer files of a model folder or hub repository."""

import errno
import hashlib
import json
import re
from collections.abc import Collection
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO

from common.core.files import kind_of, open_regular, read_json

READ = ("*.json", "*.model", "*.txt", "*.jinja")  # config and tokenizer
# Subfolders hold copies for other frameworks.
SKIPPED = ("*/*", "*.index.json", "adapter_*", "flax_*", "tf_*")
TOKENIZER_FILES = ("tokenizer.json", "*.model", "vocab.json", "vocab.txt")
CARD = "README.md"
SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
_MOST_HEADER = 100_000_000  # bytes; the limit of the safetensors library
SAMPLE = 4096
"""Number of bytes read at the start and at the end of every tensor.

This is enough because fine-tuning changes almost all values of a matrix that it trains."""


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a located model that from_pretrained reads, in order of their names."""
    return [folder / name for name in _needed(folder, SAFE)]


def weights_sha256(folder: Path) -> str:
    """Return the hex sha256 of a model's safetensors: name, type, shape, offsets and some bytes of every tensor.

    File names and metadata do not count. Raises OSError when a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in weight_files(folder):
        with open_regular(path) as file:
            header, begin = header_of(file, path.name)
            digest.update(json.dumps(header, sort_keys=True).encode())
            for _, tensor in sorted(header.items()):
                start, end = (begin + offset for offset in tensor["data_offsets"])
                for place in (start, max(start, end - SAMPLE)):
                    file.seek(place)
                    digest.update(file.read(min(SAMPLE, end - start)))
    return digest.hexdigest()


def header_of(file: BinaryIO, name: str) -> tuple[dict[str, Any], int]:
    """Return the header of a safetensors file, type, shape and offsets by tensor, and the offset at which the tensors begin.

    Raises OSError when the header is larger than the safetensors library allows.
    """
    # File format: header length (8 bytes), JSON header, tensors. Offsets are relative to the header's end.
    length = int.from_bytes(file.read(8), "little")
    if length > _MOST_HEADER:
        raise OSError(errno.EFBIG, f"{name}: its header has {length:,} bytes")
    header: dict[str, Any] = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header, 8 + length


def defect_of(folder: Path, weights: str = SAFE) -> str | None:
    """Return why a model cannot be loaded from a folder; None when it can.

    `weights`: name of the weights when they are one file, SAFE or PICKLED. Safetensors files are opened, so a truncated
    one is found.
    """
    if not (folder / "config.json").exists():
        return "no config.json"
    names = file_names(folder)
    for name in names:
        if (kind := kind_of(folder / name)) not in ("file", "folder", ""):
            return f"{name} is a {kind}"  # the library that loads it would wait for ever
    if not has_tokenizer(names):
        return f"no tokenizer ({', '.join(TOKENIZER_FILES)})"
    needed = _needed(folder, weights)
    missing = [name for name in needed if name not in names]
    if missing:
        found = sorted(
            name for name in names if name.endswith((".bin", ".gguf", ".h5", ".msgpack", ".safetensors"))
        )
        return f"no {missing[0]}" + (f" (found {', '.join(found[:3])})" if found else "")
    broken = [name for name in needed if name.endswith(".safetensors") and not _opens(folder / name)]
    return f"{broken[0]} is damaged or truncated" if broken else None


def is_complete(folder: Path) -> bool:
    """Return whether a folder holds everything needed to load a model, whose weights may be pickled."""
    return defect_of(folder) is None or (
        bool(pickled_names(file_names(folder))) and defect_of(folder, PICKLED) is None
    )


def wanted(files: Collection[str]) -> list[str]:
    """Return the files that from_pretrained needs from a repository, sorted: config, tokenizer, and one set of weights.

    The weights are safetensors if there are any, else *.bin. Code, weights of other frameworks and copies in subfolders
    are never included.
    """
    weights = weight_names(files, SAFE) or pickled_names(files)
    return sorted({*config_files(files), *weights})


def weight_names(files: Collection[str], whole: str) -> list[str]:
    """Return the name `whole` if it is among `files`, else its shards and their index, sorted; [] without either."""
    if whole in files:
        return [whole]
    stem, suffix = whole.split(".")
    shards = [name for name in files if re.fullmatch(rf"{stem}-\d+-of-\d+\.{suffix}", name)]
    index = f"{whole}.index.json"
    return sorted([index, *shards]) if shards and index in files else []


def pickled_names(files: Collection[str]) -> list[str]:
    """Return the names of the pickled weights: one file, or its shards and their index; [] without any."""
    return weight_names(files, PICKLED)


def config_files(files: Collection[str]) -> list[str]:
    """Return the config and tokenizer files among the names, in the given order."""
    return [
        name
        for name in files
        if any(fnmatch(name, pattern) for pattern in READ)
        and not any(fnmatch(name, pattern) for pattern in SKIPPED)
    ]


def has_tokenizer(names: Collection[str]) -> bool:
    """Return whether one of the file names is that of a tokenizer."""
    return any(fnmatch(name, pattern) for name in names for pattern in TOKENIZER_FILES)


def file_names(folder: Path) -> list[str]:
    """Return the names of everything in a folder, in no particular order."""
    return [path.name for path in folder.iterdir()]


def _needed(folder: Path, weights: str) -> list[str]:
    """Return the names of the files that hold the weights: one file, or the shards in its index."""
    index = folder / f"{weights}.index.json"
    if (folder / weights).exists() or not index.exists():
        return [weights]
    return sorted(set(read_json(index)["weight_map"].values()))


def _opens(path: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        open_regular(path).close()
        with safe_open(path, framework="np"):
            return True
    except (SafetensorError, OSError):
        return False
