"""Import a run that another machine exported: verify the whole file in a temporary folder, then rename that folder."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from common.core.errors import UserError, first_line
from common.core.files import (
    existing_parent,
    fsync_folder,
    parse_json,
    root,
    sha256_file,
    shown,
    write_json,
    write_text,
)
from common.core.messages import size_text
from common.core.paths import archived_folder, run_folder
from common.core.progress import brief_progress
from common.core.temporary import temporary_folder
from common.core.verified_folder import fingerprint
from common.data.competition import Competition
from common.data.rows import SplitName, read_predictions, read_split
from common.runs import candidates
from common.runs.archive import flush, locked
from common.runs.export import RECORD, RESULT, hashes, payload
from common.runs.import_archive import ExportedFile, opened_export
from common.runs.imported import MARKER
from common.runs.record import read_record

_SPLITS: tuple[SplitName, ...] = ("dev", "test")
_SPARE = 64 << 20
"""Bytes that must stay free on the disk."""


@dataclass(frozen=True)
class ImportedRun:
    """The result of make import."""

    folder: Path
    files: int
    weights: bool
    there: bool
    """Whether the same run was there already, so that nothing was changed."""


def import_run(competition: Competition, source: Path, name: str | None) -> ImportedRun:
    """Import the run of an exported file as `name`, else under its own name, and return what was made.

    Raises UserError when the file is damaged, unsafe, too large or of another competition or format, when the data here
    are not those that the run was made with, or when another run has that name; then nothing has changed.
    """
    with opened_export(competition, source) as archive:
        run = archive.run if name is None else name
        folder = run_folder(competition.name, run)
        record = _record_of(archive, competition, run)
        _require_same_data(archive.label, competition, record)
        with _new_lock(folder), locked(folder, "Nothing was imported."):
            if _is_there(archive, competition, folder, record, renamed=name is not None):
                return ImportedRun(folder, len(archive.files), archive.weights, there=True)
            result = _result(archive, competition, run)
            _require_room(archive, folder)
            _put_in_place(archive, competition, folder, record, result)
    return ImportedRun(folder, len(archive.files), archive.weights, there=False)


def _record_of(archive: ExportedFile, competition: Competition, run: str) -> dict[str, Any]:
    """Return the record for a run of this name. Raises UserError when it cannot be that of the files in the archive."""
    old, new = (f"outputs/{competition.name}/{name}/" for name in (archive.run, run))
    try:
        record: dict[str, Any] = parse_json(archive.read(RECORD))
        train, infer = record["train"], record["infer"]
        infer["files"] = {
            new + name.removeprefix(old) if name.startswith(old) else name: sha
            for name, sha in infer["files"].items()
        }
        own = {name.removeprefix(new): sha for name, sha in infer["files"].items() if name.startswith(new)}
        there = {
            name: one["sha256"] for name, one in archive.files.items() if name.startswith(("dev/", "test/"))
        }
        states = (
            train["status"],
            infer["status"],
            train["checkpoint"] == infer["checkpoint"],
            infer["competition"],
        )
        fits = own == there and states == ("finished", "finished", True, competition.name)
        fits = (
            fits
            and isinstance(infer["started"], str)
            and {f"{s}/predictions.csv" for s in _SPLITS} <= own.keys()
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{archive.label}/{RECORD}: not the record of a finished run ({first_line(error)}); get the file again."
        ) from error
    if not fits:
        raise UserError(
            f"{archive.label}/{RECORD}: is not the record of the predictions in the file; get the file again."
        )
    return record


def _require_same_data(label: str, competition: Competition, record: dict[str, Any]) -> None:
    """Raise UserError when a file of the competition is not the one that the run was made with."""
    for stage in record.values():
        for name, entry in stage["data"].items():
            path = root() / name
            if not name.startswith("competitions/") or ".." in PurePosixPath(name).parts:
                continue  # augmented rows: the export checked them, and they stay there
            if not path.is_file():
                raise UserError(
                    f"{label}: was made with {name}, which is not here; get it with: {competition.obtain}"
                )
            if (found := sha256_file(path)) != entry["sha256"]:
                raise UserError(
                    f"{label}: was made with another {name}: sha256 {entry['sha256'][:12]} there, {found[:12]} here; both machines "
                    f"need the same files: {competition.obtain}"
                )


def _is_there(
    archive: ExportedFile, competition: Competition, folder: Path, record: dict[str, Any], *, renamed: bool
) -> bool:
    """Return whether the same run is there. Raises UserError when another one has the name."""
    archived = archived_folder(competition.name, folder.name)
    if archived.is_dir():
        raise UserError(f"{shown(archived)}: an archived run has this name; {_other_name(folder.name)}")
    if not folder.exists() and not folder.is_symlink():
        return False
    wanted = {n: one["sha256"] for n, one in archive.files.items() if n not in (RESULT, RECORD)}
    wanted[RECORD] = hashlib.sha256(_json(record).encode("utf-8")).hexdigest()
    try:
        present = {
            n: one["sha256"]
            for n, one in hashes(payload(folder, competition.name, weights=archive.weights)).items()
        }
    except (UserError, OSError):
        present = {}
    present.pop(RESULT, None)
    if present == wanted:
        return True
    raise UserError(f"{shown(folder)}: another run has this name; {_other_name(folder.name)}")


def _other_name(run: str) -> str:
    return f"nothing was imported. Import it under another name, such as: as={run.partition('-')[0]}-theirs"


def _result(archive: ExportedFile, competition: Competition, run: str) -> tuple[Path, str] | None:
    """Return the path and the content of the run's result; None when it needs not be written."""
    if RESULT not in archive.files:
        return None
    path = root() / "results" / competition.name / f"{run}.json"
    content = archive.read(RESULT)
    try:
        value = parse_json(content)
        if (value["competition"], value["run"]) != (competition.name, archive.run):
            raise ValueError("it is that of another run")
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{archive.label}/{RESULT}: not a result ({first_line(error)}); get the file again."
        ) from error
    made = _json({**value, "run": run})
    if path.exists():
        if path.is_file() and path.read_text(encoding="utf-8") == made:
            return None
        raise UserError(f"{shown(path)}: is the result of another run of this name; {_other_name(run)}")
    return path, made


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


