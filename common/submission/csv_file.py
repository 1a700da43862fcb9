"""Write the text of a submission file, and check such a file before it is put in place."""

import csv
import io
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from common.core.errors import UserError
from common.core.files import shown
from common.core.messages import brief
from common.data.competition import Competition
from common.data.rows import sample_ids


def text(competition: Competition, texts: Mapping[str, str]) -> str:
    """Return the content of the submission file: the declared columns, the sample's order, every cell quoted, in NFC."""
    spec = competition.submission
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(spec.columns)
    for number, name in enumerate(sample_ids(competition)):
        cells = {spec.id: name, spec.summary: unicodedata.normalize("NFC", texts[name])}
        writer.writerow([str(number) if column == spec.index else cells[column] for column in spec.columns])
    return buffer.getvalue()


def validate(competition: Competition, path: Path, name: Path | None = None) -> None:
    """Raise UserError for the first error in a submission file; messages call the file `name` if that is given.

    The file must be valid UTF-8 and have one of the valid headers (`SubmissionSpec.headers`), the sample's ids in the
    same order and, if the header has an index, numbers from 0. Every text must be one non-empty line in NFC, within the maximum length.
    """
    spec, where = competition.submission, shown(name or path)
    try:
        content = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: not valid UTF-8 at byte {error.start}.") from error
    if content.startswith("\ufeff"):
        raise UserError(f"{where}: starts with a byte order mark; save it as UTF-8 without one.")
    try:
        header, *records = list(csv.reader(io.StringIO(content, newline=""), strict=True)) or [[]]
    except csv.Error as error:
        raise UserError(f"{where}: not a valid CSV ({error}).") from error
    if tuple(header) not in spec.headers:
        wanted_headers = " or ".join(str(list(columns)) for columns in spec.headers)
        raise UserError(f"{where}: columns are {_short(header)}, wanted {wanted_headers}.")
    index = spec.index_in(header)
    wanted = sample_ids(competition)
    if len(records) != len(wanted):
        raise UserError(f"{where}: {len(records)} rows, wanted {len(wanted)}.")
    for number, (record, key) in enumerate(zip(records, wanted, strict=True)):
        if len(record) != len(header):
            raise UserError(f"{where}: row {number} has {len(record)} cells, wanted {len(header)}.")
        cells = dict(zip(header, record, strict=True))
        if cells[spec.id] != key:
            raise UserError(
                f"{where}: row {number} has id {brief(cells[spec.id])}, wanted {brief(key)} as in the sample."
            )
        if index is not None and cells[index] != str(number):
            raise UserError(f"{where}: row {number} has index {cells[index]!r}, wanted {number}.")
        if fault := _fault(cells[spec.summary], spec.max_characters):
            raise UserError(f"{where}: the summary of {brief(key)} {fault}; fix the member that wrote it.")


def _short(header: list[str]) -> str:
    shown_columns = [column[:40] for column in header[:6]]
    return f"{shown_columns} and {len(header) - 6} more" if len(header) > 6 else str(shown_columns)


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
