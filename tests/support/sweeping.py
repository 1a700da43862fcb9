"""A small repository with an experiment that trains in a second, deterministically and without torch, and its sweep file.

The score after evaluation n is `peak(settings) * n / evaluations`; a checkpoint says how many evaluations are done.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common.core.json_lines import read_lines
from tests.support import repository

CONFIG = '''"""exp001's settings."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from common.core.ranges import DevRows
from common.generation.config import DecodingConfig
from common.postprocess.rules import PostprocessConfig
from common.training.config import TrainingConfig

TITLE = "exp001 of the tests"
MODEL = "none"
NEEDS = "cpu"


@dataclass(frozen=True)
class Config:
    seed: int = 1
    width: Annotated[int, Ge(1), Le(100)] = 8
    seconds: Annotated[float, Ge(0), Le(100)] = 0.05
    """Seconds between two evaluations."""
    fail: bool = False
    dev_rows: DevRows = 50
    training: TrainingConfig = TrainingConfig(epochs=4)
    decoding: DecodingConfig = DecodingConfig()
    postprocess: PostprocessConfig = PostprocessConfig()
'''
TRAIN = '''"""exp001, train."""

import os
import time

from common.core import signals, verified_folder
from common.core.errors import UserError
from common.core.files import write_json
from common.core.json_lines import append_line, read_lines
from common.core.signals import Interrupted
from common.runs import Run, main
from experiments.exp001.config import Config


def train(run: Run[Config]) -> None:
    how, rate, evaluations = run.config, run.config.training.learning_rate, int(run.config.training.epochs)
    run.split("train")
    run.split("dev")
    if how.fail:
        raise UserError("this setting cannot be trained; choose another one.")
    metrics = run.folder / "metrics.jsonl"
    storage = [name for name, value in os.environ.items() if "postgresql:" in value]
    append_line(run.folder / "starts.jsonl", {"gpus": os.environ.get("CUDA_VISIBLE_DEVICES"), "storage": storage})
    (run.folder / "checkpoints" / "step-0").mkdir(parents=True, exist_ok=True)
    peak = 50 - 100 * abs(rate - 0.3) - abs(how.width - 20)
    with signals.noted():
        for number in range(len(read_lines(metrics)) + 1, evaluations + 1):
            until = time.monotonic() + how.seconds
            while time.monotonic() < until:
                time.sleep(0.01)
                if stop := signals.pending():
                    raise Interrupted(stop, f"after {number - 1}; checkpoint saved")
            score = peak * number / evaluations
            line = {"step": number, "train_loss": 1 / number, "score": score, "rouge_sum": score, "distinct": 1.0}
            append_line(metrics, line)
    verified_folder.save(run.folder / "best", lambda folder: write_json(folder / "m.json", [int(peak > 30), 1]))
    run.finish()


if __name__ == "__main__":
    main("train", __file__, Config(), Config(), train)
'''
SWEEP = """
method: random
metric: {name: rouge_sum, goal: maximize}
parameters:
  learning_rate: {min: 0.01, max: 1.0}
  width: {values: [8, 16, 20]}
"""


def build(root: Path, sweep: str = SWEEP) -> Path:
    """Write the repository and return its folder."""
    repository.build(root)
    folder = root / "experiments" / "exp001"
    (folder / "config.py").write_text(CONFIG, encoding="utf-8")
    (folder / "train.py").write_text(TRAIN, encoding="utf-8")
    (folder / "sweep.yaml").write_text(sweep, encoding="utf-8")
    return root


def start(
    root: Path, *arguments: str, stderr: int = subprocess.PIPE, **variables: str
) -> "subprocess.Popen[str]":
    """Start `python -m common sweep exp001` as a worker in the repository."""
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "MAKE", "KDS_"))
    }
    environment = {
        **own,
        "OMP_NUM_THREADS": "1",
        **variables,
        "KDS_ROOT": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "common", "sweep", "exp001", *arguments]
    return subprocess.Popen(
        command, cwd=root, env=environment, text=True, stdout=subprocess.PIPE, stderr=stderr
    )


def sweep(root: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m common sweep exp001` to its end."""
    process = start(root, *arguments, **variables)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def reported(root: Path, name: str = "sweep") -> dict[str, Any]:
    """Return report.json of a sweep."""
    path = root / "outputs" / "talk" / "sweeps" / f"exp001-{name}" / "report.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def run_folder(root: Path, number: int, name: str = "sweep") -> Path:
    """Return the folder of a trial's run."""
    return root / "outputs" / "talk" / f"exp001-{name}_{number:03}"


def wait_for(what: "Any", seconds: float = 60.0) -> None:
    """Wait until `what()` is true. AssertionError when it never is."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)


def steps(folder: Path) -> list[int]:
    """Return the steps that a run's metrics.jsonl lists."""
    return [line["step"] for line in read_lines(folder / "metrics.jsonl")]
