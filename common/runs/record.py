"""Read run folders: their paths, their records, and whether they are stale. Never imports torch."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from common.core.config import declared_defaults, plain
from common.core.errors import UserError
from common.core.files import read_json, root, sha256_file, shown
from common.core.messages import brief
from common.core.paths import ARCHIVED
from common.core.provenance import code_hash
from common.core.verified_folder import fingerprint
from common.data.competition_file import comp_setting
from common.runs.imported import read_marker, require_weights

NAMED = 3
"""Number of code files that a reason names one by one."""
INFER_ONLY = ("decoding.", "grid.", "llm.", "postprocess.", "styles")
"""Beginnings of the settings that may change after training."""
MADE_ELSEWHERE = "made_elsewhere"
"""Key in the notes of a training that `make import-adapter` recorded; nothing here can repeat it."""
_NEEDED = ("status", "config", "data", "code", "notes")
_NEEDED_WHEN_FINISHED = ("checkpoint", "files", "hardware", "git", "packages", "minutes")
_TYPES: dict[str, Any] = {
    "status": str, "config": dict, "data": dict, "code": dict, "notes": dict, "overrides": dict, "files": dict, "runs": dict,
    "sources": dict, "hardware": dict, "processes": int, "checkpoint": str | None, "competition": str, "experiment": str,
    "git": dict, "packages": dict, "minutes": int | float, "started": str, "failure": str,
}  # fmt: skip


@dataclass(frozen=True)
class Hashing:
    """How the present hashes are found that a record is compared with."""

    code: Callable[[Path], str] = code_hash
    file: Callable[[Path], str] = sha256_file
    checkpoint: Callable[[Path], str] = fingerprint


EXACT = Hashing()


def read_record(folder: Path) -> dict[str, Any]:
    """Return the content of run.json by stage; {} when there is no such file. Raises UserError when it is invalid."""
    path = folder / "run.json"
    if not path.exists():
        return {}
    if not path.is_file():
        raise UserError(f"{shown(path)}: not a file; train again with restart=1.")
    content = read_json(path)
    if fault := _fault(content):
        raise UserError(f"{shown(path)}: not a run record ({fault}); train again with restart=1.")
    record: dict[str, Any] = content
    return record


def _fault(content: Any) -> str | None:
    """Return what keeps a JSON value from being a run record; None when it is one."""
    if not isinstance(content, dict):
        return f"wanted a table of stages, found a {type(content).__name__}"
    for name, stage in content.items():
        if not isinstance(stage, dict):
            return f"stage {name!r:.50} is a {type(stage).__name__}, wanted a table"
        finished = stage.get("status") == "finished"
        for key, wanted in _TYPES.items():
            if key not in stage and (key in _NEEDED or (finished and key in _NEEDED_WHEN_FINISHED)):
                return f"stage {name!r:.50} lacks {key!r}"
            if key in stage and not isinstance(stage[key], wanted):
                return f"{key!r} of stage {name!r:.50} is a {type(stage[key]).__name__}"
        if not all(isinstance(e, dict) and isinstance(e.get("sha256"), str) for e in stage["data"].values()):
            return f"'data' of stage {name!r:.50} lacks a hash"
        hashes = [value for key in ("code", "files", "runs") for value in stage.get(key, {}).values()]
        if not all(isinstance(value, str) for value in hashes):
            return f"a hash of stage {name!r:.50} is not a text"
    return None


def _changed(hashes: dict[str, str], gone: str, changed: str, current: Any) -> list[str]:
    """Return a reason, `gone` or `changed` with the file's name, for each file that is not as recorded."""
    reasons = []
    for name, expected in hashes.items():
        path = root() / name
        if not path.is_file():
            reasons.append(gone.format(name))
        elif current(path) != expected:
            reasons.append(changed.format(name))
    return reasons


def changed_code(hashes: dict[str, str], hashing: Hashing = EXACT) -> list[str]:
    """Return one printable reason for each recorded code file that has changed or is gone.

    When more than NAMED files are gone, as after a move of the modules, one reason stands for all of them.
    """
    gone = [name for name in hashes if not (root() / name).is_file()]
    if len(gone) <= NAMED:
        return _changed(hashes, "code {} is gone", "code {} has changed", hashing.code)
    return [
        f"it was made by an older layout of the code: {len(gone)} of its {len(hashes)} code files were moved or "
        f"removed since ({', '.join(gone[:NAMED])}, …)"
    ]


