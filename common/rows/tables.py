"""Files of records: bytes to text, CSV and JSON lines to records that know the line they start on."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import files
from common.errors import UserError

_HANGUL = re.compile("[가-힣]")
_SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars"}
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Record:
    """One row as the file has it."""

    line: int
    """The physical line, from 1, on which it starts (lines end at "\\n"; a cell may span several)."""
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A parsed file."""

    label: str
    """How messages name the file."""
    header: tuple[str, ...]
    """The columns of a CSV; () for JSON lines."""
    records: tuple[Record, ...]
    blank_lines: int


class Source:
    """A file's name, and the advice that ends every message about it."""

    def __init__(self, label: str, obtain: str | None) -> None:
        self.label, self.obtain = label, obtain

    def fix(self, what: str) -> str:
        """What to do next: mend it, or get the file again."""
        return f"{what}, or get the file again with: {self.obtain}" if self.obtain else f"{what}."

    def error(self, line: int | None, problem: str, what: str) -> UserError:
        """The error: file, line, problem, then what to do."""
        where = self.label if line is None else f"{self.label}:{line}"
        return UserError(f"{where}: {problem}. {self.fix(what)}")


def read_bytes(path: Path, source: Source) -> bytes:
    """The file's bytes. Raises UserError when it is absent, a folder, unreadable or empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        hint = f" Get it with: {source.obtain}" if source.obtain else " Check the path."
        raise UserError(f"{source.label}: not there.{hint}") from error
    except OSError as error:
        raise source.error(None, f"cannot be read ({error.strerror})", "Give a readable file") from error
    if not data.strip():
        raise source.error(None, f"is empty ({len(data)} bytes)", "Give a whole file")
    return data


def decode(data: bytes, source: Source) -> str:
    """UTF-8 text, a byte order mark removed. Raises UserError that names CP949, UTF-16, broken or NUL bytes."""
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


def _csv_rows(text: str, source: Source) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it starts on; [] for a blank line. Only "\\n" ends a physical line."""
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
                    "Convert the line ends, or quote the cell",
                )
            else:
                problem, what = (
                    'starts a record whose quotes do not match: a cell opens with " and is not closed, '
                    f'or holds a " that is not doubled ({error})',
                    'Close the quote (a " inside a cell is written "")',
                )
            raise source.error(line, problem, what) from error
        yield line, row


def _csv(text: str, source: Source, wanted: Sequence[str], others: bool) -> Table:
    rows = _csv_rows(text, source)
    line, header = next(((line, row) for line, row in rows if row), (1, []))
    if problem := _wrong_header(header, wanted, others):
        what = "Give the columns these names" + ("" if others else ", no others")
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
    """What is wrong with the header of a CSV; None when nothing is."""
    if len(set(header)) != len(header):
        return f"the header names a column twice: {_quoted(header)}"
    parts = []
    if missing := [column for column in wanted if column not in header]:
        parts.append(f"column {_quoted(missing)} is missing")
    extra = [column for column in header if column not in wanted]
    if extra and not others:
        parts.append(f"column {_quoted(extra)} is not wanted")
    if not parts:
        return None
    alone = header[0] if len(header) == 1 else ""
    separator = next((name for sign, name in _SEPARATORS.items() if sign in alone), None)
    hint = f" (it is separated by {separator}; wanted commas)" if separator else ""
    return f"{' and '.join(parts)}; the header has {_quoted(header)}{hint}"


def _wrong_width(row: Sequence[str], header: Sequence[str]) -> tuple[str, str]:
    """The problem and the advice for a record with too many or too few fields."""
    first = next((cell for cell in row if cell), "")[:40]
    problem = f'the record that begins with "{first}" has {len(row)} fields, the header {len(header)}'
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


def _json_lines(text: str, source: Source, wanted: Sequence[str], others: bool) -> Table:
    records, blank = [], 0
    lines = text.split("\n")  # not splitlines: U+2028 may stand inside a string
    for number, line in enumerate(lines, 1):
        if not line.strip():
            blank += number < len(lines)
            continue
        try:
            value = json.loads(line, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise source.error(number, f"is not one JSON object a line ({error})", "Mend the line") from error
        if not isinstance(value, dict):
            raise source.error(
                number, f"is a JSON {type(value).__name__}; wanted one object a line", "Mend the line"
            )
        missing, extra = (
            [key for key in wanted if key not in value],
            [key for key in value if key not in wanted],
        )
        if missing or (extra and not others):
            found = f"lacks key {_quoted(missing)}" if missing else f"has key {_quoted(extra)} too many"
            raise source.error(number, f"{found}; wanted {_quoted(wanted)}", "Mend the line")
        for key, cell in value.items():
            if not isinstance(cell, str):
                problem = f'key "{key}" is {json.dumps(cell)[:40]} ({type(cell).__name__}); wanted a string'
                raise source.error(number, problem, "Mend the line")
            if "\0" in cell or SURROGATE.search(cell):
                problem = f'key "{key}" holds a NUL or half a surrogate pair; wanted text'
                raise source.error(number, problem, "Mend the line")
        records.append(Record(number, value))
    return Table(source.label, (), tuple(records), blank)


def load(path: Path, source: Source, wanted: Sequence[str], others: bool = False) -> tuple[Table, bytes]:
    """The parsed file and its bytes; the suffix .jsonl means JSON lines, else it is a CSV with a header.

    It must have the wanted columns, in any order, and no others unless allowed. Raises UserError naming the line.
    """
    data = read_bytes(path, source)
    read = _json_lines if path.suffix == ".jsonl" else _csv
    return read(decode(data, source), source, wanted, others), data


def source_of(path: Path, obtain: str | None) -> Source:
    """The source of a file in its own place, named as messages print paths."""
    return Source(files.shown(path), obtain)
