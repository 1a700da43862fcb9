"""Find the repository's root, write files atomically, read and append JSON and JSON Lines, and hash files."""

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.temporary import temporary_file

log = logging.getLogger(__name__)


def root() -> Path:
    """Return the repository's folder, or the environment variable KDS_ROOT (tests set it to a copy)."""
    override = os.environ.get("KDS_ROOT")
    return Path(override).resolve() if override else Path(__file__).resolve().parents[2]


def shown(path: Path) -> str:
    """Return the path for a message: relative to the repository when it is inside."""
    try:
        return str(path.resolve().relative_to(root()))
    except ValueError:
        return str(path)


def existing_parent(path: Path) -> Path:
    """Return the path itself if it exists, else its nearest parent that exists."""
    return path if path.exists() else existing_parent(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make renames inside the folder durable. Raises OSError when that fails."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; without an exception it is synced and renamed to `path`, else removed.

    Raises UserError when the folder cannot be written or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_file(path)
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be written ({error.strerror}); "
            f"make the folder {shown(path.parent)} writable or free some space."
        ) from error
    try:
        yield temporary
        temporary.chmod(0o644)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
        fsync_folder(path.parent)
    except OSError as error:
        raise UserError(f"{shown(path)}: writing failed ({error.strerror}); nothing was changed.") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, without converting newlines. Raises UserError as `atomic_path` does."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with readable Hangul atomically. Raises UserError as `atomic_path` does."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Return the value of a JSON file. Raises UserError when the file is missing or invalid."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{shown(path)}: not there.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{shown(path)}: not valid JSON ({error}); delete it and create it again.") from error


def append_line(path: Path, value: Any) -> None:
    """Append one line of JSON and sync it to disk; a crash can only leave a torn last line.

    A torn last line is removed first, with a warning. A whole one that only lacks its newline is kept.
    Raises UserError when the file cannot be written or the disk is full; the lines before then stay as they are.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        repair_last_line(path)
        rest = memoryview((json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8"))
        with path.open(
            "ab", buffering=0
        ) as handle:  # a buffer would be written once more when the file is closed
            size = handle.tell()
            try:
                while rest:
                    rest = rest[handle.write(rest) :]
                os.fsync(handle.fileno())
            except OSError:
                os.ftruncate(handle.fileno(), size)
                raise
        if size == 0:
            fsync_folder(path.parent)
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be written ({error.strerror}); make it writable or free some space."
        ) from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a JSON Lines file, [] when it is missing; a torn last line is skipped.

    A last line that is whole counts even without its newline. Raises UserError when another line is invalid or the file
    cannot be read.
    """
    if not path.exists():
        return []
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be read ({error.strerror}); wanted a readable file of JSON lines."
        ) from error
    *lines, last = content.split(b"\n")  # the last part is empty when the file ends in a newline
    if _is_whole(last):
        lines.append(last)
    values = []
    for number, line in enumerate(lines, 1):
        try:
            values.append(json.loads(line))
        except ValueError as error:
            raise UserError(f"{shown(path)}:{number}: not valid JSON ({error}); remove that line.") from error
    return values


def repair_last_line(path: Path) -> None:
    """End a JSON Lines file in a newline, so that the next line starts on its own; a missing file is left alone.

    A last line without a newline gets one when it is whole; a torn one is removed, and a warning says so.
    Raises OSError when the file cannot be written.
    """
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("rb") as handle:
        handle.seek(-1, os.SEEK_END)
        if handle.read() == b"\n":
            return
    content = path.read_bytes()
    kept = whole_lines(content, path)
    with path.open("r+b") as handle:
        if len(kept) > len(content):
            handle.seek(len(content))
            handle.write(b"\n")
        else:
            handle.truncate(len(kept))
        handle.flush()
        os.fsync(handle.fileno())


def whole_lines(content: bytes, path: Path) -> bytes:
    """Return the content of a JSON Lines file with a newline at its end, and without a torn last line.

    A warning names the file that lost a line.
    """
    start = content.rfind(b"\n") + 1
    if start == len(content):
        return content
    if _is_whole(content[start:]):
        return content + b"\n"
    log.warning(
        "%s: its last line was torn by a crash (%d bytes without an end); removed it.",
        shown(path),
        len(content) - start,
    )
    return content[:start]


def _is_whole(line: bytes) -> bool:
    """Return whether a last line without a newline is whole: no part of a JSON object is an object itself."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def write_cache(path: Path, value: Any) -> None:
    """Write a JSON file that only saves time; when that fails, a warning says why and the work goes on."""
    try:
        write_json(path, value)
    except UserError as error:
        log.warning("warning: not cached, which only costs time: %s", error)


def sha256_file(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes. Raises OSError when the file cannot be read."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_texts(texts: Iterable[str]) -> str:
    """Return the hex SHA-256 of a sequence of texts; the boundaries between the texts count."""
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
