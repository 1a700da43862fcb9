"""Write augmented rows to disk, and read them back with all checks."""

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core import paths
from common.core.errors import UserError
from common.core.files import read_json, sha256_file, shown, write_text
from common.core.messages import brief, quoted
from common.data import tables
from common.data.competition import Competition
from common.data.competition_file import load_competition
from common.data.competition_rules import require_allowed
from common.data.near_copies import copy_index, grams
from common.data.rows import Row, read_split
from common.data.tables import source_of
from common.runs.record import to_arguments

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,79}")
FOLDER = "augmented"
ROWS, REJECTED, RECORD = "rows.csv", "rejected.csv", "run.json"
_COLUMNS = (
    "id",
    "parent",
    "method",
    "model",
    "prompt_sha256",
    "seed",
    "fold",
    "similarity",
    "rouge",
    "topic",
    "dialogue",
)
_SUMMARY = re.compile(r"summary([0-9]*)")


@dataclass(frozen=True)
class AugmentedRow:
    """A new training row and its origin."""

    row: Row
    """The row, with a new id "PARENT.NAME"."""
    parent: str
    """Id of the train row it was made from."""
    method: str
    model: str
    """Name and commit of the model; "" if the method uses none."""
    prompt_sha256: str
    """Hash of the prompts' text; "" if the method uses none."""
    seed: int
    fold: int
    """Fold of its parent."""
    similarity: float
    """Similarity of its dialogue to the parent's, in [0, 1]: `near_copies.similarity`."""
    rouge: float
    """ROUGE-L F1 of its dialogue's words against the parent's, in [0, 1]."""


