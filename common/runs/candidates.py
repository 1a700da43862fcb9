"""Read and write candidate summaries, one JSON line per dialogue. Blending reads them; no model is needed.

Each line ends in `check`, a hash of the rest, because a line of an interrupted inference is covered by no record yet.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import sha256_texts, shown, write_text
from common.core.json_lines import append_line, read_lines


@dataclass(frozen=True)
class Candidate:
    """One summary proposed by a model."""

    text: str
    logprob: float | None
    """Sum of the log-probabilities of its tokens, end token included, in nats; None without a model."""
    tokens: int
    """Length in the model's tokens, end token included."""
    cut: bool = False
    """Whether it stopped at the limit of tokens instead of at an end token."""


def read(path: Path) -> dict[str, list[Candidate]]:
    """Return candidates by id, best first; empty when the file is absent. Raises UserError on a broken line."""
    found = {}
    for number, line in enumerate(read_lines(path), 1):
        if not is_record(line):
            raise UserError(
                f"{shown(path)}:{number}: wanted an id and candidates, each with text, logprob and tokens; "
                "remove that line and run infer again."
            )
        group = [Candidate(**entry) for entry in line["candidates"]]
        if not is_unchanged(line, group):
            raise UserError(
                f"{shown(path)}:{number}: has changed since it was written; remove that line and run infer again."
            )
        found[line["id"]] = group
    return found


def is_record(line: Mapping[str, Any]) -> bool:
    """Return whether a line has an id and candidates in the form that `write` gives them."""
    return (
        {"id", "candidates"} <= line.keys() <= {"id", "candidates", "check"}
        and isinstance(line["id"], str)
        and isinstance(line["candidates"], list)
        and all(
            isinstance(entry, dict)
            and entry.keys() in ({"text", "logprob", "tokens"}, {"text", "logprob", "tokens", "cut"})
            and isinstance(entry["text"], str)
            and isinstance(entry["logprob"], float | int | None)
            and isinstance(entry["tokens"], int)
            and isinstance(entry.get("cut", False), bool)
            for entry in line["candidates"]
        )
    )


def is_unchanged(line: Mapping[str, Any], group: Sequence[Candidate]) -> bool:
    """Return whether the `check` of a line belongs to its candidates; a line without one counts as unchanged."""
    return line.get("check", "") in ("", _record(line["id"], group)["check"])


def _record(name: str, group: Sequence[Candidate]) -> dict[str, Any]:
    # `cut` only where it is true: a line without it has the same check as before there was one.
    entries = [{k: v for k, v in asdict(one).items() if k != "cut" or v} for one in group]
    content = {"id": name, "candidates": entries}
    return content | {"check": sha256_texts([json.dumps(content)])[:16]}


def append(path: Path, name: str, group: Sequence[Candidate]) -> None:
    """Append the candidates of one dialogue durably."""
    append_line(path, _record(name, group))


def write(path: Path, candidates: Mapping[str, Sequence[Candidate]]) -> None:
    """Write all candidates atomically, in the order of the mapping."""
    lines = (_record(name, group) for name, group in candidates.items())
    write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
