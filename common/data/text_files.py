"""Read text files: their bytes, their UTF-8 text, and what to say about a file that is none."""

import codecs
import re
import shlex
from pathlib import Path

from common.core.errors import UserError
from common.core.files import MOST_BYTES, read_regular
from common.data.file_types import is_binary, is_cp949, recognize, wide_encoding

_HANGUL = re.compile("[가-힣]")


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


def read_bytes(path: Path, source: FileOrigin, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the file's bytes.

    Raises UserError when the file is missing, no regular file, unreadable, empty or larger than `most_bytes`.
    """
    try:
        data = read_regular(path, most_bytes)
    except FileNotFoundError as error:
        hint = f" Get it with: {source.obtain}" if source.obtain else " Check the path."
        raise UserError(f"{source.label}: not there.{hint}") from error
    except OSError as error:
        raise source.error(None, f"cannot be read ({error.strerror})", "Use a readable file") from error
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise source.error(None, f"is empty ({len(data)} bytes)", "Use the complete file")
    return data


def decode(data: bytes, source: FileOrigin) -> str:
    """Return UTF-8 text without its byte order mark.

    Raises UserError for everything else; the message says what it is: another kind of file or another encoding.
    """
    if kind := recognize(data):
        raise source.error(
            None, f"is {kind.name}; wanted a CSV or JSON Lines file", kind.advise(source.label)
        )
    if encoding := wide_encoding(data):
        raise source.error(None, f"is {encoding}; wanted UTF-8", _iconv(encoding, source))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise source.error(*_not_utf8(data, error, source)) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise source.error(
            line, "has a NUL byte (\\x00); wanted text", "The file is damaged: remove the byte"
        )
    return text


def _not_utf8(data: bytes, error: UnicodeDecodeError, source: FileOrigin) -> tuple[int | None, str, str]:
    """Return the line, the problem and the advice for bytes that are not UTF-8."""
    # The decoder counts from the byte order mark on.
    start = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
    line = data.count(b"\n", 0, start) + 1
    if is_binary(data):
        return None, "is not a text but binary data; wanted a CSV or JSON Lines file", "Use another file"
    if not _HANGUL.search(data[:start].decode("utf-8")) and is_cp949(data):
        return line, "is in CP949 (EUC-KR, Korean Windows); wanted UTF-8", _iconv("CP949", source)
    if is_cp949(data.split(b"\n")[line - 1]):
        problem = "this line is in CP949 (EUC-KR, Korean Windows), but not the whole file; wanted UTF-8 in every line"
        return line, problem, "Convert the files to UTF-8 before they are joined"
    if error.reason == "unexpected end of data" and len(data) - start < 4:
        return (
            line,
            "the file ends in the middle of a character",
            "It is incomplete: copy or download it again",
        )
    problem = f"byte 0x{data[start]:02x} at offset {start} is not UTF-8, and the file is not CP949 either"
    return line, problem, "It is damaged or in another encoding: restore that line, or save the file as UTF-8"


def _iconv(encoding: str, source: FileOrigin) -> str:
    path = Path(source.label)
    name, new = shlex.quote(path.name), shlex.quote(f"{path.stem}.utf8{path.suffix}")
    return f"Convert it (iconv -f {encoding} -t UTF-8 {name} > {new})"
