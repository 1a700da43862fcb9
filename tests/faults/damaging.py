"""Damage a file in one of several ways."""

import hashlib
import io
import json
import random
import sqlite3
from pathlib import Path
from typing import Any

CUT = ("missing", "truncated", "empty")
FLIPPED = "bit flipped"
KINDS = (*CUT, FLIPPED, "other shape", "other shape, manifest rewritten")


def damage(path: Path, kind: str, rng: random.Random) -> str:
    """Damage a file; return why that is impossible, "" when it was done."""
    if not path.is_file():
        return f"there is no {path.name}"
    data = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        if len(data) < 2:
            return f"{path.name} is empty"
        path.write_bytes(data[: rng.randrange(1, len(data))])
    elif kind == FLIPPED:
        if not data:
            return f"{path.name} is empty"
        place, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
        path.write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
    else:
        path.write_bytes(other_shape(path, data, rng))
        if kind == KINDS[-1]:
            _rewrite_manifest(path)
    return ""


def other_shape(path: Path, data: bytes, rng: random.Random) -> bytes:
    """Return valid content of the file's format with other shapes or types."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load, save

        return save({name: tensor.reshape(-1).repeat(2) for name, tensor in load(data).items()})
    if path.suffix in (".bin", ".pt", ".pkl"):
        import torch

        buffer = io.BytesIO()
        torch.save({"state": [1, 2, 3]}, buffer)
        return buffer.getvalue()
    if path.suffix == ".json":
        value: Any = rng.choice([[], 7, None, {"name": [1]}, "text"])
        return json.dumps(value).encode()
    if path.suffix == ".jsonl":
        return b"[1, 2]\n" * max(1, data.count(b"\n"))
    if path.suffix == ".csv":
        return b"number,text\n1,a\n"
    if path.suffix == ".sqlite":
        path.unlink()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE answers (hash INTEGER)")
        connection.close()
        return path.read_bytes()
    return b"{}\n"


def _rewrite_manifest(path: Path) -> None:
    """Make the manifest agree with the damaged file, as a faulty program or an attacker would."""
    for folder in path.parents:
        manifest = folder / "manifest.json"
        if manifest.is_file():
            value = json.loads(manifest.read_text(encoding="utf-8"))
            value[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
            manifest.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
            return
