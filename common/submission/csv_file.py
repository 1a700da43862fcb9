"""Write the text of a submission file, and check such a file before it is put in place."""

import codecs
import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from common.core.errors import UserError
from common.core.files import shown
from common.core.messages import brief
from common.data.competition import Competition
from common.data.rows import sample_ids
from common.data.text_files import FileOrigin, decode, read_bytes
from common.submission.other_ids import require_ids

MOST_BYTES = 64_000_000
"""Maximum size of a submission file."""


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
    _, faults = read(competition, path, name)
    if faults:
        raise UserError(faults[0])


def read(competition: Competition, path: Path, name: Path | None = None) -> tuple[dict[str, str], list[str]]:
    """Return the summaries of a submission file by id, in the sample's order, and its faults that a site may accept.

    Such faults are a byte order mark, another order of rows, other numbers in the index, and texts that are empty, too long,
    of several lines or not in NFC. Raises UserError for a file that is no submission: it cannot be read, has other columns,
    or not exactly the sample's ids.
    """
    spec, where = competition.submission, shown(name or path)
    source = FileOrigin(where, None)
    content = decode(data := read_bytes(path, source, MOST_BYTES), source)
    faults = []
    if data.startswith(codecs.BOM_UTF8):
        faults.append(f"{where}: starts with a byte order mark; save it as UTF-8 without one.")
    try:
        header, *records = list(csv.reader(io.StringIO(content, newline=""), strict=True)) or [[]]
    except csv.Error as error:
        raise UserError(f"{where}: not a valid CSV ({error}).") from error
    if tuple(header) not in spec.headers:
        wanted_headers = " or ".join(str(list(columns)) for columns in spec.headers)
        raise UserError(f"{where}: columns are {_short(header)}, wanted {wanted_headers}.")
    index = spec.index_in(header)
    wanted = sample_ids(competition)
    rows = []
    for number, record in enumerate(records):
        if len(record) != len(header):
            raise UserError(f"{where}: row {number} has {len(record)} cells, wanted {len(header)}.")
        rows.append(dict(zip(header, record, strict=True)))
    ids = [cells[spec.id] for cells in rows]
    if set(ids) != set(wanted):
        require_ids(ids, competition, "test", f"{where}: {len(ids)} rows, wanted {len(wanted)}")
    if len(ids) != len(wanted):
        again = next(key for key, count in Counter(ids).items() if count > 1)
        raise UserError(
            f"{where}: {len(ids)} rows, wanted {len(wanted)}: {brief(again)} occurs twice. Remove one of its rows."
        )
    for number, (cells, key) in enumerate(zip(rows, wanted, strict=True)):
        if cells[spec.id] != key:
            faults.append(
                f"{where}: row {number} has id {brief(cells[spec.id])}, wanted {brief(key)} as in the sample."
            )
        if index is not None and cells[index] != str(number):
            faults.append(f"{where}: row {number} has index {cells[index]!r}, wanted {number}.")
        if fault := text_fault(cells[spec.summary], spec.max_characters):
            faults.append(
                f"{where}: the summary of {brief(cells[spec.id])} {fault}; fix the member that wrote it."
            )
    texts = {cells[spec.id]: cells[spec.summary] for cells in rows}
    return {key: texts[key] for key in wanted}, faults


def _short(header: list[str]) -> str:
    shown_columns = [column[:40] for column in header[:6]]
    return f"{shown_columns} and {len(header) - 6} more" if len(header) > 6 else str(shown_columns)


def text_fault(text: str, limit: int) -> str | None:
    """Return why no submission may contain a text, as the end of a sentence; None for a valid text."""
    if not text.strip():
        return "is empty"
    if text.splitlines() != [text]:
        return "has more than one line, or ends in a line break"
    if unicodedata.normalize("NFC", text) != text:
        return "is not in Unicode NFC"
    if len(text) > limit:
        return f"has {len(text)} characters, at most {limit} are allowed"
    return None
