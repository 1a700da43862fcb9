"""What the training and generation benchmarks share: texts, a trained tokenizer, children that report as JSON."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import competition
from common.rows import Row, read_split

ROOT = Path(__file__).resolve().parents[1]


def rows(count: int, split: str = "train") -> tuple[list[Row], str]:
    """The first rows of the real competition where its data is in place, else of the embedded sample; and which."""
    for name in ("dialogue_summarization", "daily_talk"):
        chosen = competition.load(name)
        if (ROOT / "competitions" / name / "data" / f"{split}.csv").exists():
            return list(read_split(chosen, split).rows[:count]), name  # type: ignore[arg-type]
    raise SystemExit("no data")


def child(script: str, *words: str, extra_path: str = "") -> dict[str, Any]:
    """What `python SCRIPT WORDS` printed last, as JSON; one thread, a process of its own, so that memory is its own."""
    path = os.pathsep.join(part for part in (str(ROOT), extra_path) if part)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [sys.executable, script, *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{words}:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def peak_megabytes() -> float:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