@contextmanager
def _new_lock(folder: Path) -> Iterator[None]:
    """Make the folder around a run; when the import fails, remove it and the lock if they are new."""
    lock = folder.with_name(f".{folder.name}.lock")
    first = not lock.exists()
    new = [path for path in folder.parents if not path.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UserError(
            f"{shown(folder)}: cannot be written ({error.strerror}); nothing was imported."
        ) from error
    finally:
        if first and not folder.exists():
            lock.unlink(missing_ok=True)
            with suppress(OSError):
                for path in new:
                    path.rmdir()


def _require_room(archive: ExportedFile, folder: Path) -> None:
    needed = sum(one["bytes"] for one in archive.files.values()) + _SPARE
    free = shutil.disk_usage(existing_parent(folder)).free
    if needed > free:
        raise UserError(
            f"{archive.label}: needs {size_text(needed)} on the disk of {shown(folder.parent)}, and {size_text(free)} are free; "
            "make room. Nothing was imported."
        )


def _put_in_place(
    archive: ExportedFile,
    competition: Competition,
    folder: Path,
    record: dict[str, Any],
    result: tuple[Path, str] | None,
) -> None:
    """Unpack and verify everything in a temporary folder, write the result, and rename the folder to that of the run."""
    staging = temporary_folder(folder)
    try:
        _unpack(archive, staging)
        (staging / RECORD).write_text(_json(record), encoding="utf-8")
        _verify(archive, competition, staging, record)
        write_json(
            staging / MARKER,
            {
                "imported": datetime.now(UTC).isoformat(timespec="seconds"),
                "run": archive.run,
                "weights": archive.weights,
                "inferred": record["infer"]["started"],
            },
        )
        staging.chmod(0o755)
        flush(staging)
        if result:
            write_text(*result)
        try:
            staging.rename(folder)
        except BaseException:
            if result:
                result[0].unlink(missing_ok=True)
            raise
        fsync_folder(folder.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpack(archive: ExportedFile, staging: Path) -> None:
    bar = brief_progress(len(archive.files), "unpack and verify", "file", even=False)
    for name in archive.files:
        if name not in (RECORD, RESULT):
            target = staging / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as handle:
                archive.copy(name, handle.write)
        bar.update()
    bar.close()


def _verify(archive: ExportedFile, competition: Competition, staging: Path, record: dict[str, Any]) -> None:
    """Raise UserError when the unpacked run could not be blended: its record, predictions, candidates or weights."""
    try:
        read_record(staging)
        for split in _SPLITS:
            predicted = read_predictions(staging / split / "predictions.csv", competition)
            wanted = {row.id for row in read_split(competition, split).rows}
            if wanted != predicted.keys():
                some = sorted(wanted ^ predicted.keys())[0]
                raise UserError(
                    f"the ids of the {split} predictions are not those of {split} here, for example {some!r}"
                )
            candidates.read(staging / split / "candidates.jsonl")
        if archive.weights and fingerprint(staging / "best") != record["train"]["checkpoint"]:
            raise UserError("the weights are not those of the recorded training")
    except UserError as error:
        reason = str(error).replace(f"{shown(staging)}/", "")
        raise UserError(
            f"{archive.label}: cannot be used: {reason}. Nothing was imported; ask for another export."
        ) from error
