"""Open a file of make export, and refuse everything in it that make export does not write.

Nothing of the file is trusted: names, kinds and sizes of all members are checked before the first one is unpacked.
"""

import hashlib
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from common.core.errors import UserError, first_line
from common.core.files import kind_of, open_regular, parse_json, shown, unreadable
from common.core.messages import brief, cut, listed, quoted, size_text
from common.core.paths import RUN_NAME
from common.data.competition import Competition
from common.runs.export import BEST, FORMAT, HEADER, RECORD, RESULT, VERSION

MOST_BYTES = 1 << 30
"""Maximum number of bytes of everything but the weights, unpacked."""
MOST_MEMBERS = 10_000
_MOST_JSON = 64 << 20
_PART = 1 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True)
class ExportedFile:
    """An opened and checked export."""

    label: str
    zip: zipfile.ZipFile
    run: str
    weights: bool
    files: dict[str, dict[str, Any]]
    """Name → sha256 and number of bytes."""

    def read(self, name: str) -> bytes:
        """Return the content of a small member, verified. Raises UserError when it is damaged."""
        if self.files[name]["bytes"] > _MOST_JSON:
            raise UserError(
                f"{self.label}/{name}: {self.files[name]['bytes']:,} bytes, wanted at most {_MOST_JSON:,}."
            )
        kept: list[bytes] = []
        self.copy(name, kept.append)
        return b"".join(kept)

    def copy(self, name: str, write: Callable[[bytes], object]) -> None:
        """Pass the content of a member on in parts, and verify it. Raises UserError when it is damaged."""
        digest = hashlib.sha256()
        with _damage_named(self.label, name), self.zip.open(name) as member:
            while part := member.read(_PART):
                digest.update(part)
                write(part)
        if digest.hexdigest() != self.files[name]["sha256"]:
            raise UserError(
                f"{self.label}: {name} is not what was exported (another hash); get the file again."
            )


@contextmanager
def opened_export(competition: Competition, source: Path) -> Iterator[ExportedFile]:
    """Yield the checked archive. Raises UserError when it is not one, or holds anything that make export does not write."""
    label = shown(source)
    try:
        kind = kind_of(source)
    except OSError as error:
        raise UserError(
            f"from={label}: cannot be read ({error.strerror}); wanted a file of make export."
        ) from error
    if kind != "file":
        raise UserError(
            f"from={label}: {f'is a {kind}' if kind else 'not there'}; wanted a file of make export."
        )
    try:
        handle = open_regular(source)
    except OSError as error:
        raise unreadable(source, error) from error
    with handle, _opened(label, handle) as opened:
        members = _members(label, opened, source.stat().st_size)
        header = _header(label, opened)
        if header["competition"] != competition.name:
            raise UserError(
                f"{label}: is a run of {brief(header['competition'], 40)}, not of {competition.name}; with that competition here, "
                f"add: comp={cut(header['competition'], 40)}"
            )
        files: dict[str, dict[str, Any]] = header["files"]
        if members.keys() - {HEADER} != files.keys():
            other = sorted(set(members) - {HEADER} ^ set(files))
            raise UserError(
                f"{label}: its list of files and its content differ ({listed(other, 3)}); get the file again."
            )
        wrong = [
            name
            for name, info in members.items()
            if name != HEADER and info.file_size != files[name]["bytes"]
        ]
        if wrong:
            raise UserError(
                f"{label}: {listed(wrong, 3)} has another size than was exported; get the file again."
            )
        if any(name.startswith(BEST) for name in files) != header["weights"]:
            raise UserError(
                f"{label}: says weights={header['weights']}, and its files do not; get the file again."
            )
        yield ExportedFile(label, opened, header["run"], header["weights"], files)


