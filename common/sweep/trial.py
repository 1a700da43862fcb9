"""Run one trial: an ordinary training in a process of its own, followed by its metrics and stopped politely."""

import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import root, shown
from common.core.json_lines import read_lines
from common.core.launch import WITH_PARENT
from common.core.messages import cut
from common.core.paths import outputs
from common.core.threads import limit_threads, share_of_cores
from common.sweep.gpus import Lent
from common.sweep.storage import VARIABLE
from common.sweep.study import Claim
from common.sweep.sweep_file import SweepFile, trial_arguments

RESUMED = 2
"""How often a trial that something else killed is resumed by one worker, before it counts as failed."""
PATIENCE = 600.0
"""Seconds that a process gets to save its state after SIGTERM; then it is killed."""
PRIVATE = (
    "storage",
    VARIABLE,
    "PGPASSWORD",
    "PGPASSFILE",
    "WANDB_SWEEP_ID",
    "WANDB_RUN_ID",
    "KDS_GIVEN",
    "KDS_GOALS",
    "MAKEFLAGS",
    "MAKEOVERRIDES",
    "MFLAGS",
)
"""Environment variables that are not a trial's business."""


@dataclass(frozen=True)
class How:
    """What all trials of a worker have in common."""

    sweep: SweepFile
    competition: str
    folder: Path
    """The sweep's own folder, for the trials' output."""
    jobs: int
    gpus: int
    track: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Dotted name → value of the experiment's settings without those of the sweep."""


@dataclass
class Trial:
    """A trial that this worker runs."""

    how: How
    claim: Claim
    run: str
    lent: Lent
    process: "subprocess.Popen[bytes] | None" = None
    began: float = 0.0
    seconds: float = 0.0
    """Seconds that its finished processes took, those of other workers included."""
    starts: int = 0
    stopping: float | None = None
    """When it was asked to stop, on the clock of `time.monotonic`."""
    pruned: bool = False
    """Whether it was stopped because other trials do better."""
    values: list[float] = field(default_factory=list)
    """The metric at each evaluation so far."""
    scores: list[float] = field(default_factory=list)
    """The score at each evaluation, by which training chooses the checkpoint that it keeps; [] when it has none."""
    judged: int = 0
    """Number of evaluations after which it was decided that it goes on."""
    size: int = -1
    """Bytes of metrics.jsonl when it was last read."""
    checked: bool = False
    """Whether its code was compared with the study's recipe."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return outputs(self.how.competition) / self.run

    @property
    def log(self) -> Path:
        """The file with the output of its processes."""
        return self.how.folder / f"{self.run}.log"

    @property
    def minutes(self) -> float:
        """Minutes that its processes took so far."""
        now = time.monotonic() - self.began if self.process else 0.0
        return round((self.seconds + now) / 60, 3)

    def start(self) -> None:
        """Start or resume the training."""
        how = self.how
        stage = f"experiments.{how.sweep.experiment}.train"
        options = ["--competition", how.competition, "--run", self.run, "--renew", "--track", how.track]
        # --renew: an older run with this name, of a study that is gone, moves aside.
        words = [stage, *options, *trial_arguments(self.claim.settings)]
        if how.gpus > 1:
            words = ["common.core.torchrun", f"--nproc-per-node={how.gpus}", "--standalone", "-m", "--", "common.core.launch", *words]  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if name not in PRIVATE}
        environment |= {"PYTHONUNBUFFERED": "1", WITH_PARENT: str(os.getpid())}
        if how.jobs > 1:
            limit_threads(environment, share_of_cores(how.jobs))
        if self.lent.names:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(self.lent.names)
        self.began, self.starts = time.monotonic(), self.starts + 1
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "common.core.launch", *words],
                cwd=root(), env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                pass_fds=self.lent.locks, start_new_session=True,  # Ctrl-C is for the sweep, which stops its trials
            )  # fmt: skip

    def read_metrics(self) -> bool:
        """Read the metric at each evaluation so far; return whether there are new ones."""
        path = self.folder / "metrics.jsonl"
        try:
            size = path.stat().st_size
        except OSError:
            return False
        if size == self.size:
            return False
        by_step: dict[Any, tuple[float, Any]] = {}
        try:
            lines = read_lines(path)
        except UserError:  # it is being written
            return False
        for line in lines:
            value = line.get(self.how.sweep.metric)
            if isinstance(value, int | float) and value == value:
                by_step[line.get("step", len(by_step))] = (float(value), line.get("score"))
        self.size = size
        values = [value for value, _ in by_step.values()]
        scores = [score for _, score in by_step.values() if isinstance(score, int | float)]
        self.scores = scores if len(scores) == len(values) else []
        new = values != self.values
        self.values = values
        return new

    def stop(self) -> None:
        """Ask the process to save its state and end; kill it when it was asked long ago."""
        if self.process is None or not self.runs:
            return
        if self.stopping is None:
            self.stopping = time.monotonic()
            self.process.send_signal(signal.SIGTERM)
        elif time.monotonic() - self.stopping > PATIENCE:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def runs(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def ended(self) -> int | None:
        """Return the exit code of the process, negative or above 128 for a signal; None while it runs."""
        return None if self.process is None else self.process.poll()

    def settle(self) -> None:
        """Count the time of the process that ended."""
        self.seconds += time.monotonic() - self.began
        self.process = None
        self.stopping = None

    @property
    def expected(self) -> float:
        """Number of evaluations of the whole training: one that ends anyway is not stopped early."""
        settings = {**self.how.recipe, **self.claim.settings}
        epochs, every = settings.get("training.epochs"), settings.get("training.evaluate_every")
        return max(1, round(epochs / every)) if epochs and every else math.inf

    @property
    def best(self) -> float | None:
        """The metric of the checkpoint that training keeps so far; None before the first evaluation.

        Another checkpoint, which is gone, may have had a better value.
        """
        if not self.values:
            return None
        if self.scores:
            return self.values[self.scores.index(max(self.scores))]
        return max(self.values) if self.how.sweep.goal == "maximize" else min(self.values)

    def reason(self, code: int) -> str:
        """Return why the process failed: the error in its output, or its exit code."""
        try:
            text = self.log.read_bytes()[-20_000:].decode("utf-8", "replace")
        except OSError:
            text = ""
        found = re.findall(r"(?m)^(?:error: |(?:\w+\.)*\w*(?:Error|Exception): )(.+)$", text)
        if code < 0 or code > 128:
            number = -code if code < 0 else code - 128
            with suppress(ValueError):
                name = signal.Signals(number).name
                return f"ended by {name} {self.starts} times; is the memory large enough? Its output: {shown(self.log)}"
        return cut(found[-1], 300) if found else f"exit code {code}; its output: {shown(self.log)}"
