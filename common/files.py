"""Files that are whole or absent: atomic writes, hashes, JSON lines, the repository's root."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.errors import UserError


def root() -> Path:
    """The repository's folder; the environment variable KDS_ROOT overrides it (tests work on a copy)."""
    override = os.environ.get("KDS_ROOT")
    return Path(override).resolve() if override else Path(__file__).resolve().parent.parent


def shown(path: Path) -> str:
    """The path as a message should print it: relative to the repository when it lies inside."""
    try:
        return str(path.resolve().relative_to(root()))
    except ValueError:
        return str(path)


def fsync_folder(folder: Path) -> None:
    """Make renames inside the folder durable. Raises OSError when the disk refuses."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; on a clean exit it is fsynced and renamed into place, else removed.

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
    """Write UTF-8 text atomically, newlines as given. Raises UserError as `atomic_path` does."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, Hangul readable, atomically. Raises UserError as `atomic_path` does."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """The value of a JSON file. Raises UserError when it is absent or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{shown(path)}: not there.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{shown(path)}: not valid JSON ({error}); delete it and make it again.") from error


def append_line(path: Path, value: Any) -> None:
    """Append one JSON line and fsync it: after a crash a line is whole or is the torn last one.

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
    """The whole JSON lines of a file, [] when it is absent; a torn last line (a crash) is left out.

    Raises UserError when a line before the last is broken.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")  # a whole file ends in a newline, so its tail is empty
    values = []
    for number, line in enumerate(lines, 1):
        try:
            values.append(json.loads(line))
        except ValueError as error:
            raise UserError(f"{shown(path)}:{number}: not valid JSON ({error}); remove that line.") from error
    return values


def mend_tail(path: Path) -> None:
    """Cut a torn last line off, so that appending goes on at a line's start. Does nothing to an absent file."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        with path.open("r+b") as handle:
            handle.truncate(whole)
            os.fsync(handle.fileno())


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes. Raises OSError when it cannot be read."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_texts(texts: Iterable[str]) -> str:
    """Hex sha256 of a sequence of texts; the boundaries between them count."""
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
