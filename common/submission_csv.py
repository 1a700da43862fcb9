"""The submission file: its exact columns and order, and the checks it must pass before it is put in place."""

import csv
import io
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from common import files, rows
from common.competition import Competition
from common.errors import UserError


def text(competition: Competition, texts: Mapping[str, str]) -> str:
    """The submission file's content in the declared columns and the sample's order, every cell quoted."""
    spec = competition.submission
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(spec.columns)
    for number, name in enumerate(rows.sample_ids(competition)):
        cells = {spec.id: name, spec.summary: texts[name]}
        writer.writerow([str(number) if column == spec.index else cells[column] for column in spec.columns])
    return buffer.getvalue()


def validate(competition: Competition, path: Path, name: Path | None = None) -> None:
    """Read a submission file back and hold it against the rules: UserError names the first row that breaks one.

    Columns as declared; ids and order equal the sample's; index from 0; every text filled, one line, NFC,
    within the length bound, valid UTF-8. `name` is what messages call the file.
    """
    spec, where = competition.submission, files.shown(name or path)
    try:
        content = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: not valid UTF-8 at byte {error.start}.") from error
    try:
        header, *records = list(csv.reader(io.StringIO(content, newline=""), strict=True)) or [[]]
    except csv.Error as error:
        raise UserError(f"{where}: not a valid CSV ({error}).") from error
    if tuple(header) != spec.columns:
        raise UserError(f"{where}: columns are {header}, wanted {list(spec.columns)}.")
    wanted = rows.sample_ids(competition)
    if len(records) != len(wanted):
        raise UserError(f"{where}: {len(records)} rows, wanted {len(wanted)}.")
    for number, (record, key) in enumerate(zip(records, wanted, strict=True)):
        if len(record) != len(header):
            raise UserError(f"{where}: row {number} has {len(record)} cells, wanted {len(header)}.")
        cells = dict(zip(header, record, strict=True))
        if cells[spec.id] != key:
            raise UserError(f"{where}: row {number} is {cells[spec.id]!r}, the sample has {key!r} there.")
        if spec.index is not None and cells[spec.index] != str(number):
            raise UserError(f"{where}: index {cells[spec.index]!r} in row {number}, wanted {number}.")
        if fault := _fault(cells[spec.summary], spec.max_characters):
            raise UserError(f"{where}: the summary of {key!r} {fault}; mend the member that wrote it.")


def _fault(text: str, limit: int) -> str | None:
    if not text.strip():
        return "is empty"
    if text.splitlines() != [text]:
        return "has more than one line, or ends in a line break"
    if unicodedata.normalize("NFC", text) != text:
        return "is not in Unicode NFC"
    if len(text) > limit:
        return f"has {len(text)} characters, at most {limit} are allowed"
    return None
