"""Decode CSV and JSON Lines files into records; each record knows the line on which it starts."""

import csv
import io
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.core.errors import first_line
from common.core.files import MOST_BYTES, parse_json, shown
from common.core.messages import cut, listed, quoted
from common.data.text_files import FileOrigin, decode, read_bytes

_FIRST = 4096
"""Maximum number of characters of the first line that are looked at to tell the format."""
_SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars"}
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Record:
    """One row of a file."""

    line: int
    """Number of the line on which the record starts, from 1; a line ends at "\\n", and a cell may span several lines."""
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A parsed file."""

    label: str
    """Name of the file in messages."""
    header: tuple[str, ...]
    """The columns of a CSV; () for JSON Lines."""
    records: tuple[Record, ...]
    blank_lines: int


def _csv_rows(text: str, source: FileOrigin) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the number of its first line; a blank line gives []. Only "\\n" ends a line."""
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem, what = _csv_fault(str(error))
            raise source.error(line, problem, what) from error
        yield line, row


def _csv_fault(error: str) -> tuple[str, str]:
    """Return the problem and the advice for an error of the csv module."""
    if "new-line character" in error:
        return (
            "has a carriage return (\\r) outside quotes; wanted lines that end in \\n or \\r\\n",
            "Convert the line endings, or quote the cell",
        )
    if "field limit" in error:
        return (
            f"starts a record with a cell of over {csv.field_size_limit():,} characters, which is too long",
            'If the cell should end earlier, close its quote (write a " inside a cell as ""); otherwise shorten it',
        )
    return (
        "starts a record with unbalanced quotes: a quoted cell is not closed, "
        f'or contains a " that is not doubled ({error})',
        'Close the quote (write a " inside a cell as "")',
    )


def _require_csv(text: str, source: FileOrigin, wanted: Sequence[str]) -> None:
    """Raise UserError when a file that is read as a CSV is JSON, or has another separator than the comma."""
    first = text.lstrip()[:_FIRST].split("\n", 1)[0]
    if first.startswith("{"):
        name = shlex.quote(f"{Path(source.label).stem}.jsonl")
        raise source.error(1, "is JSON Lines; wanted a CSV", f"Rename it to {name} if it may have that name")
    _require_no_array(text, source)
    by_commas = _found(first, ",", wanted)
    for sign, name in _SEPARATORS.items():
        if _found(first, sign, wanted) > by_commas:
            raise source.error(
                1, f"the columns are separated by {name}; wanted commas", _convert(source, sign)
            )


def _convert(source: FileOrigin, separator: str) -> str:
    path = Path(source.label)
    read = f"pandas.read_csv({path.name!r}, sep={separator!r}, dtype=str, keep_default_na=False)"
    return (
        f'Convert it (python -c "import pandas; {read}.to_csv({f"{path.stem}.commas.csv"!r}, index=False)")'
    )


def _found(line: str, separator: str, wanted: Sequence[str]) -> int:
    """Return how many of the wanted columns a header has when it is split at this separator."""
    return len(set(next(csv.reader([line.split("\r")[0]], delimiter=separator), [])) & set(wanted))


def _require_no_array(text: str, source: FileOrigin) -> None:
    if re.match(r"\s*\[\s*[{\[\]]", text):
        path = Path(source.label)
        name, new = (
            shlex.quote(path.name),
            shlex.quote(path.stem + (".lines.jsonl" if path.suffix == ".jsonl" else ".jsonl")),
        )
        problem = "is one JSON array; wanted one object on each line"
        raise source.error(1, problem, f"Convert it (jq -c '.[]' {name} > {new})")


def _csv(text: str, source: FileOrigin, wanted: Sequence[str], others: bool) -> Table:
    _require_csv(text, source, wanted)
    rows = _csv_rows(text, source)
    line, header = next(((line, row) for line, row in rows if row), (1, []))
    if problem := _wrong_header(header, wanted, others):
        what = "Name the columns so" + ("" if others else " and remove all others")
        raise source.error(line, f"{problem}; wanted {listed(wanted)}", what)
    records, blank = [], 0
    for line, row in rows:
        if not row:
            blank += 1
        elif len(row) != len(header):
            raise source.error(line, *_wrong_width(row, header))
        else:
            records.append(Record(line, dict(zip(header, row, strict=True))))
    return Table(source.label, tuple(header), tuple(records), blank)


