"""One declared file against its competition: columns, ids, counts and cells are errors; oddities are counted."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.competition import Competition, FileSpec
from common.rows import tables
from common.rows.tables import Record, Source, Table

# A cell of white space, zero-width characters or Hangul fillers alone prints as nothing.
_VISIBLE = re.compile("[^\\s\u115f\u1160\u200b-\u200f\u2060\u3164\ufeff\uffa0]")
_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]")


class Warnings:
    """Counted oddities: how many rows show each kind, and the first row that did."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def add(self, kind: str, example: str) -> None:
        """Count one row of a kind."""
        self.counts[kind] += 1
        self.examples.setdefault(kind, f"{kind}: {example}")


@dataclass(frozen=True)
class Checked:
    """A file that passed."""

    table: Table
    sha256: str
    warnings: Mapping[str, int]
    examples: Mapping[str, str]
    """The first row of each kind of warning; ids and counts, no text of the data but an unknown tag."""


def check(competition: Competition, kind: str, path: Path, label: str | None = None) -> Checked:
    """The declared file of this kind, read from `path` and checked; `label` names it in messages.

    Raises UserError on what would lose or misplace a row. What can be lived with is a counted warning.
    """
    spec = competition.files[kind]
    source = Source(label, competition.obtain) if label else tables.source_of(path, competition.obtain)
    table, data = tables.load(path, source, spec.columns)
    warnings = Warnings()
    if table.blank_lines:
        warnings.counts["blank line"] = table.blank_lines
        warnings.examples["blank line"] = f"blank line: {table.blank_lines}, left out"
    _ids(table, competition, spec, source)
    _cells(table, competition, kind, source)
    _count(table, competition, spec, source, warnings)
    if kind != "sample":
        _oddities(table, competition, kind, warnings)
    return Checked(
        table=table,
        sha256=hashlib.sha256(data).hexdigest(),
        warnings=dict(warnings.counts),
        examples=dict(warnings.examples),
    )


def read_columns(competition: Competition, kind: str) -> tuple[str, ...]:
    """The columns of which a kind of file is read, beside the id: what may not be empty there."""
    spec, columns = competition.files[kind], competition.columns
    dialogue = (columns.dialogue,) if kind in ("train", "dev", "test") else ()
    answers = columns.answers(spec) if kind in ("train", "dev", "solution") else ()
    return dialogue + answers


def _ids(table: Table, competition: Competition, spec: FileSpec, source: Source) -> None:
    column = competition.columns.id
    seen: dict[str, int] = {}
    for record in table.records:
        value = record.cells[column]
        if not value.strip():
            raise source.error(
                record.line, f'column "{column}" is empty; every row needs its id', "Fix the row"
            )
        if value in seen:
            problem = f'{column} "{value}" occurs a second time (first on line {seen[value]}); ids are unique'
            raise source.error(record.line, problem, "Remove one of the two")
        if spec.ids is not None and value not in spec.ids:
            problem = f'{column} "{value[:60]}" is not an id of this file; wanted {spec.ids}'
            raise source.error(record.line, problem, "Fix the row")
        seen[value] = record.line


def _cells(table: Table, competition: Competition, kind: str, source: Source) -> None:
    columns = read_columns(competition, kind)
    index = competition.submission.index if kind == "sample" else None
    for number, record in enumerate(table.records):
        fname = f'{competition.columns.id} "{record.cells[competition.columns.id]}"'
        for column in columns:
            if not _VISIBLE.search(record.cells[column]):
                problem = f'column "{column}" is empty for {fname}; every {kind} row needs one'
                raise source.error(record.line, problem, "Fix the row")
        if index is not None and record.cells[index] != str(number):
            problem = f'index column "{index}" is "{record.cells[index][:20]}" for {fname}; wanted {number}'
            raise source.error(record.line, problem, "Number the rows from 0")


def _count(
    table: Table, competition: Competition, spec: FileSpec, source: Source, warnings: Warnings
) -> None:
    found = len(table.records)
    if not found:
        raise source.error(
            None, "has a header and no rows" if table.header else "has no rows", "Give a whole file"
        )
    if spec.rows is None or found == spec.rows:
        return
    if not spec.exact_rows:
        warnings.add("row count", f"{found:,} rows, {spec.rows:,} in the organisers' file")
        return
    ids = {record.cells[competition.columns.id] for record in table.records}
    missing = [value for value in (spec.ids and spec.ids.expected()) or [] if value not in ids]
    listed = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
    lacking = f"; missing: {listed}" if missing else ""
    raise source.error(None, f"has {found} rows; wanted {spec.rows}{lacking}", "Give a whole file")


def _turns(dialogue: str, speaker: re.Pattern[str]) -> tuple[bool, bool]:
    """Whether a line lacks a speaker, and whether a turn begins inside a line."""
    lines = [line.lstrip() for line in dialogue.split("\n")]
    return (
        any(not speaker.match(line) for line in lines),
        any(speaker.search(line, 1) for line in lines),
    )


def _oddities(table: Table, competition: Competition, kind: str, warnings: Warnings) -> None:
    columns = competition.columns
    known = "|".join(map(re.escape, competition.tags))
    tag = re.compile(f"(?:{known})|(#\\w{{1,40}}#)")  # group 1: an undeclared one
    speaker = re.compile(f"(?:{'|'.join(map(re.escape, competition.speakers))}):")
    read = read_columns(competition, kind)
    for record in table.records:
        fname = record.cells[columns.id]
        text = "\n".join(record.cells[column] for column in read)
        if "\r" in text:
            warnings.add("carriage return in a cell", fname)
        if _CONTROL.search(text):
            warnings.add("control character", fname)
        if "\ufffd" in text:
            warnings.add("replacement character", fname)
        if not unicodedata.is_normalized("NFC", text):
            warnings.add("not NFC", fname)
        if unknown := next((match[1] for match in tag.finditer(text) if match[1]), None):
            warnings.add("unknown tag", f"{unknown} in {fname}")
        if (
            columns.topic in record.cells
            and kind in ("train", "dev")
            and not record.cells[columns.topic].strip()
        ):
            warnings.add("empty topic", fname)
        if columns.dialogue in read:
            no_speaker, joined = _turns(record.cells[columns.dialogue], speaker)
            if no_speaker:
                warnings.add("line without a speaker", fname)
            if joined:
                warnings.add("turns without a line break between", fname)


def ids_of(competition: Competition, records: Sequence[Record]) -> list[str]:
    """The ids in the file's order."""
    return [record.cells[competition.columns.id] for record in records]


def check_same_ids(competition: Competition, kind: str, this: Checked, test: Checked) -> None:
    """Raises UserError when a sample or solution does not hold exactly the test file's ids."""
    mine = set(ids_of(competition, this.table.records))
    wanted = set(ids_of(competition, test.table.records))
    if mine == wanted:
        return
    lacking, extra = sorted(wanted - mine), sorted(mine - wanted)
    parts = [f"lacks {len(lacking)} of its ids ({', '.join(lacking[:3])})"] if lacking else []
    parts += [f"has {len(extra)} that it lacks ({', '.join(extra[:3])})"] if extra else []
    source = Source(this.table.label, competition.obtain)
    problem = f"the {kind} and {test.table.label} do not belong together: it {' and '.join(parts)}"
    raise source.error(None, problem, "Take both files from the same release")
