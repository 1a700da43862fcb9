"""Decode CSV and JSON Lines files into records; each record knows the line on which it starts."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.core.errors import UserError
from common.core.files import shown

_HANGUL = re.compile("[가-힣]")
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


class FileOrigin:
    """A file's name in messages, and the command that gets the file again."""

    def __init__(self, label: str, obtain: str | None) -> None:
        self.label, self.obtain = label, obtain

    def fix(self, what: str) -> str:
        """Return the advice at the end of a message: `what`, or get the file again if a command for that is known."""
        return f"{what}, or get the file again with: {self.obtain}" if self.obtain else f"{what}."

    def error(self, line: int | None, problem: str, what: str) -> UserError:
        """Return a UserError that gives the file, the line, the problem and the advice."""
        where = self.label if line is None else f"{self.label}:{line}"
        return UserError(f"{where}: {problem}. {self.fix(what)}")


def read_bytes(path: Path, source: FileOrigin) -> bytes:
    """Return the file's bytes. Raises UserError when the file is missing, a folder, unreadable or empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        hint = f" Get it with: {source.obtain}" if source.obtain else " Check the path."
        raise UserError(f"{source.label}: not there.{hint}") from error
    except OSError as error:
        raise source.error(None, f"cannot be read ({error.strerror})", "Make the file readable") from error
    if not data.strip():
        raise source.error(None, f"is empty ({len(data)} bytes)", "Use the complete file")
    return data


def decode(data: bytes, source: FileOrigin) -> str:
    """Return UTF-8 text without its byte order mark.

    Raises UserError for CP949, UTF-16, other invalid bytes and NUL bytes; the message says which.
    """
    name = Path(source.label).name
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise source.error(None, "is UTF-16; wanted UTF-8", _iconv("UTF-16", name))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        before = data[: error.start].decode("utf-8-sig")
        if not _HANGUL.search(before) and _is_cp949(data):
            raise source.error(
                line, "is in CP949 (EUC-KR, Korean Windows); wanted UTF-8", _iconv("CP949", name)
            ) from error
        raise source.error(
            line,
            f"byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8, and the file is not CP949 either",
            "The file is damaged: restore that line",
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise source.error(
            line, "has a NUL byte (\\x00); wanted text", "The file is damaged: remove the byte"
        )
    return text


def _iconv(encoding: str, name: str) -> str:
    stem = Path(name).stem
    return f"Convert it (iconv -f {encoding} -t UTF-8 {name} > {stem}.utf8{Path(name).suffix})"


def _is_cp949(data: bytes) -> bool:
    try:
        return bool(_HANGUL.search(data.decode("cp949")))
    except UnicodeDecodeError:
        return False


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


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
            if "new-line character" in str(error):
                problem, what = (
                    "has a carriage return (\\r) outside quotes; wanted lines that end in \\n or \\r\\n",
                    "Convert the line endings, or quote the cell",
                )
            else:
                problem, what = (
                    "starts a record with unbalanced quotes: a quoted cell is not closed, "
                    f'or contains a " that is not doubled ({error})',
                    'Close the quote (write a " inside a cell as "")',
                )
            raise source.error(line, problem, what) from error
        yield line, row


def _csv(text: str, source: FileOrigin, wanted: Sequence[str], others: bool) -> Table:
    rows = _csv_rows(text, source)
    line, header = next(((line, row) for line, row in rows if row), (1, []))
    if problem := _wrong_header(header, wanted, others):
        what = "Name the columns so" + ("" if others else " and remove all others")
        raise source.error(line, f"{problem}; wanted {_quoted(wanted)}", what)
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
        return f"the header has a duplicate column: {_quoted(header)}"
    parts = []
    if missing := [column for column in wanted if column not in header]:
        parts.append(f"column {_quoted(missing)} is missing")
    extra = [column for column in header if column not in wanted]
    if extra and not others:
        parts.append(f"column {_quoted(extra)} is not allowed")
    if not parts:
        return None
    alone = header[0] if len(header) == 1 else ""
    separator = next((name for sign, name in _SEPARATORS.items() if sign in alone), None)
    hint = f" (separated by {separator}; wanted commas)" if separator else ""
    return f"{' and '.join(parts)}; the header has {_quoted(header)}{hint}"


def _wrong_width(row: Sequence[str], header: Sequence[str]) -> tuple[str, str]:
    """Return the problem and the advice for a record with too many or too few fields."""
    first = next((cell for cell in row if cell), "")[:40]
    problem = f'the record that starts with "{first}" has {len(row)} fields, but the header has {len(header)}'
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


def _json_lines(text: str, source: FileOrigin, wanted: Sequence[str], others: bool) -> Table:
    records, blank = [], 0
    lines = text.split("\n")  # not splitlines: U+2028 may stand inside a string
    for number, line in enumerate(lines, 1):
        if not line.strip():
            blank += number < len(lines)
            continue
        try:
            value = json.loads(line, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise source.error(
                number, f"is not a JSON object on one line ({error})", "Fix the line"
            ) from error
        if not isinstance(value, dict):
            raise source.error(
                number,
                f"is a JSON {type(value).__name__}; wanted one JSON object on each line",
                "Fix the line",
            )
        missing, extra = (
            [key for key in wanted if key not in value],
            [key for key in value if key not in wanted],
        )
        if missing or (extra and not others):
            found = (
                f"key {_quoted(missing)} is missing" if missing else f"key {_quoted(extra)} is not allowed"
            )
            raise source.error(number, f"{found}; wanted {_quoted(wanted)}", "Fix the line")
        value = {key: value[key] for key in wanted}  # other keys may have values of any type
        for key, cell in value.items():
            if not isinstance(cell, str):
                problem = f'key "{key}" is {json.dumps(cell)[:40]} ({type(cell).__name__}); wanted a string'
                raise source.error(number, problem, "Fix the line")
            if "\0" in cell or SURROGATE.search(cell):
                problem = f'key "{key}" contains a NUL or a lone surrogate; wanted text'
                raise source.error(number, problem, "Fix the line")
        records.append(Record(number, value))
    return Table(source.label, (), tuple(records), blank)


def load(path: Path, source: FileOrigin, wanted: Sequence[str], others: bool = False) -> tuple[Table, bytes]:
    """Return the parsed file and its bytes; a .jsonl file is read as JSON Lines, any other as a CSV with a header.

    The file must have the `wanted` columns in any order; additional columns are allowed only with `others`.
    Raises UserError that names the file and, where possible, the line.
    """
    data = read_bytes(path, source)
    read = _json_lines if path.suffix == ".jsonl" else _csv
    return read(decode(data, source), source, wanted, others), data


def source_of(path: Path, obtain: str | None) -> FileOrigin:
    """Return the source of a file under the path that messages print for it."""
    return FileOrigin(shown(path), obtain)
