"""Find the organisers' files in a folder or a zip archive, and read them."""

import os
import shlex
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from common.core.errors import UserError, first_line
from common.core.files import kind_of, open_regular, shown
from common.core.messages import cut, quoted
from common.data.competition import Competition
from common.data.file_types import ARCHIVES, ZIP, recognize

MAX_BYTES = 1 << 30
DEPTH = 4
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    RuntimeError,
    NotImplementedError,
    EOFError,
    ValueError,
)


@dataclass(frozen=True)
class Found:
    """A file in the source: its name in messages, and a function that opens it."""

    label: str
    open: Callable[[], IO[bytes]]


@contextmanager
def opened(source: Path) -> Iterator[list[Found]]:
    """Yield the files of a folder or an archive; the archive stays open inside the context."""
    try:
        kind = kind_of(source)
        head = b"" if kind != "file" else _head(source)
    except OSError as error:
        raise UserError(
            f"{shown(source)}: cannot be read ({error.strerror}); name the folder or .zip of the organisers' files with from=PATH."
        ) from error
    if kind == "folder":
        yield list(_in_folder(source))
        return
    if not kind:
        missing = (
            f"is a link to {cut(str(source.readlink()), 200)}, which is not there"
            if source.is_symlink()
            else "not there"
        )
        raise UserError(
            f"{shown(source)}: {missing}; name the folder or .zip of the organisers' files with from=PATH."
        )
    if kind != "file" or (recognize(head) is not ZIP and not zipfile.is_zipfile(source)):
        raise UserError(f"{shown(source)}: {_no_source(source, kind, head)}")
    try:
        archive = zipfile.ZipFile(source)
    except (OSError, *_BROKEN_ZIP) as error:
        raise UserError(
            f"{shown(source)}: the archive cannot be read ({error}); download it again."
        ) from error
    with archive:
        yield list(_in_zip(source, archive))


def _head(path: Path) -> bytes:
    with open_regular(path) as handle:
        return handle.read(4096)


def _no_source(source: Path, kind: str, head: bytes) -> str:
    """Return what is wrong with a source that is neither a folder nor a zip archive, and what to do."""
    if kind != "file":
        return f"is a {kind}, neither a folder nor a .zip; name one of these with from=PATH."
    known = recognize(head)
    if known and source.name.lower().endswith(ARCHIVES) and "archive" in known.name:
        return f"is {known.name}, neither a folder nor a .zip. {known.advise(source.name)}: name its folder with from=FOLDER."
    if known:
        return f"is {known.name}, neither a folder nor a .zip. {known.advise(source.name)}."
    if source.suffix.lower() == ".zip":
        return "is not a zip archive, or only a part of one; download it again."
    return f"is neither a folder nor a .zip; name the folder that holds it with from=FOLDER (from={shlex.quote(shown(source.parent))})."


def _ignored(parts: tuple[str, ...]) -> bool:
    return any(part == "__MACOSX" or part.startswith(".") for part in parts)


def _in_folder(source: Path) -> Iterator[Found]:
    for folder, subfolders, names in os.walk(source):
        inside = Path(folder).relative_to(source).parts
        subfolders[:] = sorted(s for s in subfolders if not _ignored((s,)) and len(inside) + 1 < DEPTH)
        for name in sorted(names):
            path = Path(folder) / name
            if not _ignored((name,)):
                yield Found(cut(str(path), 4096), lambda path=path: open_regular(path))  # type: ignore[misc]


def _in_zip(source: Path, archive: zipfile.ZipFile) -> Iterator[Found]:
    for info in archive.infolist():
        name = info.filename.replace("\\", "/")
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or (parts and parts[0].endswith(":")):
            raise UserError(
                f"{shown(source)}: entry {quoted(info.filename)} points outside the archive; nothing was unpacked. "
                "Do not use this archive: download it again from the organisers."
            )
        if info.is_dir() or _ignored(parts):
            continue
        if info.file_size > MAX_BYTES:
            raise UserError(
                f"{shown(source)}: entry {quoted(name)} unpacks to {info.file_size:,} bytes; wanted at most {MAX_BYTES:,}. "
                "Download the archive again from the organisers."
            )
        yield Found(f"{shown(source)}/{cut(name, 4096)}", lambda info=info: _entry(source, archive, info))  # type: ignore[misc]


def _entry(source: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """Open an entry of an archive. Raises UserError when it needs a password or a method that Python cannot unpack."""
    if info.flag_bits & 1 or info.compress_type not in _METHODS:
        problem = (
            "is protected by a password" if info.flag_bits & 1 else "is packed by a method that Python lacks"
        )
        folder = shlex.quote(source.stem)
        raise UserError(
            f"{shown(source)}/{cut(info.filename, 200)}: {problem}. Unpack the archive (7z x {shlex.quote(source.name)} -o{folder}), then "
            f"name that folder: from={folder}"
        )
    return archive.open(info)


def choose(competition: Competition, source: Path, found: list[Found]) -> dict[str, Found]:
    """Return the found file for each declared path, matched by file name."""
    chosen: dict[str, Found] = {}
    missing = []
    for path in dict.fromkeys(spec.path for spec in competition.files.values()):
        name = PurePosixPath(path).name
        matches = [item for item in found if PurePosixPath(item.label).name == name]
        if len(matches) > 1:
            places = ", ".join(cut(item.label, 150) for item in matches[:3])
            raise UserError(
                f"{shown(source)}: {name} is there {len(matches)} times ({places}); name the folder of the right one with from=FOLDER."
            )
        if matches:
            chosen[path] = matches[0]
        else:
            missing.append(name)
    if missing:
        names = sorted({PurePosixPath(item.label).name for item in found})
        problem = f"{shown(source)}: {', '.join(missing)} not found; found {_names(names)}."
        advice = f"Name the folder or .zip with all of the organisers' files: make data comp={competition.name} from=PATH"
        raise UserError(" ".join([problem, *_where_else(source, found), advice]))
    return chosen


def _names(names: list[str]) -> str:
    return ", ".join(cut(name, 30) for name in names[:6]) + (" …" if len(names) > 6 else "") or "no files"


def _where_else(source: Path, found: list[Found]) -> list[str]:
    """Return a sentence that points to an archive among the files, in which the missing ones may be; [] without one."""
    archives = [item.label for item in found if item.label.lower().endswith(ARCHIVES)]
    if not archives:
        return []
    first = archives[0]
    if first.lower().endswith(".zip") and source.is_dir():
        return [f"They may be in the archive: from={shlex.quote(cut(first, 120))}."]
    return [f"They may be in {quoted(PurePosixPath(first).name)}: unpack it first."]


def parts(item: Found) -> Iterator[bytes]:
    """Yield the content of a file in parts. Raises UserError when it cannot be read or is too large."""
    size = 0
    try:
        with item.open() as source:
            while part := source.read(1 << 20):
                size += len(part)
                if size > MAX_BYTES:
                    raise UserError(
                        f"{item.label}: has over {MAX_BYTES:,} bytes; nothing was changed. Name the right file."
                    )
                yield part
    except (OSError, *_BROKEN_ZIP) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        raise UserError(
            f"{item.label}: cannot be read ({reason}); nothing was changed. Get the file or archive again."
        ) from error