def stale_stage(stage: dict[str, Any], hashing: Hashing = EXACT, *, imported: bool = False) -> list[str]:
    """Return why a recorded train or infer stage is stale; [] when it is not.

    Compared are the code, the data and the other runs that the stage used; of an imported stage the competition's data.
    """
    data = {name: entry["sha256"] for name, entry in stage["data"].items()}
    mixed: list[str] = stage["notes"].get("mixed", [])
    if imported:  # its code, its augmented rows and the runs it was made from are on another machine
        data = {name: sha for name, sha in data.items() if name.startswith("competitions/")}
        return [*_changed(data, "data {} is gone", "data {} has changed", hashing.file), *mixed]
    others = _changed_runs(stage.get("runs", {}), hashing)
    return [
        *changed_code(stage["code"], hashing),
        *_changed(data, "data {} is gone", "data {} has changed", hashing.file),
        *others,
        *mixed,
    ]


def _changed_runs(checkpoints: dict[str, str], hashing: Hashing) -> list[str]:
    """Return why the runs that a stage was made from are gone, trained again or stale; [] when none is."""
    reasons = []
    for name, expected in checkpoints.items():
        train = read_record(root() / name).get("train")
        if train is None:
            reasons.append(f"run {name} is gone{_how_to_restore(root() / name)}")
        elif train["checkpoint"] != expected:
            reasons.append(f"run {name} was trained again")
        else:
            reasons += [f"run {name}: {reason}" for reason in stale_training(root() / name, hashing)]
    return reasons


def stale_training(folder: Path, hashing: Hashing = EXACT) -> list[str]:
    """Return why the training is stale: changed code, data or checkpoint; [] when it is not, or was never started."""
    train = read_record(folder).get("train")
    if train is None:
        return []
    marker = read_marker(folder)
    reasons = stale_stage(train, hashing, imported=marker is not None)
    if train["status"] == "finished" and (marker is None or marker.weights):
        try:
            if hashing.checkpoint(folder / "best") != train["checkpoint"]:
                reasons.append("the checkpoint is not the one that training saved")
        except UserError as error:
            reasons.append(str(error))
    return reasons


def require_checkpoint(folder: Path, train: dict[str, Any]) -> None:
    """Raise UserError unless the best checkpoint is intact and the one that the recorded training saved."""
    if fingerprint(folder / "best") != train["checkpoint"]:
        raise UserError(
            f"{shown(folder / 'best')} is not the checkpoint that this run's training saved; train it again with restart=1."
        )


def is_archived(folder: Path) -> bool:
    """Return whether a run is in the archive of its competition and not in its own folder."""
    return (folder.parent / ARCHIVED / folder.name).is_dir() and not (folder / "run.json").exists()


def _how_to_restore(folder: Path) -> str:
    """Return " (it is archived: make restore …)" for the folder of an archived run, else ""."""
    return f" (it is archived: {restore_command(folder)})" if is_archived(folder) else ""


def restore_command(folder: Path) -> str:
    """Return the make command that brings an archived run back to its folder."""
    return f"make restore run={folder.name} comp={folder.parent.name}"


def require_not_archived(folder: Path) -> None:
    """Raise UserError with the command that restores the run when it is archived."""
    if is_archived(folder):
        raise UserError(f"{shown(folder)} is archived; first run: {restore_command(folder)}")


def require_trained(folder: Path) -> None:
    """Raise UserError unless the run's training has finished."""
    require_not_archived(folder)
    require_weights(folder)
    if read_record(folder).get("train", {}).get("status") != "finished":
        option = make_settings(folder.name, folder.parent.name)
        raise UserError(
            f"{shown(folder)} has not been trained; first run: make exp={folder.name.split('-')[0]} train{option}"
        )


def make_settings(run: str, competition: str) -> str:
    """Return the settings " run=… comp=…" that a make command for this run needs besides exp=; "" when it needs none."""
    return (f" run={run}" if "-" in run else "") + comp_setting(competition)