def _opened(label: str, handle: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(handle)
    except (OSError, *_BROKEN) as error:
        raise UserError(
            f"{label}: no file of make export, or only a part of one ({first_line(error)}); get the file again."
        ) from error


def _members(label: str, archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name. Raises UserError for unsafe ones, and when they would unpack to too many bytes."""
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        raise UserError(
            f"{label}: {len(infos):,} files, wanted at most {MOST_MEMBERS:,}; nothing was unpacked."
        )
    for info in infos:
        if fault := _unsafe(info):
            raise UserError(
                f"{label}: member {quoted(info.orig_filename)} {fault}; make export writes no such member. Nothing was unpacked."
            )
    found = {info.filename: info for info in infos}
    if len(found) != len(infos):
        raise UserError(
            f"{label}: a member is there twice; make export writes no such file. Nothing was unpacked."
        )
    texts = sum(info.file_size for name, info in found.items() if not name.startswith(BEST))
    stored = sum(info.compress_size for info in infos)
    if texts > MOST_BYTES or stored > size:
        found_size = size_text(max(texts, stored))
        raise UserError(
            f"{label}: unpacks to {found_size}; wanted at most {size_text(MOST_BYTES)} besides the weights. Nothing was unpacked."
        )
    return found


def _unsafe(info: zipfile.ZipInfo) -> str:
    """Return why a member of an archive must not be unpacked; "" when it may be."""
    name, mode = info.orig_filename, info.external_attr >> 16
    parts = PurePosixPath(name).parts
    if stat.S_ISLNK(mode):
        return "is a link"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is a device, a pipe or a folder, wanted a file"
    if name.startswith("/") or ".." in parts or "\\" in name or ":" in name or not name.isprintable():
        return "points outside the archive, or has a character that no file of a run has"
    if str(PurePosixPath(name)) != name or len(name) > 200 or len(parts) > 6:
        return "has an unusual name"
    known = name in (HEADER, RECORD, RESULT) or (parts[0] in ("dev", "test") and len(parts) == 2)
    if not known and not (name.startswith(BEST) and len(parts) > 1):
        return "is no part of a run"
    if info.flag_bits & 1:
        return "is protected by a password"
    wanted = zipfile.ZIP_STORED if name.startswith(BEST) else zipfile.ZIP_DEFLATED
    if info.compress_type != wanted or (name.startswith(BEST) and info.file_size != info.compress_size):
        return "is packed in another way"
    return ""


def _header(label: str, archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return the content of export.json. Raises UserError when it is missing, damaged or of another format."""
    advice = "get the file again, or ask for one of make export"
    if HEADER not in archive.namelist() or archive.getinfo(HEADER).file_size > _MOST_JSON:
        raise UserError(f"{label}: no file of make export (it has no {HEADER}); {advice}.")
    with _damage_named(label, HEADER):
        content = archive.read(HEADER)
    try:
        header = parse_json(content)
    except ValueError as error:
        raise UserError(f"{label}/{HEADER}: not valid JSON ({first_line(error)}); {advice}.") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UserError(f"{label}/{HEADER}: another format than {FORMAT}; {advice}.")
    if header.get("version") != VERSION:
        raise UserError(
            f"{label}: format version {brief(header.get('version'), 20)}, wanted {VERSION}; use the same version of this repository "
            "(git pull) on both machines."
        )
    kinds = {"competition": str, "run": str, "weights": bool, "files": dict}
    files = header.get("files")
    right = isinstance(files, dict) and all(
        isinstance(one, dict) and isinstance(one.get("sha256"), str) and type(one.get("bytes")) is int
        for one in files.values()
    )
    right = right and isinstance(header.get("run"), str) and RUN_NAME.fullmatch(header["run"]) is not None
    if (
        not right
        or RECORD not in header["files"]
        or any(not isinstance(header.get(k), kind) for k, kind in kinds.items())
    ):
        raise UserError(f"{label}/{HEADER}: not what make export writes; {advice}.")
    return header


@contextmanager
def _damage_named(label: str, name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, *_BROKEN) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        raise UserError(f"{label}: {name} is damaged ({reason}); get the file again.") from error
