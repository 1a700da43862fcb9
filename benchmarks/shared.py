"""Shared by the benchmarks: texts, child processes that report as JSON, peak memory, Markdown tables."""

import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.data.competition_file import load_competition
from common.data.rows import Row, read_split

ROOT = Path(__file__).resolve().parents[1]


def rows(count: int, split: str = "train") -> tuple[list[Row], str]:
    """Return the first rows of the real competition if its data is in place, else of the embedded sample.

    The second value is the name of the competition.
    """
    for name in ("dialogue_summarization", "daily_talk"):
        chosen = load_competition(name)
        if (ROOT / "competitions" / name / "data" / f"{split}.csv").exists():
            return list(read_split(chosen, split).rows[:count]), name  # type: ignore[arg-type]
    raise SystemExit(
        f"no {split}.csv in competitions/dialogue_summarization/data or competitions/daily_talk/data"
    )


def child(script: str, *arguments: str, extra_path: str = "") -> dict[str, Any]:
    """Return the last line that `python SCRIPT ARGUMENTS` printed, parsed as JSON.

    The script runs with one thread in a process of its own, so that its memory is measured alone.
    """
    path = os.pathsep.join(part for part in (str(ROOT), extra_path) if part)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [sys.executable, script, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{arguments}:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def processor() -> str:
    """Return the processor's name where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] else platform.machine()


def peak_megabytes() -> float:
    """Return this process's peak memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