def made_nothing(folder: Path) -> bool:
    """Return whether a started training has left nothing to continue from: no checkpoint, no model, no sampled summaries."""
    made = [*(folder / "checkpoints").glob("step-*"), *(folder / "best").glob("*")]
    sampled = [path for path in (folder / "train").glob("*.jsonl") if path.stat().st_size]
    return not made and not sampled


def needs_training(folder: Path) -> bool:
    """Return whether a stale or missing run must be trained, not only inferred."""
    train = read_record(folder).get("train", {})
    return train.get("status") != "finished" or bool(stale_training(folder))


def to_arguments(overrides: Mapping[str, Any]) -> list[str]:
    """Return recorded overrides as command-line arguments: ["--training.learning_rate=3e-05"]."""
    return [
        f"--{name}={','.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in overrides.items()
    ]


def unfinished(folder: Path) -> bool:
    """Return whether a stage of the run never ran or did not finish, so there are no complete predictions."""
    stages = read_record(folder)
    return any(stages.get(stage, {}).get("status") != "finished" for stage in ("train", "infer"))


def stale_reasons(folder: Path, hashing: Hashing = EXACT) -> list[str]:
    """Return why a run's predictions are not what the repository would produce now; [] when they are.

    Compares the imported code, the data files, the checkpoint and the predictions with their recorded hashes.
    Raises UserError when run.json is invalid.
    """
    stages = read_record(folder)
    for stage in ("train", "infer"):
        if stages.get(stage, {}).get("status") != "finished":
            return [f"{stage} has not finished"]
    marker, infer = read_marker(folder), stages["infer"]
    elsewhere = marker is not None and marker.inferred == infer.get("started")
    reasons = [*stale_training(folder, hashing), *stale_stage(infer, hashing, imported=elsewhere)]
    files = stages["infer"]["files"]
    reasons += _changed(files, "result {} is gone", "result {} has changed", hashing.file)
    if stages["train"]["checkpoint"] != stages["infer"]["checkpoint"]:
        reasons.append("the predictions were made with another checkpoint")
    return list(dict.fromkeys(reasons))


def other_threads(first: Path, second: Path) -> str:
    """Return a line when two predictions files come from runs with different numbers of CPU threads, else "".

    Files outside a run folder, and runs whose record does not say the number, count as equal.
    """
    found = []
    for path in (first.resolve(), second.resolve()):
        stages = read_record(path.parent.parent) if root() / "outputs" in path.parents else {}
        found.append({name: stage.get("hardware", {}).get("threads") for name, stage in stages.items()})
    unlike = [
        f"{name} used {found[0][name]} CPU threads in a and {found[1][name]} in b"
        for name in ("train", "infer")
        if found[0].get(name) and found[1].get(name) and found[0][name] != found[1][name]
    ]
    return f"{'; '.join(unlike)}: on a CPU this alone changes weights and scores a little" if unlike else ""


def stage_command(
    run: str, stage: str, folder: Path, comp: str, changed: Mapping[str, Any] = MappingProxyType({})
) -> str:
    """Return the make command that repeats a stage of a run with its recorded settings, except for `changed` ones.

    `comp` is " comp=NAME" or "".
    """
    before = read_record(folder).get(stage, {})
    option = f" run={run}" if "-" in run else ""
    option += f" gpus={before['processes']}" if before.get("processes", 1) > 1 else ""
    arguments = " ".join(to_arguments({**before.get("overrides", {}), **changed}))
    return f"make exp={run.split('-')[0]} {stage}{option}{comp}" + (
        f' args="{arguments}"' if arguments else ""
    )


def training_part(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings, by dotted name, that belong to a training."""
    return {name: value for name, value in settings.items() if not name.startswith(INFER_ONLY)}


def changed_settings(config: Any, before: dict[str, Any]) -> list[str]:
    """Return one printable reason for each training setting of a config that differs from the recorded one.

    A setting that did not exist yet counts with its declared default; whether the code has changed is another question.
    """
    then, now = declared_defaults(config) | before["config"], plain(config)
    then, now = (json.loads(json.dumps(training_part(settings))) for settings in (then, now))
    return [
        f"{name} was {brief(then.get(name))}, is {brief(now.get(name))}"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