def _wrong_header(header: Sequence[str], wanted: Sequence[str], others: bool) -> str | None:
    """Return the fault of a CSV header as a message; None when it is correct."""
    if len(set(header)) != len(header):
        return f"the header has a duplicate column: {listed(header)}"
    parts = []
    if missing := [column for column in wanted if column not in header]:
        parts.append(f"column {listed(missing)} is missing")
    extra = [column for column in header if column not in wanted]
    if extra and not others:
        parts.append(f"column {listed(extra)} is not allowed")
    if not parts:
        return None
    alone = header[0] if len(header) == 1 else ""
    separator = next((name for sign, name in _SEPARATORS.items() if sign in alone), None)
    hint = f" (separated by {separator}; wanted commas)" if separator else ""
    return f"{'; '.join(parts)}; the header has {listed(header)}{hint}"


def _wrong_width(row: Sequence[str], header: Sequence[str]) -> tuple[str, str]:
    """Return the problem and the advice for a record with too many or too few fields."""
    first = quoted(next((cell for cell in row if cell), ""), 40)
    problem = f"the record that starts with {first} has {len(row)} fields, but the header has {len(header)}"
    if len(row) > len(header):
        return f"{problem}: a cell with a comma is not quoted", 'Put the cell in quotes ("…")'
    return (
        f"{problem}: a cell is missing, or a cell with a line break is not quoted",
        'Put the cell in quotes ("…")',
    )


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice")
    return value


def json_objects(
    text: str, source: FileOrigin, wanted: Sequence[str]
) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield each object of a JSON Lines text with the number of its line; blank lines are skipped.

    `wanted`: keys by which a CSV under this name is recognized. Raises UserError for a line that is no JSON object, a key
    that occurs twice, and a file that is a CSV or one JSON array.
    """
    _require_no_array(text, source)
    if _found(text[:_FIRST].split("\n", 1)[0], ",", wanted):
        name = shlex.quote(f"{Path(source.label).stem}.csv")
        raise source.error(1, "is a CSV; wanted JSON Lines", f"Rename it to {name} if it may have that name")
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: U+2028 may stand inside a string
        if not line.strip():
            continue
        try:
            value = parse_json(line, _unique)
        except ValueError as error:
            problem = f"is not a JSON object on one line ({first_line(error)})"
            raise source.error(number, problem, "Fix the line") from error
        if not isinstance(value, dict):
            raise source.error(
                number,
                f"is a JSON {type(value).__name__}; wanted one JSON object on each line",
                "Fix the line",
            )
        yield number, value


def _json_lines(text: str, source: FileOrigin, wanted: Sequence[str], others: bool) -> Table:
    records = []
    for number, value in json_objects(text, source, wanted):
        missing, extra = (
            [key for key in wanted if key not in value],
            [key for key in value if key not in wanted],
        )
        if missing or (extra and not others):
            found = f"key {listed(missing)} is missing" if missing else f"key {listed(extra)} is not allowed"
            raise source.error(number, f"{found}; wanted {listed(wanted)}", "Fix the line")
        # Other keys may have values of any type.
        records.append(Record(number, {key: text_cell(value[key], key, number, source) for key in wanted}))
    blank = sum(not line.strip() for line in text.split("\n")[:-1])
    return Table(source.label, (), tuple(records), blank)


def text_cell(cell: object, key: str, line: int, source: FileOrigin) -> str:
    """Return the value of a JSON key that must be text. Raises UserError for another type, a NUL and a lone surrogate."""
    if not isinstance(cell, str):
        problem = f"key {quoted(key)} is {cut(json.dumps(cell), 40)} ({type(cell).__name__}); wanted a string"
        raise source.error(line, problem, "Fix the line")
    if "\0" in cell or SURROGATE.search(cell):
        problem = f"key {quoted(key)} contains a NUL or a lone surrogate; wanted text"
        raise source.error(line, problem, "Fix the line")
    return cell


def load(
    path: Path, source: FileOrigin, wanted: Sequence[str], others: bool = False, most_bytes: int = MOST_BYTES
) -> tuple[Table, bytes]:
    """Return the parsed file and its bytes; a .jsonl file is read as JSON Lines, any other as a CSV with a header.

    The file must have the `wanted` columns in any order; additional columns are allowed only with `others`.
    Raises UserError that names the file and, where possible, the line.
    """
    data = read_bytes(path, source, most_bytes)
    read = _json_lines if path.suffix == ".jsonl" else _csv
    return read(decode(data, source), source, wanted, others), data


def source_of(path: Path, obtain: str | None) -> FileOrigin:
    """Return the source of a file under the path that messages print for it."""
    return FileOrigin(shown(path), obtain)
