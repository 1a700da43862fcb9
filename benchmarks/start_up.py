"""Measure how long commands take to start, as ratios of `python -c pass`, and write docs/benchmarks-start-up.md.

    python benchmarks/start_up.py

Each round runs every command once, after `python -c pass`; the median of the rounds counts. A first round, which fills
caches, does not count. For `train` and `infer` the time ends with their first line. The page is written only where the load
is at most the number of cores; the results are recorded with the load in any case.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from shared import ROOT, processor, record, rows, table

LIMIT, FIRST_LINE = 0.5, 1.0
"""Seconds that a command, and the first line of a stage, may take on an idle machine."""
PASS_NAME = "python -c pass"
PASS = (sys.executable, "-c", "pass")
MOST = 499
"""Most predictions that are scored."""
STAGES = {
    f"{stage}, first line": ("-m", "common", stage, "exp002", "--smoke", "--competition", "daily_talk")
    for stage in ("train", "infer")
}


def commands(predictions: Path, competition: str, count: int) -> dict[str, tuple[str, ...]]:
    """Return what is shown in the table → the arguments of Python."""
    chosen = ("--competition", competition)
    score = ("--predictions", str(predictions), *chosen)
    named = {
        "--help": ("--help",),
        "doctor --help": ("doctor", "--help"),
        "list": ("list", *chosen),
        "settings exp012": ("settings", "exp012"),
        "settings exp006": ("settings", "exp006"),
        "runs": ("runs", *chosen),
        "results": ("results", *chosen),
        "leaderboard": ("leaderboard", *chosen),
        f"score, {count} rows": ("score", *score),
        f"compare, {count} rows": ("compare", "--a", str(predictions), "--b", str(predictions), *chosen),
        "train with a mistyped setting": ("train", "exp012", "--widht=3"),
    }
    return {name: ("-m", "common", *words) for name, words in named.items()}


def write_predictions(path: Path) -> tuple[str, int]:
    """Write a prediction for each dev row, its first turn; return the competition and the number of rows."""
    found, competition = rows(MOST, "dev")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["fname", "summary"])
        writer.writerows([row.id, row.dialogue.splitlines()[0]] for row in found)
    return competition, len(found)


def seconds(command: Sequence[str]) -> float:
    """Return the wall time of a command."""
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, check=False)
    return time.perf_counter() - began


def seconds_to_first_line(command: Sequence[str]) -> float:
    """Return the time until a command has written a line; then end it."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr
        line = process.stderr.readline()
        passed = time.perf_counter() - began
        process.kill()
    if b"loading libraries" not in line:
        raise SystemExit(f"{' '.join(command)}: unexpected first line {line!r}")
    return passed


def environment() -> dict[str, str]:
    """Return the environment of the commands."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**own, "PYTHONPATH": str(ROOT), "KDS_LANG": "en", "OMP_NUM_THREADS": "1"}


def measure(tried: dict[str, tuple[str, ...]]) -> dict[str, tuple[float, float]]:
    """Return one round: name → seconds, and their ratio to `python -c pass` of the same round."""
    base = statistics.median(seconds(PASS) for _ in range(5))
    found = {PASS_NAME: (base, 1.0)}
    for name, words in tried.items():
        timed = seconds_to_first_line if name in STAGES else seconds
        taken = timed((sys.executable, *words))
        found[name] = taken, taken / base
    return found


def main() -> None:
    """Measure, print the table, record the ratios, and write the page unless other work was running."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        predictions = Path(folder) / "predictions.csv"
        competition, count = write_predictions(predictions)
        tried = {**commands(predictions, competition, count), **STAGES}
        subprocess.run(
            (sys.executable, *STAGES["train, first line"]), cwd=ROOT, env=environment(), check=True
        )
        measure(tried)
        rounds = [measure(tried) for _ in range(options.rounds)]
    text = report(rounds, competition, load, cores)
    print(text)
    for name in rounds[0]:
        if name != PASS_NAME:
            record("start_up", name, PASS_NAME, [found[name][1] for found in rounds], competition)
    if load > cores:
        print(
            f"no page written: the load was {load:.1f} on {cores} cores, so other work took part of the time"
        )
        return
    (ROOT / "docs" / "benchmarks-start-up.md").write_text(text, encoding="utf-8")


def report(
    rounds: Sequence[dict[str, tuple[float, float]]], competition: str, load: float, cores: int
) -> str:
    """Return the page."""
    body = []
    for name in rounds[0]:
        times, ratios = ([found[name][i] for found in rounds] for i in (0, 1))
        limit = FIRST_LINE if name in STAGES else LIMIT
        body.append(
            [f"`{name}`", f"{statistics.median(ratios):.1f} ({min(ratios):.1f}–{max(ratios):.1f})",
             f"{statistics.median(times):.2f} s", "–" if name == PASS_NAME else f"{limit:.1f} s"]
        )  # fmt: skip
    return (
        "# Start-up of the commands\n\n"
        f"Generated by `benchmarks/start_up.py`; do not edit. {processor()}. Commands of `python -m common`, {len(rounds)} rounds after one that fills caches, median; data of "
        f"`{competition}`; load {load:.1f} on {cores} cores at the start. The ratio to `python -c pass` compares machines "
        "better than seconds do.\n\n"
        f"{table(['command', 'ratio to `python -c pass` (min–max)', 'time', 'limit, idle'], body)}\n"
    )


if __name__ == "__main__":
    main()
