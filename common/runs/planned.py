"""Have several starts checked before the first of them, which may take hours, begins.

A process of its own checks them (`common.runs.start_planned`), because it imports the experiments' settings.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from common.core.errors import UserError
from common.core.files import root


@dataclass(frozen=True)
class Planned:
    """A stage that a command will start."""

    name: str
    """What messages call it, such as the run."""
    stage: str
    experiment: str
    arguments: Sequence[str]
    processes: int = 1
    trained: bool = True
    """For infer: whether its training has finished already; otherwise that is planned, too."""


def require_startable(planned: Sequence[Planned]) -> None:
    """Raise UserError, which names the first stage that could not start, as `check_start` does."""
    if not planned:
        return
    words = json.dumps([asdict(one) for one in planned])
    command = [sys.executable, "-m", "common.runs.start_planned", words]
    done = subprocess.run(command, cwd=root(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            done.stderr.strip() or f"the check of the starts ended with exit code {done.returncode}."
        )
