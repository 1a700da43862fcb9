"""A fingerprint of a model's weights that reads only a part of them: gigabytes in a second or two."""

import hashlib
import json
from pathlib import Path
from typing import Any

from common.models.hub import weight_files

SAMPLE = 4096
"""Number of bytes read at the start and at the end of every tensor.

This is enough because fine-tuning changes almost all values of a matrix that it trains."""


def weights_sha256(folder: Path) -> str:
    """Return the hex sha256 of a model's safetensors: name, type, shape, offsets and some bytes of every tensor.

    File names and metadata do not count. Raises OSError when a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in weight_files(folder):
        with path.open("rb") as file:
            # File format: header length (8 bytes), JSON header, tensors. Offsets are relative to the header's end.
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
