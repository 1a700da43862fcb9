"""Check a declared file: wrong columns, ids, row counts or cells are errors; everything else odd is a warning."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.core.messages import cut, listed, quoted
from common.data import tables
from common.data.competition import Competition, FileSpec
from common.data.dialogue import clean
from common.data.repairs import ESCAPED, HTML, MAY_BE_TAG, odd_tag, repair_breaks, repair_tags
from common.data.tables import Record, Table, source_of
from common.data.text_files import FileOrigin

# A cell with nothing but white space, zero-width characters and Hangul fillers looks empty, so it counts as empty.
_VISIBLE = re.compile("[^\\s\u115f\u1160\u200b-\u200f\u2060\u3164\ufeff\uffa0]")
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]")


class Warnings:
    """Counted warnings: the number of affected rows for each kind, and the first of them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def add(self, kind: str, example: str) -> None:
        """Count one row for this kind of warning; the first example of each kind is kept."""
        self.counts[kind] += 1
        self.examples.setdefault(kind, f"{kind}: {cut(example)}")


@dataclass(frozen=True)
class Checked:
    """A file that passed all checks."""

    table: Table
    sha256: str
    warnings: Mapping[str, int]
    examples: Mapping[str, str]
    """The first row for each kind of warning: ids and counts, never the data's text except an unknown tag."""


def is_blank(text: str) -> bool:
    """Return whether a text looks empty: it may have white space, zero-width characters and Hangul fillers."""
    return not _VISIBLE.search(text)


def check(
    competition: Competition, kind: str, path: Path, label: str | None = None, *, others: bool = False
) -> Checked:
    """Read the declared file of this kind from `path` and check it; messages call it `label` if that is given.

    `others`: whether the file may have other columns too, which are ignored.
    Raises UserError for errors that would lose or misplace a row. Everything else is a counted warning.
    """
    spec = competition.files[kind]
    source = FileOrigin(label, competition.obtain) if label else source_of(path, competition.obtain)
    table, data = tables.load(path, source, _columns(competition, kind, path, source), others)
    warnings = Warnings()
    if table.blank_lines:
        warnings.counts["blank line"] = table.blank_lines
        warnings.examples["blank line"] = f"blank line: {table.blank_lines}, skipped"
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


def _columns(competition: Competition, kind: str, path: Path, source: FileOrigin) -> tuple[str, ...]:
    """Return the columns that the file must have; a sample may have those of any valid submission."""
    declared = competition.files[kind].columns
    if kind != "sample" or not competition.submission.accepted:
        return declared
    table, _ = tables.load(path, source, (competition.columns.id,), others=True)
    found = set(table.header or (table.records[0].cells if table.records else ()))
    headers = (declared, *competition.submission.headers)
    return next((header for header in headers if set(header) == found), declared)


def read_columns(competition: Competition, kind: str) -> tuple[str, ...]:
    """Return the columns that we read from this kind of file, without the id; none of their cells may be empty."""
    spec, columns = competition.files[kind], competition.columns
    dialogue = (columns.dialogue,) if kind in ("train", "dev", "test") else ()
    answers = columns.answers(spec) if kind in ("train", "dev", "solution") else ()
    return dialogue + answers


def _ids(table: Table, competition: Competition, spec: FileSpec, source: FileOrigin) -> None:
    column = competition.columns.id
    seen: dict[str, int] = {}
    for record in table.records:
        value = record.cells[column]
        if not value.strip():
            raise source.error(
                record.line, f'column "{column}" is empty; every row needs an id', "Fix the row"
            )
        if value in seen:
            problem = (
                f"{column} {quoted(value)} is a duplicate (first on line {seen[value]}); ids must be unique"
            )
            raise source.error(record.line, problem, "Remove one of the two rows")
        if spec.ids is not None and value not in spec.ids:
            problem = f"{column} {quoted(value, 60)} is not an id of this file; wanted {spec.ids}"
            raise source.error(record.line, problem, "Fix the row")
        seen[value] = record.line


