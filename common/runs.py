"""Reading run folders: where they are, what they recorded, whether that still holds. Never imports torch."""

import ast
import hashlib
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.checkpoints import fingerprint
from common.errors import UserError
from common.files import read_json, root, sha256_file, shown

EXPERIMENT = re.compile(r"exp[0-9]{3}")
RUN_NAME = re.compile(r"exp[0-9]{3}(-[a-z0-9][a-z0-9_.]*)?")


@dataclass(frozen=True)
class Experiment:
    """What an experiment's config.py says of it in plain constants."""

    name: str
    title: str
    model: str
    needs: str


def experiments() -> list[str]:
    """The names of all experiments, in order: folders with a config.py."""
    found = (path.parent.name for path in (root() / "experiments").glob("exp*/config.py"))
    return sorted(name for name in found if EXPERIMENT.fullmatch(name))


def require_experiment(name: str) -> str:
    """The name, when such an experiment exists. Raises UserError listing those that do."""
    if not EXPERIMENT.fullmatch(name):
        raise UserError(f"experiment {name!r}: wanted exp and three digits, as in exp002. {_known()}")
    if not (root() / "experiments" / name / "config.py").is_file():
        raise UserError(f"experiment {name!r} does not exist. {_known()}")
    return name


def _known() -> str:
    return f"There are {', '.join(experiments()) or 'none'}; start one with: make new exp=exp0NN from=exp002"


def describe(name: str) -> Experiment:
    """Title, model and needs of an experiment, read without importing it. Raises UserError when one is missing."""
    path = root() / "experiments" / name / "config.py"
    constants: dict[str, Any] = {}
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{shown(path)}: not valid Python ({error}); mend that line.") from error
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
    """The folder that holds a competition's runs; smoke runs have one of their own."""
    return root() / "outputs" / "smoke" / competition if smoke else root() / "outputs" / competition


def run_folder(competition: str, run: str) -> Path:
    """Where a run lives. Raises UserError for a name that is no run's."""
    if not RUN_NAME.fullmatch(run):
        raise UserError(
            f"run {run!r}: wanted an experiment or a variant of one, as in exp002 or exp002-seed2."
        )
    return outputs(competition) / run


def record(folder: Path) -> dict[str, Any]:
    """What run.json holds, by stage; {} when there is none. Raises UserError when it is broken."""
    path = folder / "run.json"
    if not path.exists():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{shown(path)}: not a run record; train again with restart=1.")
    return content


def code_hash(path: Path) -> str:
    """Hex sha256 of a Python file's syntax tree: comments, docstrings and layout do not count.

    Of a file that is no valid Python, the sha256 of its bytes.
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
    """Which of the recorded code files differ now, as reasons to print."""
    return _changed(hashes, "code", code_hash)


def stale_stage(stage: dict[str, Any]) -> list[str]:
    """Why a recorded train or infer stage would come out otherwise today: changed code, data or other runs it needs.

    [] if none.
    """
    data = {name: entry["sha256"] for name, entry in stage["data"].items()}
    mixed: list[str] = stage["notes"].get("mixed", [])
    others = _changed_runs(stage.get("runs", {}))
    return [*changed_code(stage["code"]), *_changed(data, "data", sha256_file), *others, *mixed]


def _changed_runs(checkpoints: dict[str, str]) -> list[str]:
    """Which of the runs that a stage was made of (a soup's ingredients) are others now, or stale themselves."""
    reasons = []
    for name, expected in checkpoints.items():
        train = record(root() / name).get("train")
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
    """Why training would have to begin anew: changed code, data or checkpoint; [] if none, or never begun."""
    train = record(folder).get("train")
    if train is None:
        return []
    reasons = stale_stage(train)
    if train["status"] == "finished":
        try:
            if fingerprint(folder / "best") != train["checkpoint"]:
                reasons.append("the checkpoint is another than the one that training made")
        except UserError as error:
            reasons.append(str(error))
    return reasons


def require_trained(folder: Path, where: str = "") -> None:
    """Nothing when a run's training has ended; else raises UserError, beginning with `where`, that says how to train it."""
    if record(folder).get("train", {}).get("status") != "finished":
        option = f" run={folder.name}" if "-" in folder.name else ""
        raise UserError(
            f"{where}{shown(folder)} has not been trained; first run: make exp={folder.name.split('-')[0]} train{option}"
        )


def needs_training(folder: Path) -> bool:
    """Whether mending a stale or absent run begins with training, not only with inference."""
    train = record(folder).get("train", {})
    return train.get("status") != "finished" or bool(stale_training(folder))


def words(overrides: Mapping[str, Any]) -> list[str]:
    """Recorded overrides as the command line said them: ["--training.learning_rate=3e-05"]."""
    return [
        f"--{name}={','.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in overrides.items()
    ]


def unfinished(folder: Path) -> bool:
    """Whether a run has no predictions at all: a stage was never run or was cut off."""
    stages = record(folder)
    return any(stages.get(stage, {}).get("status") != "finished" for stage in ("train", "infer"))


def stale_reasons(folder: Path) -> list[str]:
    """Why the predictions of a run no longer are what the repository would make now; [] when they are.

    Compares the code files that ran, data files, checkpoint and predictions with their recorded hashes.
    Raises UserError when run.json is broken.
    """
    stages = record(folder)
    for stage in ("train", "infer"):
        if stages.get(stage, {}).get("status") != "finished":
            return [f"{stage} has not finished"]
    reasons = [*stale_training(folder), *stale_stage(stages["infer"])]
    reasons += _changed(stages["infer"]["files"], "result", sha256_file)
    if stages["train"]["checkpoint"] != stages["infer"]["checkpoint"]:
        reasons.append("the predictions were made with another checkpoint")
    return list(dict.fromkeys(reasons))


def git_state() -> dict[str, Any]:
    """Commit and whether files differ from it; nulls outside a checkout.

    The ledger and results/ do not count: the commands write them themselves.
    """

    def git(*words: str) -> str | None:
        done = subprocess.run(["git", *words], cwd=root(), capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    status = git("status", "--porcelain", "--", ".", ":!submissions/ledger.jsonl", ":!results")
    return {"commit": commit, "dirty": None if commit is None else bool(status)}
