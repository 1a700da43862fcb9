"""Run a module as `python -m MODULE` does, but end with one line when a signal arrives during its imports."""

import ctypes
import os
import runpy
import signal
import sys
from typing import NoReturn

from common.core import signals
from common.core.gpus import grow_memory
from common.core.messages import quiet_libraries

WITH_PARENT = "KDS_END_WITH_PARENT"
"""Environment variable with the id of the parent process, for a process that must end when its parent is killed."""


def become(module: str, *arguments: str) -> NoReturn:
    """Replace this process by `python -m MODULE ARGUMENTS`, so that it gets the signals and sets the exit code."""
    sys.stdout.flush()
    signals.hold()
    os.execv(sys.executable, [sys.executable, "-m", "common.core.launch", module, *arguments])


def end_with_parent() -> None:
    """Make Linux send SIGTERM to this process when torchrun or a sweep, which started it, is killed."""
    parent = os.environ.pop(WITH_PARENT, "")  # not for processes that this one starts
    if (parent or "TORCHELASTIC_RUN_ID" in os.environ) and sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))  # 1 is PR_SET_PDEATHSIG
    if parent and os.getppid() != int(parent):  # it was killed before the line above
        sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signals.leave_at_once()
    grow_memory(sys.argv[2:])
    end_with_parent()
    quiet_libraries()
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
