"""List a competition's runs: what state each is in, what it scored, what it was given and how much disk it uses."""

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from common.core.errors import UserError
from common.core.files import read_json, read_regular, sha256_file, shown
from common.core.paths import ARCHIVED, RUN_NAME, outputs
from common.core.provenance import code_hash
from common.core.verified_folder import MANIFEST
from common.data.competition import Competition
from common.runs.imported import is_imported
from common.runs.record import Hashing, read_record, stale_reasons, stale_training

NOTE = "note.txt"
"""Name of the file of a run's folder that holds its note."""
_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class RunEntry:
    """What `make runs` knows of one run."""

    run: str
    status: str
    """trained, imported, stale, running, interrupted, failed, smoke, archived, or broken when its record cannot be read."""
    stage: str | None
    """The last stage that began: train or infer; None before the first."""
    started: str | None
    """Time when that stage began, ISO 8601 in UTC."""
    score: float | None
    """Headline score on dev in the competition's dev profile; None without predictions."""
    floor: float | None
    """The best score without a model, on the same scale."""
    minutes: float
    """Minutes of the finished stages; interrupted processes are not counted."""
    size: int
    """Bytes of its files."""
    settings: dict[str, Any]
    """Settings that were changed on the command line, by dotted name."""
    note: str
    reasons: list[str] = field(default_factory=list)
    """Why the run is stale, failed or broken."""
    imported: bool = False
    """Whether another machine made it."""


def catalogue(competition: Competition) -> list[RunEntry]:
    """Return every run of a competition, also smoke and archived ones, the newest first.

    Whether a run is stale is judged without reading its weights; `make submit` reads them too.
    """
    look = Hashing(functools.cache(code_hash), functools.cache(sha256_file), _unverified_fingerprint)
    plain, smoke = outputs(competition.name), outputs(competition.name, smoke=True)
    found = [
        _entry(folder, competition.dev_profile, judge)
        for parent, judge in (
            (plain, functools.partial(_judged, hashing=look)),
            (plain / ARCHIVED, _kept("archived")),
            (smoke, _kept("smoke")),
        )
        for folder in run_folders(parent)
    ]
    return sorted(found, key=lambda entry: entry.started or "", reverse=True)


def run_folders(parent: Path) -> list[Path]:
    """Return the folders in `parent` that are named like a run, sorted by name; [] when there is no such folder."""
    try:
        return sorted(path for path in parent.iterdir() if RUN_NAME.fullmatch(path.name) and path.is_dir())
    except OSError:
        return []


def is_running(folder: Path) -> bool:
    """Return whether a process is training or inferring the run: whether it holds the lock of the run's folder."""
    lock = folder.with_name(f".{folder.name}.lock")
    try:
        if lock.exists():
            with FileLock(lock).acquire(timeout=0):
                pass
    except Timeout:
        return True
    except OSError:  # the folder of another user, who alone can run something in it
        return False
    return False


def disk_use(folder: Path) -> int:
    """Return the total bytes of the files below a folder; what cannot be read, and targets of links, count 0."""
    total, seen = 0, set()
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                found = Path(parent, name).lstat()
                if (found.st_dev, found.st_ino) not in seen:  # a file with two names takes room once
                    total += found.st_size
                    seen.add((found.st_dev, found.st_ino))
    return total


def areas(competition: str) -> dict[str, int]:
    """Return the bytes of each kind of output of a competition: runs, smoke runs, and every other folder by its name."""
    parent = outputs(competition)
    runs = {path.name for path in run_folders(parent)}
    found = {"runs": sum(disk_use(parent / name) for name in runs)}
    with suppress(OSError):
        others = sorted(path for path in parent.iterdir() if path.name not in runs and path.is_dir())
        found |= {path.name: disk_use(path) for path in others}
    found["smoke"] = disk_use(outputs(competition, smoke=True))
    return {name: size for name, size in found.items() if size or name == "runs"}


def _unverified_fingerprint(folder: Path) -> str:
    """Return the sha256 of a checkpoint's manifest without reading the files that it lists, which takes no time.

    Raises UserError when the manifest cannot be read, or a file that it lists is missing.
    """
    manifest = read_json(folder / MANIFEST)
    for name in manifest if isinstance(manifest, dict) else ():
        if not (folder / name).is_file():
            raise UserError(f"{shown(folder / name)} is missing")
    return sha256_file(folder / MANIFEST)


def read_note(folder: Path) -> str:
    """Return the note of a run; "" without one, or when it cannot be read."""
    try:
        return read_regular(folder / NOTE, _MOST_BYTES).decode("utf-8").strip()
    except (OSError, ValueError):
        return ""


_Judge = Callable[[Path, Mapping[str, Any]], tuple[str, list[str]]]


def _entry(folder: Path, profile: str, judge: _Judge) -> RunEntry:
    try:
        stages = read_record(folder)
        status, reasons = judge(folder, stages)
    except UserError as error:
        stages, status, reasons = {}, "broken", [str(error)]
    begun = [name for name in ("train", "infer") if name in stages]
    last = stages[begun[-1]] if begun else {}
    score, floor = _dev_score(folder, profile)
    return RunEntry(
        run=folder.name,
        status=status,
        stage=begun[-1] if begun else None,
        started=_time(last.get("started")),
        score=score,
        floor=floor,
        minutes=round(sum(stage.get("minutes", 0) for stage in stages.values()), 2),
        size=disk_use(folder),
        settings={n: v for name in begun for n, v in stages[name].get("overrides", {}).items()},
        note=read_note(folder),
        reasons=reasons,
        imported=is_imported(folder),
    )


def _kept(status: str) -> _Judge:
    """Return a judge that gives every run this status; a smoke run or an archived one is not expected to be fresh."""

    def judge(folder: Path, stages: Mapping[str, Any]) -> tuple[str, list[str]]:
        return ("running", []) if status == "smoke" and is_running(folder) else (status, [])

    return judge


def _judged(folder: Path, stages: Mapping[str, Any], hashing: Hashing) -> tuple[str, list[str]]:
    if is_running(folder):
        return "running", []
    unfinished = [stage for stage in stages.values() if stage["status"] != "finished"]
    if unfinished:
        failure = unfinished[0].get("failure")
        return ("failed", [failure]) if failure else ("interrupted", [])
    if "train" not in stages:
        return "broken", ["it has no record of a training"]
    reasons = stale_reasons(folder, hashing) if "infer" in stages else stale_training(folder, hashing)
    return ("stale", reasons) if reasons else ("imported" if is_imported(folder) else "trained", [])


def _time(text: Any) -> str | None:
    try:
        return text if datetime.fromisoformat(text).tzinfo else None
    except (TypeError, ValueError):
        return None


def _dev_score(folder: Path, profile: str) -> tuple[float | None, float | None]:
    """Return the dev score and the floor of a run's scores.json; None for what it does not say."""
    path = folder / "dev" / "scores.json"
    try:
        report = read_json(path)
        [score] = [float(s["headline"]) for s in report["scores"] if s["profile"] == profile]
        floor = report["floors"].get(profile)
        return score, max(float(floor["constant"]), float(floor["lead"])) if floor else None
    except (UserError, ValueError, KeyError, TypeError, AttributeError):
        return None, None


def dependants(competition: str, run: str) -> Iterator[str]:
    """Yield the names of the other runs whose record says that they were made from this run."""
    name = f"outputs/{competition}/{run}"
    for folder in run_folders(outputs(competition)):
        with suppress(UserError):
            stages = read_record(folder)
            if folder.name != run and any(name in stage.get("runs", {}) for stage in stages.values()):
                yield folder.name
