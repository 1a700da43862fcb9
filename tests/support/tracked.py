"""Start processes with a W&B key in their environment."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

KEY = "canary0123456789canary0123456789canary01"
SECRET = "secret-canary-8d1f"
WANTED = ("WANDB_", "KDS_", "NETRC", "PYTHONPATH")  # variables of this machine that must not affect the tests


def environment(root: Path, **values: str) -> dict[str, str]:
    """Return the environment of a user with a new home folder, a W&B key and another secret."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(WANTED)}
    return (
        kept
        | {"HOME": str(root.parent), "OMP_NUM_THREADS": "1", "WANDB_API_KEY": KEY, "MY_SECRET": SECRET}
        | values
    )


def start(root: Path, *arguments: str, **values: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-m", *arguments], cwd=root, env=environment(root, **values),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")  # fmt: skip


def run(root: Path, *arguments: str, **values: str) -> tuple[int, str]:
    process = start(root, *arguments, **values)
    output, _ = process.communicate()
    return process.returncode, output


def files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
