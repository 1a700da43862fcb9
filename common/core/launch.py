"""Run a module as `python -m MODULE` does, but end with one line when a signal arrives during its imports."""

import os
import runpy
import sys
from typing import NoReturn

from common.core import signals


def become(module: str, *arguments: str) -> NoReturn:
    """Replace this process by `python -m MODULE ARGUMENTS`, so that it gets the signals and sets the exit code."""
    sys.stdout.flush()
    signals.hold()
    os.execv(sys.executable, [sys.executable, "-m", "common.core.launch", module, *arguments])


if __name__ == "__main__":
    signals.leave_at_once()
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
