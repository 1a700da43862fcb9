"""Candidate summaries on disk: one JSON line a dialogue. What blending reads; needs no model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common.files import append_line, read_lines, write_text


@dataclass(frozen=True)
class Candidate:
    """One summary that a model proposes."""

    text: str
    logprob: float | None
    """Sum of its tokens' log-probabilities under the model, end token included, in nats; None without a model."""
    tokens: int
    """Its length as the model counts it, end token included."""


def read(path: Path) -> dict[str, list[Candidate]]:
    """Candidates by id, best first; empty when the file is absent. Raises UserError on a broken line."""
    return {line["id"]: [Candidate(**c) for c in line["candidates"]] for line in read_lines(path)}


def _line(name: str, group: Sequence[Candidate]) -> dict[str, Any]:
    return {"id": name, "candidates": [asdict(candidate) for candidate in group]}


def append(path: Path, name: str, group: Sequence[Candidate]) -> None:
    """Add one dialogue's candidates durably."""
    append_line(path, _line(name, group))


def write(path: Path, candidates: Mapping[str, Sequence[Candidate]]) -> None:
    """Write all candidates atomically, in the mapping's order."""
    lines = (_line(name, group) for name, group in candidates.items())
    write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
