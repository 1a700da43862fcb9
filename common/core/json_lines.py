"""Append to JSON Lines files so that a crash cannot damage the lines before, and read them."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from common.core.errors import UserError, first_line
from common.core.files import fsync_folder, kind_of, open_regular, parse_json, read_regular, shown, unreadable

log = logging.getLogger(__name__)


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


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a JSON Lines file, [] when it is missing; a torn last line is skipped.

    A last line that is whole counts even without its newline. Raises UserError when the file cannot be read, or another
    line is not a JSON object.
    """
    try:
        *lines, last = read_regular(path).split(
            b"\n"
        )  # the last part is empty when the file ends in a newline
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(path, error) from error
    if _is_whole(last):
        lines.append(last)
    values = []
    for number, line in enumerate(lines, 1):
        try:
            value = parse_json(line)
            if not isinstance(value, dict):
                raise ValueError("it is no object")
        except ValueError as error:
            raise UserError(
                f"{shown(path)}:{number}: not valid JSON ({first_line(error)}); remove that line."
            ) from error
        values.append(value)
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
    content = read_regular(path)
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
