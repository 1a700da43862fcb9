"""Find the repository's root, write files atomically, read regular files and JSON, and hash files."""

import errno
import hashlib
import io
import json
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from common.core.errors import UserError, first_line
from common.core.merge_conflict import require_merged
from common.core.messages import brief, cut
from common.core.temporary import temporary_file

T = TypeVar("T")
log = logging.getLogger(__name__)

MOST_BYTES = 1 << 30
"""Maximum size of a file that is read whole, unless the caller wants less: 1 GiB."""
_THREADS = 8
_PART = 1 << 20
_MOST_LEVELS = 100
_MOST_DIGITS = 300
_KINDS = (
    (stat.S_ISREG, "file"),
    (stat.S_ISDIR, "folder"),
    (stat.S_ISFIFO, "named pipe"),
    (stat.S_ISSOCK, "socket"),
)


def root() -> Path:
    """Return the repository's folder, or the environment variable KDS_ROOT (tests set it to a copy)."""
    override = os.environ.get("KDS_ROOT")
    return Path(override).resolve() if override else Path(__file__).resolve().parents[2]


def shown(path: Path) -> str:
    """Return the path for a message: relative to the repository when it is inside, and printable."""
    try:
        whole = path.resolve() if path.exists() else path.parent.resolve() / path.name  # a link to nothing
        text = str(whole.relative_to(root()))
    except (ValueError, OSError, RuntimeError):  # outside; a name that no file can have; a loop of links
        text = str(path)
    return cut(text, 4096)


def kind_of(path: Path) -> str:
    """Return what is at the path: "file", "folder", "named pipe", "socket", "device", or "" when there is nothing.

    Links are followed. Raises OSError when the path cannot be looked at: its name is too long, has a NUL byte or is a
    loop of links, or a folder of it may not be searched.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except ValueError as error:
        raise OSError(errno.EINVAL, "the name has a NUL byte or another invalid character") from error
    return next((kind for test, kind in _KINDS if test(mode)), "device")


def open_regular(path: Path) -> io.BufferedReader:
    """Return a regular file, opened for reading; a named pipe would wait for ever and a device has no end.

    Raises FileNotFoundError when nothing is there, and another OSError when it cannot be opened, is a link to
    nothing or no regular file.
    """
    kind = kind_of(path)
    if not kind and path.is_symlink():
        raise OSError(errno.ENOLINK, f"it is a link to {path.readlink()}, which is not there")
    if kind not in ("", "file"):
        raise OSError(errno.EISDIR if kind == "folder" else errno.EINVAL, f"it is a {kind}, wanted a file")
    # Without waiting: the file may have become a named pipe since.
    return open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: PTH123


def read_regular(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the content of a regular file. Raises OSError as `open_regular` does, or when the file is larger."""
    with open_regular(path) as handle:
        size = os.fstat(handle.fileno()).st_size
        if size > most_bytes:
            raise OSError(errno.EFBIG, f"it has {size:,} bytes, wanted at most {most_bytes:,}")
        return handle.read(most_bytes)


def user_path(text: str) -> Path:
    """Return the path that a user wrote, with "~" as the home folder; a shell does not expand it in from=~/folder.

    Raises UserError for an empty text, which would be the current folder, and for the home folder of an unknown user.
    """
    if not text.strip():
        raise UserError("a path is empty; write the path of a file or folder.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{brief(text)}: there is no such user; write the whole path.") from error


def require_new_file(path: Path, name: str) -> None:
    """Raise UserError when no file can be written at a path that a user gave for a result.

    A command asks this before its work. `name`: the setting that gave the path.
    """
    try:
        kind, around = kind_of(path), kind_of(path.parent)
        if kind in ("", "file") and around == "folder":
            temporary_file(path).unlink()  # permissions do not tell of a disk that is full or read-only
    except OSError as error:
        raise UserError(
            f"{name}: {shown(path)} cannot be written ({error.strerror}); write to another file."
        ) from error
    if kind not in ("", "file"):
        raise UserError(f"{name}: {shown(path)} is a {kind}; wanted the path of a file to write.")
    if around != "folder":
        raise UserError(f"{name}: {shown(path.parent)} is no folder; make it, or write to another one.")


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


def parse_json(text: str | bytes, hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Return the value of a JSON text; `hook` makes the objects from their pairs, as in `json.loads`.

    Bytes are UTF-8. Raises ValueError for other encodings, invalid JSON, nesting over 100 levels and integers over 300 digits, which no float can hold.
    """
    if isinstance(text, bytes):  # json.loads would also take UTF-16 and UTF-32
        text = text.decode("utf-8-sig")
    try:
        value = json.loads(text, object_pairs_hook=hook, parse_int=_integer)
    except RecursionError as error:
        raise ValueError(f"nested over {_MOST_LEVELS} levels") from error
    if text.count("[") + text.count("{") > _MOST_LEVELS:
        require_shallow(value)
    return value


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"an integer of {len(digits):,} digits")
    return int(digits)


def require_shallow(value: object, most_levels: int = _MOST_LEVELS) -> None:
    """Raise ValueError when lists and tables are nested over `most_levels` levels."""
    level = [value]
    for _ in range(most_levels + 1):
        inner: list[object] = []
        for item in level:
            inner += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        level = inner
        if not level:
            return
    raise ValueError(f"nested over {most_levels} levels")


def read_json(path: Path) -> Any:
    """Return the value of a JSON file. Raises UserError when the file is missing, unreadable or invalid."""
    content = b""
    try:
        content = read_regular(path)
        return parse_json(content)
    except FileNotFoundError as error:
        raise UserError(f"{shown(path)}: not there.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        require_merged(content, shown(path))
        raise UserError(
            f"{shown(path)}: not valid JSON ({first_line(error)}); delete it and create it again."
        ) from error


def unreadable(path: Path, error: OSError) -> UserError:
    """Return the error for a file that cannot be read."""
    return UserError(f"{shown(path)}: cannot be read ({error.strerror}); replace it by a readable file.")


def write_cache(path: Path, value: Any) -> None:
    """Write a JSON file that only saves time; when that fails, a warning says why and the work goes on."""
    try:
        write_json(path, value)
    except UserError as error:
        log.warning("warning: not cached, which only costs time: %s", error)


def cached(path: Path, read: Callable[[Any], T], make: Callable[[], T], plain: Callable[[T], Any]) -> T:
    """Return the value that a JSON file under `.cache` holds; make it and keep it there when the file is absent or damaged.

    `read`: turns the file's content into the value, and raises ValueError, TypeError, KeyError, AttributeError or EOFError
    when it does not fit. `plain`: turns the value into that content.
    """
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, EOFError):
        return read(parse_json(read_regular(path)))
    value = make()
    write_cache(path, plain(value))
    return value


def sha256_file(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes. Raises OSError when it cannot be read or is no regular file."""
    with open_regular(path) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_files(paths: Sequence[Path]) -> list[str]:
    """Return the hex SHA-256 of each file, computed in several threads. Raises OSError as `sha256_file` does."""
    from concurrent.futures import ThreadPoolExecutor  # only saving and verifying folders needs it

    stop = threading.Event()

    def digest(path: Path) -> str:
        found = hashlib.sha256()
        with open_regular(path) as handle:
            while not stop.is_set() and (part := handle.read(_PART)):
                found.update(part)
        return found.hexdigest()

    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            return list(pool.map(digest, paths))
        finally:
            stop.set()  # a signal need not wait for gigabytes


def sha256_texts(texts: Iterable[str]) -> str:
    """Return the hex SHA-256 of a sequence of texts; the boundaries between the texts count."""
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
