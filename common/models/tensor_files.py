"""Read and write safetensors files tensor by tensor, so that a model larger than memory can be rewritten.

File format: the header's length (8 bytes), a JSON header, the bytes of all tensors. Offsets count from the header's end.
"""

import errno
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from common.core.files import open_regular, write_json
from common.models.weight_files import SAFE, header_of, weight_files

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Types of weights that can be read as tensors, by their names in safetensors."""
SHARD_BYTES = 4 * 2**30
"""Largest size of one written file, unless a single tensor is larger."""
_CHUNK = 64 * 2**20


@dataclass(frozen=True)
class TensorInfo:
    """The name, type and shape of a tensor."""

    name: str
    dtype: str
    """Name of the type in safetensors, such as BF16."""
    shape: tuple[int, ...]
    size: int
    """Number of bytes."""


@dataclass(frozen=True)
class StoredTensor(TensorInfo):
    """A tensor in a safetensors file."""

    path: Path
    start: int
    """Offset of its first byte in the file."""


def stored_tensors(folder: Path) -> list[StoredTensor]:
    """Return the tensors of a model folder's safetensors files, in the order of the files and their offsets.

    Raises OSError when a file cannot be read.
    """
    found = []
    for path in weight_files(folder):
        with open_regular(path) as file:
            header, begin = header_of(file, path.name)
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            first, end = entry["data_offsets"]
            found.append(
                StoredTensor(name, entry["dtype"], tuple(entry["shape"]), end - first, path, begin + first)
            )
    return found


def chunks_of(tensor: StoredTensor) -> Iterator[bytes]:
    """Yield the bytes of a stored tensor, 64 MB at a time. Raises OSError when the file ends too early."""
    with tensor.path.open("rb") as file:
        file.seek(tensor.start)
        left = tensor.size
        while left:
            chunk = file.read(min(_CHUNK, left))
            if not chunk:
                raise OSError(errno.EIO, f"{tensor.path.name}: the file ends inside {tensor.name}")
            left -= len(chunk)
            yield chunk


def read_tensor(tensor: StoredTensor) -> torch.Tensor:
    """Return a stored tensor of one of the DTYPES in memory of its own. Raises OSError when the file ends too early."""
    content = bytearray(tensor.size)
    with tensor.path.open("rb") as file:
        file.seek(tensor.start)
        if file.readinto(content) != tensor.size:
            raise OSError(errno.EIO, f"{tensor.path.name}: the file ends inside {tensor.name}")
    return torch.frombuffer(content, dtype=DTYPES[tensor.dtype]).reshape(tensor.shape)


def info_of(name: str, tensor: torch.Tensor, dtype: str) -> TensorInfo:
    """Return the description of a tensor, which may be on the meta device, that will be written as `dtype`."""
    return TensorInfo(name, dtype, tuple(tensor.shape), tensor.numel() * DTYPES[dtype].itemsize)


def bytes_of(tensor: torch.Tensor, dtype: str) -> memoryview:
    """Return the bytes of a tensor, converted to `dtype`, as safetensors stores them."""
    flat = tensor.to(DTYPES[dtype]).contiguous().flatten()
    return memoryview(flat.view(torch.uint8).numpy())


def write_model(
    folder: Path,
    tensors: Sequence[TensorInfo],
    content: Callable[[TensorInfo], Iterable[bytes | memoryview]],
    written: Callable[[int], Any],
) -> None:
    """Write tensors as one safetensors file, or as several of at most SHARD_BYTES and their index, into a folder.

    `content` returns the bytes of a tensor in parts, and `written` is called with the size of each part. Only one part is
    held at a time.
    """
    shards = _shards(tensors)
    names = [SAFE]
    if len(shards) > 1:
        stem, suffix = SAFE.split(".")
        names = [f"{stem}-{number:05d}-of-{len(shards):05d}.{suffix}" for number in range(1, len(shards) + 1)]
        index = {tensor.name: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
        metadata = {"total_size": sum(tensor.size for tensor in tensors)}
        write_json(folder / f"{SAFE}.index.json", {"metadata": metadata, "weight_map": index})
    for name, shard in zip(names, shards, strict=True):
        with (folder / name).open("wb") as file:
            _write_header(file, shard)
            for tensor in shard:
                for part in content(tensor):
                    file.write(part)
                    written(len(part))


def _shards(tensors: Sequence[TensorInfo]) -> list[list[TensorInfo]]:
    """Return the tensors of each file, in the order in which they are written.

    Larger types come first, as the safetensors library has it: every tensor then starts at a multiple of its type's size.
    """
    shards: list[list[TensorInfo]] = [[]]
    size = 0
    for tensor in tensors:
        if shards[-1] and size + tensor.size > SHARD_BYTES:
            shards.append([])
            size = 0
        shards[-1].append(tensor)
        size += tensor.size
    return [sorted(shard, key=lambda one: -one.size / max(1, math.prod(one.shape))) for shard in shards]


def _write_header(file: BinaryIO, tensors: Sequence[TensorInfo]) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for tensor in tensors:
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + tensor.size],
        }
        offset += tensor.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
