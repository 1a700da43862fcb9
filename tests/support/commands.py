"""Run commands of `python -m common` and `make` in a repository."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support import REPOSITORY

Ended = subprocess.CompletedProcess[str]


def environment_without_make() -> dict[str, str]:
    """The environment without the level and the options of a make that runs the tests."""
    return {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }


def started(repository: Path, *command: str, **variables: str) -> Ended:
    # When make runs the tests, its own level and options are none of this command's.
    own = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    environment = {**own, **variables, "KDS_ROOT": str(repository), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, check=False
    )


def make(repository: Path, *arguments: str, **variables: str) -> Ended:
    """Run `make` in the repository; its setup targets count as up to date."""
    venv = Path(sys.prefix)
    options = ["-f", str(REPOSITORY / "Makefile"), f"VENV={venv}", "-o", str(venv / "ready")]
    return started(repository, "make", *options, *arguments, **variables)


def failed(ended: Ended, *parts: str, code: int = 1) -> None:
    """Check for one error message with every part, nothing on stdout and no traceback."""
    assert ended.returncode == code, ended
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert len(re.findall(r"(?m)^(?:error|Error): |\*\*\* .* Stop\.$", ended.stderr)) == 1, ended.stderr
    for part in parts:
        assert part in ended.stderr


def files(repository: Path) -> dict[str, bytes]:
    found = (
        p
        for p in repository.rglob("*")
        if p.is_file() and p.suffix != ".lock" and "__pycache__" not in p.parts
    )
    return {str(path.relative_to(repository)): path.read_bytes() for path in found}
