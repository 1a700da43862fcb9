"""Write a finished run into one file that another machine can import: record, candidates and predictions.

The file is a zip archive. Its first member, export.json, names the format, the run and the hash of every other member. The
same run gives the same bytes.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import atomic_path, open_regular, parse_json, read_json, read_regular, root, shown
from common.core.messages import listed
from common.core.paths import archived_folder, run_folder
from common.core.progress import brief_progress
from common.core.verified_folder import fingerprint
from common.runs.archive import locked, require_run
from common.runs.imported import is_imported, read_marker
from common.runs.portable import paths_in_settings, portable_record, private_in, private_parts
from common.runs.record import read_record

FORMAT, VERSION = "kds-run", 1
HEADER, RECORD, RESULT, BEST = "export.json", "run.json", "result.json", "best/"
_DATE = (1980, 1, 1, 0, 0, 0)
_PART = 1 << 20
_MOST_JSON = 1 << 20
"""Maximum number of bytes of a file of settings among the weights that is searched for paths."""


@dataclass(frozen=True)
class Exported:
    """The result of make export."""

    path: Path
    files: int
    result: bool
    """Whether the run's file of results/ is in it."""


def export_run(competition: str, run: str, target: Path, *, weights: bool) -> Exported:
    """Write a finished run into `target` and return what was written; `weights`: with its best checkpoint.

    Raises UserError when the run is in use, unfinished or damaged, when a file holds a secret or a path of this machine
    that cannot be taken out, or when the target cannot be written; an earlier file then stays.
    """
    folder = found_folder(competition, run)
    with locked(folder, "Nothing was exported."):
        _require_not_foreign_file(target)
        made = payload(folder, competition, weights=weights)
        _require_private(made)
        _write(target, competition, run, made, weights=weights)
    return Exported(target, len(made), RESULT in made)


def found_folder(competition: str, run: str) -> Path:
    """Return the folder of a run, which may be archived. Raises UserError when there is none."""
    folder, archived = run_folder(competition, run), archived_folder(competition, run)
    if not folder.exists() and archived.is_dir():
        return archived
    require_run(folder)
    return folder


def payload(folder: Path, competition: str, *, weights: bool) -> dict[str, bytes | Path]:
    """Return name in the archive → content of each file of a finished run, without what belongs to this machine.

    Raises UserError when the run is unfinished, or a file is not the recorded one.
    """
    run, stages = folder.name, read_record(folder)
    for stage in ("train", "infer"):
        if stages.get(stage, {}).get("status") != "finished":
            raise UserError(f"{shown(folder)}: {stage} has not finished; finish it, then export the run.")
    if stages["train"]["checkpoint"] != stages["infer"]["checkpoint"]:
        raise UserError(
            f"{shown(folder)}: the predictions were made with another checkpoint; infer again, then export the run."
        )
    marker = read_marker(folder)
    if weights and marker is not None and not marker.weights:
        raise UserError(f"{shown(folder)} was imported without its weights; export it without weights=1.")
    made: dict[str, bytes | Path] = {RECORD: _record(folder, stages)}
    place = f"outputs/{competition}/{run}/"
    for name, sha256 in stages["infer"]["files"].items():
        if not name.startswith(place):
            continue
        path = folder / name.removeprefix(place)
        if not path.is_file() or _sha256(path)[0] != sha256:
            raise UserError(
                f"{shown(path)}: is gone or has changed since it was written; infer again, then export the run."
            )
        made[name.removeprefix(place)] = path
    lacking = [
        f"{split}/predictions.csv" for split in ("dev", "test") if f"{split}/predictions.csv" not in made
    ]
    if lacking:
        raise UserError(
            f"{shown(folder)}: its record names no {listed(lacking)}; infer again, then export the run."
        )
    result = root() / "results" / competition / f"{run}.json"
    if result.is_file():
        made[RESULT] = _json(portable_record(read_json(result), shown(result)))
    if weights:
        if fingerprint(folder / "best") != stages["train"]["checkpoint"]:
            raise UserError(
                f"{shown(folder / 'best')} is not the checkpoint that training saved; export the run without weights=1."
            )
        made |= {
            BEST + str(path.relative_to(folder / "best")): path
            for path in sorted((folder / "best").rglob("*"))
            if path.is_file()
        }
    return made


def _record(folder: Path, stages: dict[str, Any]) -> bytes:
    """Return run.json without the command lines, and without what belongs to this machine."""
    if is_imported(folder):  # nothing of this machine is in it
        return read_regular(folder / "run.json")
    kept = {name: {k: v for k, v in stage.items() if k != "command"} for name, stage in stages.items()}
    return _json(portable_record(kept, shown(folder / "run.json")))


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def _parts(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as handle:
        while part := handle.read(_PART):
            yield part


def _sha256(content: bytes | Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for part in _parts(content):
        digest.update(part)
        size += len(part)
    return digest.hexdigest(), size


def hashes(made: dict[str, bytes | Path]) -> dict[str, dict[str, Any]]:
    """Return name → hash and number of bytes of each file of a payload."""
    found = {}
    bar = brief_progress(len(made), "hash the run", "file", even=False)
    for name, content in made.items():
        sha256, size = _sha256(content)
        found[name] = {"sha256": sha256, "bytes": size}
        bar.update()
    bar.close()
    return found


def _require_private(made: dict[str, bytes | Path]) -> None:
    """Raise UserError when a file holds a folder of this machine or the value of a key."""
    parts = private_parts()
    longest = max(map(len, parts), default=1)
    for name, content in made.items():
        where = shown(content) if isinstance(content, Path) else name
        advice = (
            "export the run without weights=1" if name.startswith(BEST) else "remove it there, or infer again"
        )
        before = b""
        for part in _parts(content):
            if what := private_in(before + part, parts):
                raise UserError(f"{where}: holds {what}; nothing was exported. To go on, {advice}.")
            before = part[-longest:]
        if (
            name.startswith(BEST)
            and isinstance(content, Path)
            and name.endswith(".json")
            and content.stat().st_size <= _MOST_JSON
        ):
            for setting in paths_in_settings(parse_json(content.read_bytes())):
                raise UserError(
                    f"{where}: {setting} is a folder or file of this machine; nothing was exported. To go on, {advice}, or "
                    "train with a model of the hub."
                )


def _require_not_foreign_file(target: Path) -> None:
    if target.exists() and not is_export(target):
        raise UserError(f"{shown(target)}: exists and is no exported run; choose another name with to=FILE.")


def is_export(path: Path) -> bool:
    """Return whether a file looks like one that make export wrote."""
    try:
        with open_regular(path) as handle, zipfile.ZipFile(handle) as archive:
            return archive.namelist()[:1] == [HEADER]
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


def _write(target: Path, competition: str, run: str, made: dict[str, bytes | Path], *, weights: bool) -> None:
    header = {
        "format": FORMAT,
        "version": VERSION,
        "competition": competition,
        "run": run,
        "weights": weights,
        "files": hashes(made),
    }
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in {HEADER: _json(header), **made}.items():
            info = zipfile.ZipInfo(name, _DATE)  # no time, owner or permission of this machine
            info.create_system, info.external_attr = 3, 0o100644 << 16
            info.compress_type = zipfile.ZIP_STORED if name.startswith(BEST) else zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=name.startswith(BEST)) as member:
                for part in _parts(content):
                    member.write(part)
