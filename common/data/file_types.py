"""Recognize files that are no UTF-8 text: archives, pictures, spreadsheets, web pages and other encodings."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

_HANGUL = re.compile("[가-힣]")
_USUAL_SYLLABLE = re.compile(rb"[\xb0-\xc8][\xa1-\xfe]")  # rows 16 to 40 of KS X 1001, as in EUC-KR
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_UNPACK = "Unpack it ({}) and use the CSV inside"


@dataclass(frozen=True)
class FileType:
    """What a file is, by its first bytes."""

    name: str
    """With its article: "a PNG picture"."""
    advice: str
    """How to get a CSV; {name} and {stem} stand for the file's name with and without its last suffix, {python} for a
    Python expression of it."""

    def advise(self, path: str) -> str:
        """Return the advice for the file of this path; its command can be pasted into a shell."""
        name = Path(path).name
        return self.advice.format(
            name=shlex.quote(name), stem=shlex.quote(Path(name).stem), python=repr(name)
        )


_DOWNLOAD = "Sign in to the site, download the data file itself and use that"
_EXPORT = "Open it and save each sheet as a CSV in UTF-8"
_WRONG = "Name the CSV instead"
ZIP = FileType("a zip archive", _UNPACK.format("unzip {name} -d {stem}"))
_EXCEL = FileType("an Excel workbook", _EXPORT)
# Offset, bytes, type. Sources: the formats' specifications and the magic database of file(1).
_MAGIC: tuple[tuple[int, bytes, FileType], ...] = (
    (0, b"PK\x03\x04", ZIP),
    (0, b"PK\x05\x06", ZIP),
    (0, b"\x1f\x8b", FileType("a gzip archive", _UNPACK.format("gunzip -k {name}, or for a tar: tar -xf {name}"))),
    (0, b"BZh", FileType("a bzip2 archive", _UNPACK.format("bunzip2 -k {name}, or for a tar: tar -xf {name}"))),
    (0, b"\xfd7zXZ\x00", FileType("an xz archive", _UNPACK.format("unxz -k {name}, or for a tar: tar -xf {name}"))),
    (0, b"\x28\xb5\x2f\xfd", FileType("a zstd archive", _UNPACK.format("unzstd {name}, or for a tar: tar -xf {name}"))),
    (0, b"7z\xbc\xaf\x27\x1c", FileType("a 7z archive", _UNPACK.format("7z x {name}"))),
    (0, b"Rar!\x1a\x07", FileType("a RAR archive", _UNPACK.format("unrar x {name}"))),
    (257, b"ustar", FileType("a tar archive", _UNPACK.format("tar -xf {name}"))),
    (0, b"\x89PNG\r\n", FileType("a PNG picture", _WRONG)),
    (0, b"\xff\xd8\xff", FileType("a JPEG picture", _WRONG)),
    (0, b"GIF8", FileType("a GIF picture", _WRONG)),
    (8, b"WEBP", FileType("a WebP picture", _WRONG)),
    (0, b"%PDF-", FileType("a PDF document", _WRONG)),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileType("an old Office or HWP document, such as .xls", _EXPORT)),
    (0, b"PAR1", FileType("a Parquet file", "Convert it (python -c \"import pandas; pandas.read_parquet({python}).to_csv('data.csv', index=False)\")")),
    (0, b"ARROW1", FileType("an Arrow file", "Convert it to a CSV")),
    (0, b"\x89HDF\r\n", FileType("an HDF5 file", "Convert it to a CSV")),
    (0, b"SQLite format 3\x00", FileType("an SQLite database", "Export its table as a CSV")),
    (0, b"\x7fELF", FileType("a program", _WRONG)),
    (0, b"version https://git-lfs.github.com/spec/", FileType("a pointer of Git LFS, not the file itself", "Get the file (git lfs pull)")),
)  # fmt: skip
_TEXT = (
    (re.compile(rb"\s*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE), FileType("a web page (HTML), perhaps a login page", _DOWNLOAD)),
    (re.compile(rb"\s*<\?xml\b", re.IGNORECASE), FileType("an XML file, perhaps a server's error message", _DOWNLOAD)),
)  # fmt: skip
_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
# Which bytes of an ASCII header are 0 when there is no byte order mark.
_ZEROS = (
    ((0, 1, 1, 1), "UTF-32LE"),
    ((1, 1, 1, 0), "UTF-32BE"),
    ((0, 1, 0, 1), "UTF-16LE"),
    ((1, 0, 1, 0), "UTF-16BE"),
)
ARCHIVES = (".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".zip")


def recognize(data: bytes) -> FileType | None:
    """Return what a file is by its first 4,096 bytes; None for text, CSV or not, and for anything unknown."""
    for offset, magic, kind in _MAGIC:
        if data.startswith(magic, offset):
            return _EXCEL if kind is ZIP and b"[Content_Types].xml" in data[:4096] else kind
    text = data.removeprefix(b"\xef\xbb\xbf")[:512]
    return next((kind for pattern, kind in _TEXT if pattern.match(text)), None)


def wide_encoding(data: bytes) -> str | None:
    """Return the name of a text's encoding when it is UTF-16 or UTF-32, marked or not, or ISO-2022-KR; None for others."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    if b"\x1b$)C" in data[:4096]:
        return "ISO-2022-KR"
    head = data[:16]
    if len(head) < 8 or 0 not in head:
        return None
    for pattern, name in _ZEROS:
        if all((byte == 0) == bool(pattern[i % 4]) for i, byte in enumerate(head)):
            return name
    return next((name for name in ("UTF-16LE", "UTF-16BE") if _HANGUL.search(_text(data, name) or "")), None)


def is_cp949(data: bytes) -> bool:
    """Return whether the bytes are Korean text in CP949, which contains EUC-KR.

    Pictures and texts in other encodings can often be decoded as CP949 too, but rarely into the 2,350 usual syllables.
    """
    text = _text(data, "cp949")
    foreign = sum(not sign.isascii() for sign in text or "")
    return len(_USUAL_SYLLABLE.findall(data)) > 0.7 * foreign > 0


def _text(data: bytes, encoding: str) -> str | None:
    """Return the decoded bytes; None when that is impossible or gives control characters, which no text has."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if any(sign < " " and sign not in "\t\n\r\f" for sign in text) else text


def is_binary(data: bytes) -> bool:
    """Return whether over 1 % of the first 4,096 bytes are control characters that no text has."""
    head = data[:4096]
    return len(_BINARY.findall(head)) * 100 > len(head)
