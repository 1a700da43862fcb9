"""Append to JSON Lines files so that a crash cannot damage the lines before, and read them."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from common.core.errors import UserError, first_line
from common.core.files import fsync_folder, kind_of, open_regular, parse_json, read_regular, shown, unreadable
from common.core.merge_conflict import conflict_line
from common.core.messages import brief

log = logging.getLogger(__name__)
BREAK = b"\n"


def append_line(path: Path, value: Any) -> None:
    """Append one line of JSON and sync it to disk; a crash can only leave a torn last line.

    A torn last line is removed first, with a warning. A whole one that only lacks its newline is kept.
    Raises UserError when the file cannot be written or the disk is full; the lines before then stay as they are.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind_of(path):
            open_regular(path).close()  # a named pipe would wait for a reader
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


def read_lines(path: Path, skipped: list[str] | None = None) -> list[dict[str, Any]]:
    """Return the lines of a JSON Lines file, [] when it is missing; a torn last line is skipped.

    A last line that is whole counts even without its newline. Raises UserError when the file cannot be read, has a merge
    conflict, another line is not a JSON object, or the file holds something else. With a list as `skipped`, a line that is
    no JSON object is left out, and its message is appended to the list.
    """
    return [value for _, value in numbered_lines(path, skipped)]


def numbered_lines(path: Path, skipped: list[str] | None = None) -> list[tuple[int, dict[str, Any]]]:
    """Return the lines as `read_lines` does, each with its number in the file, from 1."""
    try:
        content = read_regular(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(path, error) from error
    if skipped is None and (conflict := conflict_line(content)):
        raise UserError(
            f"{shown(path)}:{conflict}: a merge conflict of git; remove the lines that begin with <<<<<<<, =======, ||||||| or "
            ">>>>>>>, and keep the lines of both sides."
        )
    values = []
    for number, line in enumerate(_whole(content, path).split(BREAK)[:-1], 1):
        try:
            value = parse_json(line)
            if not isinstance(value, dict):
                raise ValueError("it is no object")
        except ValueError as error:
            damaged = UserError(
                f"{shown(path)}:{number}: not valid JSON ({first_line(error)}); remove that line."
            )
            if skipped is None:
                raise damaged from error
            skipped.append(str(damaged))
            continue
        values.append((number, value))
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
        if handle.read() == BREAK:
            return
    content = read_regular(path)
    kept = whole_lines(content, path)
    with path.open("r+b") as handle:
        if len(kept) > len(content):
            handle.seek(len(content))
            handle.write(BREAK)
        else:
            handle.truncate(len(kept))
        handle.flush()
        os.fsync(handle.fileno())


def whole_lines(content: bytes, path: Path) -> bytes:
    """Return the content of a JSON Lines file with a newline at its end, and without a torn last line.

    A warning names the file that lost a line.
    """
    kept = _whole(content, path)
    if len(kept) < len(content):
        log.warning(
            "%s: its last line was torn by a crash (%d bytes without an end); removed it.",
            shown(path),
            len(content) - len(kept),
        )
    return kept


def _whole(content: bytes, path: Path) -> bytes:
    """Return the content with a newline at its end, and without a torn last line.

    Raises UserError when no line is whole and the only one does not begin an object: then it is another file.
    """
    start = content.rfind(BREAK) + 1
    last = content[start:]
    if not last:
        return content
    if _is_whole(last):
        return content + BREAK
    if start or last.startswith(b"{"):
        return content[:start]
    raise UserError(
        f"{shown(path)}: holds {brief(last[:20])}, wanted lines of JSON; it is damaged or another file. Restore it, or remove it."
    )


def _is_whole(line: bytes) -> bool:
    """Return whether a last line without a newline is whole: no part of a JSON object is an object itself."""
    try:
        return isinstance(parse_json(line), dict)
    except ValueError:
        return False
