"""Say what `make predict` is asked for, and read the rows to predict. Never imports torch."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from common.core.errors import UserError
from common.core.files import parse_json, shown
from common.data.competition import Competition
from common.data.given_rows import given_text, read_given
from common.data.rows import Split

SUFFIXES = (".csv", ".jsonl")


@dataclass(frozen=True)
class Asked:
    """What `make predict` was asked for; it reaches the experiment's process as one option."""

    source: str = ""
    """Absolute path of a CSV or JSON Lines file; "" when `text` is given."""
    text: str = ""
    """One dialogue, whose summary is printed."""
    target: str = ""
    """Absolute path of the file to write."""
    force: bool = False
    """Whether an older file at `target` may be replaced."""
    everything: bool = False
    """Whether all candidates are written beside each summary."""

    def option(self) -> str:
        """Return the option that `read_asked` reads."""
        return f"--predict={json.dumps(asdict(self))}"


def read_asked(value: str) -> Asked:
    """Return what the option of a stage says. Raises UserError when `make predict` did not write it."""
    try:
        return Asked(**parse_json(value))
    except (TypeError, ValueError):
        raise UserError("--predict is an option between commands; use make predict instead.") from None


def read_rows(competition: Competition, asked: Asked) -> Split:
    """Return the rows to predict. Raises UserError as `read_given` and `given_text` do."""
    if asked.source:
        return read_given(competition, Path(asked.source))
    return given_text(competition, asked.text)


def require_free_name(target: Path, *, force: bool) -> None:
    """Raise UserError when a file is at the target and may not be replaced."""
    if target.exists() and not force:
        raise UserError(
            f"to={shown(target)} already exists; write to another file, or replace it with force=1."
        )
