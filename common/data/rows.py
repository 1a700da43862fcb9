"""Read and check a competition's rows; read and write predictions. Rows and predictions are joined by id."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.core.errors import UserError
from common.core.files import shown, write_text
from common.core.messages import quoted
from common.data import checks, tables
from common.data.checks import Checked, check_same_ids, ids_of
from common.data.competition import Competition
from common.data.tables import SURROGATE, source_of

__all__ = [
    "Row",
    "Split",
    "SplitName",
    "read_predictions",
    "read_references",
    "read_split",
    "sample_ids",
    "write_predictions",
]

SplitName = Literal["train", "dev", "test"]


@dataclass(frozen=True)
class Row:
    """One dialogue with its text exactly as in the file; `common.data.dialogue.clean` cleans it."""

    id: str
    dialogue: str
    summaries: tuple[str, ...]
    """Reference summaries; always () in the test split."""
    topic: str
    """The topic; "" when the file has no topic column."""


@dataclass(frozen=True)
class Split:
    """The rows of one file, in file order, and the warnings about it."""

    name: str
    rows: tuple[Row, ...]
    path: Path
    sha256: str
    """Hex SHA-256 of the file's bytes."""
    warnings: Mapping[str, int]
    """Kind of warning → number of affected rows; recorded in the run folder."""
    warning_examples: tuple[str, ...]
    """One example for each kind of warning."""


def read_split(competition: Competition, split: SplitName) -> Split:
    """Return the checked rows of train, dev or test.

    Raises UserError that names the file, the line and the id, and says what to do.
    """
    path = competition.path(split)
    checked = checks.check(competition, split, path)
    columns = competition.columns
    answers = () if split == "test" else columns.answers(competition.files[split])
    rows = tuple(
        Row(
            id=record.cells[columns.id],
            dialogue=record.cells[columns.dialogue],
            summaries=tuple(record.cells[column] for column in answers),
            topic=record.cells.get(columns.topic, ""),
        )
        for record in checked.table.records
    )
    return Split(split, rows, path, checked.sha256, checked.warnings, tuple(checked.examples.values()))


def read_references(competition: Competition, split: SplitName) -> dict[str, tuple[str, ...]]:
    """Return the reference summaries by id; those of test come from the solution file.

    Raises UserError when the competition has no solution file, and as `read_split` does.
    """
    kind = "solution" if split == "test" else split
    if kind not in competition.files:
        raise UserError(
            f"{competition.name}: the test summaries are hidden (competition.toml declares no solution file). "
            "Score split=dev, or submit the CSV and record the site's score with: make lb id=… public=…"
        )
    checked = checks.check(competition, kind, competition.path(kind))
    if kind == "solution" and competition.path("test").exists():
        check_same_ids(competition, kind, checked, _test(competition))
    answers = competition.columns.answers(competition.files[kind])
    return {
        record.cells[competition.columns.id]: tuple(record.cells[column] for column in answers)
        for record in checked.table.records
    }


def require_topics(rows: Sequence[Row]) -> list[Row]:
    """Return the training rows that have a topic. Raises UserError when there are not two."""
    known = [row for row in rows if row.topic.strip()]
    if len(known) < 2:
        raise UserError(
            f"--topic: {len(known)} of the {len(rows)} training rows have a topic; wanted a train file with topics "
            "(the column named in [columns] topic of competition.toml). Leave --topic out."
        )
    return known


def _test(competition: Competition) -> Checked:
    return checks.check(competition, "test", competition.path("test"))


def sample_ids(competition: Competition) -> list[str]:
    """Return the ids of a submission in the order of the sample, or of the test file when there is no sample.

    Raises UserError when sample and test have different ids, and as `read_split` does.
    """
    if "sample" not in competition.files:
        return ids_of(competition, _test(competition).table.records)
    sample = checks.check(competition, "sample", competition.path("sample"))
    if competition.path("test").exists():
        check_same_ids(competition, "sample", sample, _test(competition))
    return ids_of(competition, sample.table.records)


def read_predictions(path: Path, competition: Competition) -> dict[str, str]:
    """Return the predicted summaries by id from a predictions or submission CSV; other columns are ignored.

    Empty predictions are kept; the scorer counts them. Raises UserError for a missing column, an empty or
    duplicate id, and any encoding or quoting error.
    """
    source = source_of(path, None)
    id_column, summary = competition.submission.id, competition.submission.summary
    table, _ = tables.load(path, source, (id_column, summary), others=True)
    predictions: dict[str, str] = {}
    lines: dict[str, int] = {}
    for record in table.records:
        value = record.cells[id_column]
        if not value.strip():
            raise source.error(
                record.line, f'column "{id_column}" is empty; every row needs an id', "Fix the row"
            )
        if value in lines:
            problem = f"{id_column} {quoted(value)} is a duplicate (first on line {lines[value]}); ids must be unique"
            raise source.error(record.line, problem, "Remove one of the two rows")
        lines[value] = record.line
        predictions[value] = record.cells[summary]
    return predictions


def write_predictions(path: Path, ids: Sequence[str], texts: Sequence[str], competition: Competition) -> None:
    """Write a predictions CSV (id and summary columns, every cell quoted) atomically.

    `read_predictions` returns the same ids and texts. Raises ValueError when the numbers of ids and texts differ,
    UserError for a duplicate id and for text that UTF-8 or CSV cannot represent, and as `files.write_text` does.
    """
    if len(ids) != len(texts):
        raise ValueError(f"{len(ids)} ids and {len(texts)} texts")
    seen: set[str] = set()
    for key, text in zip(ids, texts, strict=True):
        if key in seen:
            raise UserError(f"{shown(path)}: id {quoted(key)} was predicted twice; nothing was written.")
        seen.add(key)
        if "\0" in key + text or SURROGATE.search(key + text):
            raise UserError(
                f"{shown(path)}: the id or text of {quoted(key)} contains a NUL or a lone surrogate; remove it."
            )
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([competition.submission.id, competition.submission.summary])
    writer.writerows(zip(ids, texts, strict=True))
    write_text(path, buffer.getvalue())
