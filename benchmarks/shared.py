"""Shared by the benchmarks: texts, child processes that report as JSON, peak memory, Markdown tables, recorded results.

BENCH_DATA in the environment names the competition whose rows are used; BENCH_RESULTS another folder for the results.
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.data.competition_file import load_competition
from common.data.rows import Row, read_split

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(os.environ.get("BENCH_RESULTS") or ROOT / "benchmarks" / "results")


def rows(count: int, split: str = "train") -> tuple[list[Row], str]:
    """Return the first rows of the real competition if its data is in place, else of the embedded sample.

    The second value is the name of the competition.
    """
    wanted = os.environ.get("BENCH_DATA")
    for name in (wanted,) if wanted else ("dialogue_summarization", "daily_talk"):
        chosen = load_competition(name)
        if (ROOT / "competitions" / name / "data" / f"{split}.csv").exists():
            return list(read_split(chosen, split).rows[:count]), name  # type: ignore[arg-type]
    raise SystemExit(f"no {split}.csv in competitions/{wanted or 'daily_talk'}/data")


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


def peak_megabytes() -> float:
    """Return this process's peak memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def processor() -> str:
    """Return the name of this machine's processor, its number of cores, and the units that matter for speed."""
    lines: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            lines.setdefault(name.strip(), value.strip())
    except OSError:
        pass
    name = lines.get("model name") or platform.processor() or platform.machine()
    flags = lines.get("flags", "").split()
    units = [unit for unit in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if unit in flags]
    family = f", family {lines['cpu family']}" if "cpu family" in lines else ""
    return f"{name}{family}, {os.cpu_count()} cores{', ' + ' '.join(units) if units else ''}"


def commit() -> str:
    """Return the commit of the code, with + when code was changed since; "unknown" outside of git.

    The pages and results that benchmarks write do not count.
    """
    git = ["git", "-C", str(ROOT)]
    done = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    if done.returncode:
        return "unknown"
    command = [*git, "diff", "--quiet", "HEAD", "--", ".", ":(exclude)docs", ":(exclude)benchmarks/results"]
    changed = subprocess.run(command, capture_output=True, check=False).returncode != 0
    return done.stdout.strip() + "+" * changed


def record(work: str, row: str, peer: str, ratios: Sequence[float], data: str, **more: Any) -> None:
    """Append a result to benchmarks/results: how many times faster than the peer this work was, once for each round.

    `more`: further measured values, as JSON.
    """
    line = {
        "work": work, "row": row, "peer": peer, "ratios": [round(ratio, 4) for ratio in ratios], "data": data,
        "processor": processor(), "load": round(os.getloadavg()[0], 1), "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(), **more,
    }  # fmt: skip
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / f"{work}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def spread(values: Sequence[float]) -> str:
    """Return median and range of some ratios, as in 2.41× (2.30–2.52)."""
    digits = 0 if min(values) >= 100 else 1 if min(values) >= 10 else 2
    middle, low, high = (
        f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values))
    )
    return f"{middle}× ({low}–{high})"
