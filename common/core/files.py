"""Find the repository's root, write files atomically, read and append JSON and JSON Lines, and hash files."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.core.errors import UserError


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
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be written ({error.strerror}); "
            f"make the folder {shown(path.parent)} writable or free some space."
        ) from error
    temporary = Path(name)
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
    """Append one line of JSON and sync it to disk; a crash can only leave an incomplete last line.

    Raises UserError when the file cannot be written or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as handle:
            handle.write((json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8"))
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be written ({error.strerror}); make it writable or free some space."
        ) from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the complete lines of a JSON Lines file, [] when it is missing; an incomplete last line is skipped.

    Raises UserError when another line is invalid.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")  # a complete file ends in a newline, so the last part is empty
    values = []
    for number, line in enumerate(lines, 1):
        try:
            values.append(json.loads(line))
        except ValueError as error:
            raise UserError(f"{shown(path)}:{number}: not valid JSON ({error}); remove that line.") from error
    return values


def remove_incomplete_line(path: Path) -> None:
    """Remove an incomplete last line, so that the next line starts on its own; a missing file is left alone."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        with path.open("r+b") as handle:
            handle.truncate(whole)
            os.fsync(handle.fileno())


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