def _cells(table: Table, competition: Competition, kind: str, source: FileOrigin) -> None:
    columns = read_columns(competition, kind)
    sample = kind == "sample"
    for number, record in enumerate(table.records):
        fname = f"{competition.columns.id} {quoted(record.cells[competition.columns.id])}"
        for column in columns:
            if is_blank(record.cells[column]):
                problem = f'column "{column}" is empty for {fname}; every {kind} row needs one'
                raise source.error(record.line, problem, "Fix the row")
        index = competition.submission.index_in(record.cells) if sample else None
        if index is not None and record.cells[index] != str(number):
            problem = (
                f'index column "{index}" is {quoted(record.cells[index], 20)} for {fname}; wanted {number}'
            )
            raise source.error(record.line, problem, "Number the rows from 0")


def _count(
    table: Table, competition: Competition, spec: FileSpec, source: FileOrigin, warnings: Warnings
) -> None:
    found = len(table.records)
    if not found:
        raise source.error(
            None, "has a header but no rows" if table.header else "has no rows", "Use the complete file"
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
    raise source.error(None, f"has {found} rows; wanted {spec.rows}{lacking}", "Use the complete file")


def _turns(dialogue: str, speaker: re.Pattern[str]) -> tuple[bool, bool]:
    """Return whether a line has no speaker, and whether a turn starts in the middle of a line, both as models read it."""
    lines = [line.lstrip() for line in dialogue.split("\n")]
    if all(speaker.match(line) and not speaker.search(line, 1) for line in lines):
        return False, False
    lines = clean(dialogue).split("\n")
    written = sum(not line.isspace() for line in repair_breaks(dialogue.strip()).splitlines() if line)
    return any(not speaker.match(line) for line in lines), len(lines) > written


def _oddities(table: Table, competition: Competition, kind: str, warnings: Warnings) -> None:
    """Count what is odd in the texts. Models read the texts after `dialogue.clean`, which repairs most of it."""
    columns = competition.columns
    known = "|".join(map(re.escape, competition.tags))
    tag = re.compile(f"(?:{known})|(#\\w{{1,40}}#)")  # group 1: an undeclared tag
    declared = re.compile(known)
    speaker = re.compile(f"(?:{'|'.join(map(re.escape, competition.speakers))}):")
    read = read_columns(competition, kind)
    for record in table.records:
        fname = record.cells[columns.id]
        text = "\n".join(record.cells[column] for column in read)
        if fname != fname.strip() or _INVISIBLE.search(fname):
            warnings.add("id with spaces or invisible characters", repr(fname[:60]))
        if "\r" in text:
            warnings.add("carriage return in a cell", fname)
        if _CONTROL.search(text):
            warnings.add("control character", fname)
        if "\ufffd" in text:
            warnings.add("replacement character", fname)
        if not unicodedata.is_normalized("NFC", text):
            warnings.add("not NFC", fname)
        if _INVISIBLE.search(text):
            warnings.add("invisible character", fname)
        if match := ESCAPED.search(text):
            warnings.add("escaped character", f"{match[0]} in {fname}")
        if match := HTML.search(text):
            warnings.add("HTML", f"{match[0]} in {fname}")
        if MAY_BE_TAG.search(declared.sub("", text)):
            if odd := odd_tag(text):
                warnings.add("tag in another form, repaired for models", f'"{odd[:40]}" in {fname}')
            if unknown := next((match[1] for match in tag.finditer(repair_tags(text)) if match[1]), None):
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
    """Return the ids of the records in file order."""
    return [record.cells[competition.columns.id] for record in records]


def check_same_ids(competition: Competition, kind: str, this: Checked, test: Checked) -> None:
    """Raise UserError unless a sample or solution has exactly the ids of the test file."""
    mine = set(ids_of(competition, this.table.records))
    wanted = set(ids_of(competition, test.table.records))
    if mine == wanted:
        return
    lacking, extra = sorted(wanted - mine), sorted(mine - wanted)
    parts = [f"lacks {len(lacking)} ids of the test file ({listed(lacking, 3)})"] if lacking else []
    parts += [f"has {len(extra)} ids too many ({listed(extra, 3)})"] if extra else []
    source = FileOrigin(this.table.label, competition.obtain)
    problem = f"the {kind} does not match {test.table.label}: it {' and '.join(parts)}"
    raise source.error(None, problem, "Take both files from the same release")