def require_name(name: str) -> None:
    """Raise UserError for a name that augmented rows cannot have."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"name {brief(name)}: wanted at most 80 lower-case letters, digits, and . _ - after the first "
            "character, for example paraphrase2."
        )


def folder(competition: str, name: str) -> Path:
    """Return the folder of the rows of that name. Raises UserError for an invalid name."""
    require_name(name)
    return paths.outputs(competition) / FOLDER / name


def rows_path(competition: str, name: str) -> Path:
    """Return the CSV file of the rows of that name. Raises UserError as `folder` does."""
    return folder(competition, name) / ROWS


def write(path: Path, rows: Sequence[AugmentedRow], reasons: Sequence[str] | None = None) -> None:
    """Write rows atomically as CSV with every cell quoted; `reasons` adds a column for rejected rows.

    Raises UserError as `files.write_text` does.
    """
    most = max([1, *(len(augmented.row.summaries) for augmented in rows)])
    names = ["summary"] if most == 1 else [f"summary{number + 1}" for number in range(most)]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([*_COLUMNS, *names, *(["reason"] if reasons is not None else [])])
    for number, one in enumerate(rows):
        summaries = [*one.row.summaries, *[""] * (most - len(one.row.summaries))]
        cells = [one.row.id, one.parent, one.method, one.model, one.prompt_sha256, str(one.seed), str(one.fold),
                 repr(one.similarity), repr(one.rouge), one.row.topic, one.row.dialogue, *summaries]  # fmt: skip
        writer.writerow([*cells, *([reasons[number]] if reasons is not None else [])])
    write_text(path, buffer.getvalue())


METHODS = ("paraphrase", "back_translation", "speaker_swap", "turn_drop", "sentence_drop")
"""The methods of common/augment/settings.py, which needs this module."""


def require_made(competition: Competition, name: str) -> Path:
    """Return the path of rows.csv. Raises UserError, with the command that makes it, when it or its record is missing."""
    path = folder(competition.name, name) / ROWS
    if not (path.parent / RECORD).exists() or not path.exists():
        there = sorted(p.parent.name for p in path.parent.parent.glob(f"*/{RECORD}"))
        options = f"method={name}" if name in METHODS else f"method=METHOD name={name}"
        raise UserError(
            f"{shown(path)}: not found (made for {competition.name} so far: {', '.join(there) or 'none'}). "
            f"Make it with: make augment {options} comp={competition.name}"
        )
    return path


def read(
    competition: Competition | str, name: str, forbidden: Collection[Row] = ()
) -> tuple[AugmentedRow, ...]:
    """Return the rows of outputs/<competition>/augmented/<name>/rows.csv, checked against the current data.

    `forbidden` are the rows of dev and test: no augmented row may share an id, be made from one, or be a near-copy.
    Raises UserError with the command to run if the rows are missing, if the file, the train data or near_copy have
    changed since they were made, if a parent is missing or an id is not new or not unique, if they belong to another
    competition, and if a forbidden model made them.
    """
    chosen = load_competition(competition) if isinstance(competition, str) else competition
    path = require_made(chosen, name)
    record = read_json(path.parent / RECORD)
    again = command(record)
    if record["competition"] != chosen.name:
        raise UserError(
            f"{shown(path)}: was made for {record['competition']}, but {chosen.name}'s entries may learn only from its own "
            f"rows. Make rows from those with: make augment method={record['method']} comp={chosen.name} name={name} restart=1"
        )
    require_allowed(chosen, shown(path), record["config"], record.get("sources", {}))
    if record["files"].get(ROWS) != sha256_file(path):
        raise UserError(f"{shown(path)}: was changed after it was made. Make it again with: {again}")
    train = read_split(chosen, "train")
    rows = parse(path)
    _require_known(path, rows, train.rows, forbidden, again)
    if record["data"]["train"]["sha256"] != train.sha256:
        raise UserError(
            f"{shown(path)}: was made from another version of {shown(train.path)}. "
            f"Make it again with: {again}"
        )
    if record.get("near_copy") != chosen.near_copy:
        raise UserError(
            f"{shown(path)}: was made with near_copy {record.get('near_copy')}, but {chosen.name} now has "
            f"{chosen.near_copy}. Make it again with: {again}"
        )
    _require_no_copies(path, rows, forbidden, chosen.near_copy, again)
    return rows


def command(record: Mapping[str, Any]) -> str:
    """Return the command that makes augmented rows again with the settings in their run.json."""
    arguments = " ".join(to_arguments(record["overrides"]))
    count = f" n={record['n']}" if record["n"] else ""
    args = f' args="{arguments}"' if arguments else ""
    return (
        f"make augment method={record['method']} comp={record['competition']} name={record['name']}"
        f"{count}{args} restart=1"
    )


def parse(path: Path) -> tuple[AugmentedRow, ...]:
    """Return the rows of a CSV without further checks. Raises UserError if it is not a table of augmented rows."""
    source = source_of(path, None)
    table, _ = tables.load(path, source, (*_COLUMNS,), others=True)
    numbered = sorted(
        (int(match[1] or 0), column) for column in table.header if (match := _SUMMARY.fullmatch(column))
    )
    found = []
    for record in table.records:
        cells = record.cells
        summaries = tuple(cells[column] for _, column in numbered if cells[column])
        try:
            found.append(
                AugmentedRow(
                    Row(cells["id"], cells["dialogue"], summaries, cells["topic"]),
                    cells["parent"],
                    cells["method"],
                    cells["model"],
                    cells["prompt_sha256"],
                    int(cells["seed"]),
                    int(cells["fold"]),
                    float(cells["similarity"]),
                    float(cells["rouge"]),
                )
            )
        except ValueError as error:
            raise source.error(
                record.line, f"not an augmented row ({error})", "Make the file again"
            ) from None
    return tuple(found)


def _require_known(
    path: Path, rows: Sequence[AugmentedRow], train: Sequence[Row], forbidden: Collection[Row], again: str
) -> None:
    parents, closed = {row.id for row in train}, {row.id for row in forbidden}
    seen: set[str] = set()
    for one in rows:
        if one.parent in closed:
            problem = f"{quoted(one.row.id)} was made from {quoted(one.parent)}, a row of dev or test: it would leak"
        elif one.parent not in parents:
            problem = (
                f"{quoted(one.row.id)} was made from {quoted(one.parent)}, which is not in the train split"
            )
        elif one.row.id in parents | closed:
            problem = f"id {quoted(one.row.id)} is not new"
        elif one.row.id in seen:
            problem = f"id {quoted(one.row.id)} occurs twice"
        elif not one.row.summaries or not one.row.dialogue.strip():
            problem = f"{quoted(one.row.id)} has no dialogue or no summary"
        else:
            seen.add(one.row.id)
            continue
        raise UserError(f"{shown(path)}: {problem}. Make it again with: {again}")


def _require_no_copies(
    path: Path, rows: Sequence[AugmentedRow], forbidden: Collection[Row], near_copy: float, again: str
) -> None:
    index = copy_index([row.dialogue for row in forbidden])
    names = [row.id for row in forbidden]
    for one in rows if names else ():
        alike = index.similarities(grams(one.row.dialogue))
        nearest = int(alike.argmax())
        if alike[nearest] >= near_copy:
            raise UserError(
                f'{shown(path)}: "{one.row.id}" is a near-copy of "{names[nearest]}" (similarity {alike[nearest]:.2f}): '
                f"it would leak into a score. Make it again with: {again}"
            )
