"""Import the organisers' files (`make data`): check all of them in a staging folder, then replace the old ones at once."""

import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from common.core.errors import UserError
from common.data import checks, releases
from common.data.checks import Checked, check_same_ids
from common.data.competition import Competition
from common.data.competition_file import set_active_competition
from common.data.replace_files import put_in_place, staging_folder

MAX_BYTES = 1 << 30
DEPTH = 4
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
class _Found:
    """A file in the source: its name in messages, and a function that opens it."""

    label: str
    open: Callable[[], IO[bytes]]


def import_data(competition: Competition, source: Path) -> list[str]:
    """Check the declared files of `source`, replace the old ones by them and make the competition the active one.

    `source` is a folder or a .zip; the files may be in subfolders. A report line gives the rows and the warnings. More
    lines follow for splits that may be of different releases.
    Raises UserError when a file is missing, invalid or found twice, when the archive is damaged or has paths outside
    its root, or when writing fails; then nothing has changed.
    """
    with _opened(source) as found:
        chosen = _choose(competition, source, found)
        with staging_folder(competition) as staging:
            for path, item in chosen.items():
                _copy(item, staging / path)
            report = _check(competition, chosen, staging)
            put_in_place(competition, staging, list(chosen))
            set_active_competition(competition.name)
    return report


@contextmanager
def _opened(source: Path) -> Iterator[list[_Found]]:
    """Yield the files of a folder or an archive; the archive stays open inside the context."""
    if source.is_dir():
        yield list(_in_folder(source))
        return
    if not source.exists():
        raise UserError(
            f"{source}: not there; name the folder or .zip of the organisers' files with from=PATH."
        )
    if source.suffix.lower() != ".zip" and not zipfile.is_zipfile(source):
        raise UserError(
            f"{source}: is neither a folder nor a .zip; unpack it and name the folder with from=FOLDER."
        )
    try:
        archive = zipfile.ZipFile(source)
    except (OSError, *_BROKEN_ZIP) as error:
        raise UserError(f"{source}: the archive cannot be read ({error}); download it again.") from error
    with archive:
        yield list(_in_zip(source, archive))


def _ignored(parts: tuple[str, ...]) -> bool:
    return any(part == "__MACOSX" or part.startswith(".") for part in parts)


def _in_folder(source: Path) -> Iterator[_Found]:
    for folder, subfolders, names in os.walk(source):
        inside = Path(folder).relative_to(source).parts
        subfolders[:] = sorted(s for s in subfolders if not _ignored((s,)) and len(inside) + 1 < DEPTH)
        for name in sorted(names):
            path = Path(folder) / name
            if not _ignored((name,)) and path.is_file():
                yield _Found(str(path), lambda path=path: path.open("rb"))  # type: ignore[misc]


def _in_zip(source: Path, archive: zipfile.ZipFile) -> Iterator[_Found]:
    for info in archive.infolist():
        name = info.filename.replace("\\", "/")
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or (parts and parts[0].endswith(":")):
            raise UserError(
                f'{source}: entry "{info.filename}" points outside the archive; nothing was unpacked. '
                "Do not use this archive: download it again from the organisers."
            )
        if info.is_dir() or _ignored(parts):
            continue
        if info.file_size > MAX_BYTES:
            raise UserError(
                f'{source}: entry "{name}" unpacks to {info.file_size:,} bytes; wanted at most {MAX_BYTES:,}. Download the archive again from the organisers.'
            )
        yield _Found(f"{source}/{name}", lambda info=info: archive.open(info))  # type: ignore[misc]


def _choose(competition: Competition, source: Path, found: list[_Found]) -> dict[str, _Found]:
    """Return the found file for each declared path, matched by file name."""
    chosen: dict[str, _Found] = {}
    missing = []
    for path in dict.fromkeys(spec.path for spec in competition.files.values()):
        name = PurePosixPath(path).name
        matches = [item for item in found if PurePosixPath(item.label).name == name]
        if len(matches) > 1:
            listed = ", ".join(item.label for item in matches[:5])
            raise UserError(
                f"{source}: {name} is there {len(matches)} times ({listed}); name the folder of the right one with from=FOLDER."
            )
        if matches:
            chosen[path] = matches[0]
        else:
            missing.append(name)
    if missing:
        names = sorted({PurePosixPath(item.label).name for item in found})
        listed = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
        raise UserError(
            f"{source}: {', '.join(missing)} not found; found {listed or 'no files'}. "
            f"Name the folder or .zip with all of the organisers' files: "
            f"make data comp={competition.name} from=PATH"
        )
    return chosen


def _copy(item: _Found, target: Path) -> None:
    """Copy one file; reading an archive entry to its end also verifies its checksum."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with item.open() as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
    except (OSError, *_BROKEN_ZIP) as error:
        raise UserError(
            f"{item.label}: cannot be copied ({error}); nothing was changed. "
            "Get the file or archive again, or free some space."
        ) from error


def _check(competition: Competition, chosen: Mapping[str, _Found], staging: Path) -> list[str]:
    """Check every staged file, compare sample and solution with test, and return the report lines."""
    checked = {
        kind: checks.check(competition, kind, staging / spec.path, chosen[spec.path].label)
        for kind, spec in competition.files.items()
    }
    for kind in ("sample", "solution"):
        if kind in checked:
            check_same_ids(competition, kind, checked[kind], checked["test"])
    report = []
    for path in chosen:
        kinds = [kind for kind, spec in competition.files.items() if spec.path == path]
        notes = {
            name: f"{count} × {checked[kind].examples[name]}"
            for kind in kinds
            for name, count in checked[kind].warnings.items()
        }
        count = len(checked[kinds[0]].table.records)
        report.append(f"{path}: {count} rows, {'; '.join(notes.values()) or 'no warnings'}")
    return report + _releases(competition, checked)


def _releases(competition: Competition, checked: Mapping[str, Checked]) -> list[str]:
    """Return a line for each pair of splits that may be of different releases."""
    columns, splits = competition.columns, {}
    for kind in ("train", "dev", "test"):
        answer = None if kind == "test" else columns.answers(competition.files[kind])[0]
        cells = [record.cells for record in checked[kind].table.records]
        splits[kind] = releases.texts_of(
            [(row[columns.id], row[columns.dialogue], row[answer] if answer else None) for row in cells]
        )
    return [f"warning: {line}" for line in releases.signs(splits)]
