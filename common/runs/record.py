"""Read run folders: their paths, their records, and whether they are stale. Never imports torch."""

import ast
import hashlib
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import read_json, root, sha256_file, shown
from common.core.verified_folder import fingerprint

EXPERIMENT = re.compile(r"exp[0-9]{3}")
RUN_NAME = re.compile(r"exp[0-9]{3}(-[a-z0-9][a-z0-9_.]*)?")


@dataclass(frozen=True)
class Experiment:
    """The constants TITLE, MODEL and NEEDS of an experiment's config.py."""

    name: str
    title: str
    model: str
    needs: str


def experiments() -> list[str]:
    """Return the sorted names of all experiments: the folders of experiments/ with a config.py."""
    found = (path.parent.name for path in (root() / "experiments").glob("exp*/config.py"))
    return sorted(name for name in found if EXPERIMENT.fullmatch(name))


def require_experiment(name: str) -> str:
    """Return the name. Raises UserError that lists the experiments when there is none with this name."""
    if not EXPERIMENT.fullmatch(name):
        raise UserError(f"experiment {name!r}: wanted exp and three digits, as in exp002. {_known()}")
    if not (root() / "experiments" / name / "config.py").is_file():
        raise UserError(f"experiment {name!r} does not exist. {_known()}")
    return name


def _known() -> str:
    return f"There are {', '.join(experiments()) or 'none'}; start one with: make new exp=exp0NN from=exp002"


def describe(name: str) -> Experiment:
    """Return title, model and needs of an experiment without importing it. Raises UserError when one is missing."""
    path = root() / "experiments" / name / "config.py"
    constants: dict[str, Any] = {}
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{shown(path)}: not valid Python ({error}); fix that line.") from error
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            constants |= {
                target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)
            }
    missing = [key for key in ("TITLE", "MODEL", "NEEDS") if not isinstance(constants.get(key), str)]
    if missing:
        raise UserError(f'{shown(path)}: needs a line {missing[0]} = "…", which make list prints.')
    return Experiment(name, constants["TITLE"], constants["MODEL"], constants["NEEDS"])


def outputs(competition: str, *, smoke: bool = False) -> Path:
    """Return the folder of a competition's runs; smoke runs have a separate one."""
    return root() / "outputs" / "smoke" / competition if smoke else root() / "outputs" / competition


def run_folder(competition: str, run: str) -> Path:
    """Return the folder of a run, which need not exist. Raises UserError for an invalid run name."""
    if not RUN_NAME.fullmatch(run):
        raise UserError(
            f"run {run!r}: wanted an experiment or a variant of one, as in exp002 or exp002-seed2."
        )
    return outputs(competition) / run


def read_record(folder: Path) -> dict[str, Any]:
    """Return the content of run.json by stage; {} when there is no such file. Raises UserError when it is invalid."""
    path = folder / "run.json"
    if not path.exists():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{shown(path)}: not a run record; train again with restart=1.")
    return content


def code_hash(path: Path) -> str:
    """Return the hex SHA-256 of a Python file's syntax tree; comments, docstrings and formatting do not change it.

    For a file that is not valid Python it is the SHA-256 of the bytes.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return sha256_file(path)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body.pop(0)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _changed(hashes: dict[str, str], what: str, current: Any) -> list[str]:
    reasons = []
    for name, expected in hashes.items():
        path = root() / name
        if not path.is_file():
            reasons.append(f"{what} {name} is gone")
        elif current(path) != expected:
            reasons.append(f"{what} {name} has changed")
    return reasons


def changed_code(hashes: dict[str, str]) -> list[str]:
    """Return one printable reason for each recorded code file that has changed or is gone."""
    return _changed(hashes, "code", code_hash)


def stale_stage(stage: dict[str, Any]) -> list[str]:
    """Return why a recorded train or infer stage is stale; [] when it is not.

    Compared are the code, the data and the other runs that the stage used.
    """
    data = {name: entry["sha256"] for name, entry in stage["data"].items()}
    mixed: list[str] = stage["notes"].get("mixed", [])
    others = _changed_runs(stage.get("runs", {}))
    return [*changed_code(stage["code"]), *_changed(data, "data", sha256_file), *others, *mixed]


def _changed_runs(checkpoints: dict[str, str]) -> list[str]:
    """Return why the runs that a stage was made from are gone, trained again or stale; [] when none is."""
    reasons = []
    for name, expected in checkpoints.items():
        train = read_record(root() / name).get("train")
        if train is None:
            reasons.append(f"run {name} is gone")
        elif train["checkpoint"] != expected:
            reasons.append(f"run {name} was trained anew")
        else:
            reasons += [f"run {name}: {reason}" for reason in stale_training(root() / name)]
    return reasons


def soup_command(train: dict[str, Any], run: str) -> str | None:
    """The make command that makes a soup again, from the record of its train stage; None for a run that was trained."""
    if (soup := train.get("soup")) is None:
        return None
    arguments = f' args="{" ".join(soup["arguments"])}"' if soup["arguments"] else ""
    return (
        f'make soup runs="{" ".join(soup["ingredients"])}" run={run} method={soup["method"]} '
        f"comp={train['competition']} restart=1{arguments}"
    )


def stale_training(folder: Path) -> list[str]:
    """Return why the training is stale: changed code, data or checkpoint; [] when it is not, or was never started."""
    train = read_record(folder).get("train")
    if train is None:
        return []
    reasons = stale_stage(train)
    if train["status"] == "finished":
        try:
            if fingerprint(folder / "best") != train["checkpoint"]:
                reasons.append("the checkpoint is not the one that training saved")
        except UserError as error:
            reasons.append(str(error))
    return reasons


def require_trained(folder: Path, where: str = "") -> None:
    """Raise UserError unless the run's training has finished; the message starts with `where`."""
    if read_record(folder).get("train", {}).get("status") != "finished":
        option = f" run={folder.name}" if "-" in folder.name else ""
        raise UserError(
            f"{where}{shown(folder)} has not been trained; first run: make exp={folder.name.split('-')[0]} train{option}"
        )


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


def stale_reasons(folder: Path) -> list[str]:
    """Return why a run's predictions are not what the repository would produce now; [] when they are.

    Compares the imported code, the data files, the checkpoint and the predictions with their recorded hashes.
    Raises UserError when run.json is invalid.
    """
    stages = read_record(folder)
    for stage in ("train", "infer"):
        if stages.get(stage, {}).get("status") != "finished":
            return [f"{stage} has not finished"]
    reasons = [*stale_training(folder), *stale_stage(stages["infer"])]
    reasons += _changed(stages["infer"]["files"], "result", sha256_file)
    if stages["train"]["checkpoint"] != stages["infer"]["checkpoint"]:
        reasons.append("the predictions were made with another checkpoint")
    return list(dict.fromkeys(reasons))


def git_state() -> dict[str, Any]:
    """Return the commit, and whether files differ from it; None for both outside a checkout.

    The ledger and results/ do not count, because the commands write them themselves.
    """

    def git(*arguments: str) -> str | None:
        done = subprocess.run(["git", *arguments], cwd=root(), capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    status = git("status", "--porcelain", "--", ".", ":!submissions/ledger.jsonl", ":!results")
    return {"commit": commit, "dirty": None if commit is None else bool(status)}
