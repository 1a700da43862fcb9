"""What tells two models' weights apart without reading them all: gigabytes in a second or two."""

import hashlib
import json
from pathlib import Path
from typing import Any

from common import hub

SAMPLE = 4096
"""Bytes read at the start and at the end of every tensor; fine-tuning changes almost all of a matrix it touches."""


def weights_sha256(folder: Path) -> str:
    """Hex sha256 of a model's safetensors: name, type, shape and place of every tensor, and samples of its bytes.

    Neither file names nor metadata count. Raises OSError when a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in hub.weight_files(folder):
        with path.open("rb") as file:
            # The format: 8 bytes of length, a JSON header, the tensors; offsets count from the header's end.
            length = int.from_bytes(file.read(8), "little")
            header: dict[str, Any] = json.loads(file.read(length))
            header.pop("__metadata__", None)
            digest.update(json.dumps(header, sort_keys=True).encode())
            for _, tensor in sorted(header.items()):
                start, end = (8 + length + offset for offset in tensor["data_offsets"])
                for place in (start, max(start, end - SAMPLE)):
                    file.seek(place)
                    digest.update(file.read(min(SAMPLE, end - start)))
    return digest.hexdigest()
