"""Run the benchmarks one after another, and write docs/performance.md from their recorded results.

    python benchmarks/bench.py                             (make bench)
    python benchmarks/bench.py --only rouge --rounds 3     one of them; --only may be repeated
    python benchmarks/bench.py --page                      writes the page without measuring

Each benchmark appends its results to benchmarks/results/, one JSON line for each row. One that already has results of this
commit, processor and data is skipped (--again measures it again), so an interrupted run goes on where it stopped. Rows of
the real competition are used where they are in place and --data names it. What limits each work is written by hand in
benchmarks/limits/. Peers that are not dependencies are left out, unless --peers names a folder that they are installed into.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

# Last, because rouge.py beside this file is not the package rouge.
sys.path.append(str(Path(__file__).resolve().parent))

from shared import RESULTS, ROOT, commit, processor, spread, table

from common.core.errors import UserError
from common.core.messages import brief
from common.core.terminal import error_line

PAGE = ROOT / "docs" / "performance.md"
LIMITS = ROOT / "benchmarks" / "limits"
PEERS = {"training": "--trl", "llm": "--peer", "blending": "--peer"}
"""Benchmark → its option for the folder of its peers."""
WORKS = ("rouge", "generation", "training", "start_up", "llm", "blending")
OWN_DATA = {"llm": "invented dialogues"}
"""Benchmarks that use no rows of a competition → what they use."""


class Goal(NamedTuple):
    """What a benchmark must reach: a median ratio, at least `ratio`, or at most where `most` is true."""

    work: str
    row: str
    """Beginning of the recorded row."""
    peer: str
    """The recorded peer, without its version."""
    ratio: float
    most: bool = False


GOALS = (
    Goal("rouge", "common.rouge, 1 thread, 12,000", "korouge-score", 100),
    Goal("rouge", "common.rouge, profile rouge101, 1 thread", "rouge 1.0.1", 100),
    Goal("rouge", "common.rouge pairwise, 1 thread", "korouge-score double loop", 700),
    Goal("training", "bart, fit", "Seq2SeqTrainer", 2),
    Goal("training", "gemma, fit", "SFTTrainer", 2),
    Goal("generation", "small BART, greedy", "loop of generate, file order, batches of 8", 3),
    Goal("generation", "small BART, greedy", "Seq2SeqTrainer.predict, file order, batches of 8", 3),
    Goal("start_up", "--help", "python -c pass", 10, most=True),
    Goal("start_up", "list", "python -c pass", 10, most=True),
    Goal("llm", "share of the ideal throughput", "ideal", 0.95),
    Goal("blending", "trials of a search", "Optuna's TPE", 1),
)


def recorded() -> list[dict[str, Any]]:
    """Return the newest result of each work, row, peer, data set and processor, in the order of first recording."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for work in WORKS:
        path = RESULTS / f"{work}.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            one = json.loads(line)
            found[tuple(one[name] for name in ("work", "row", "peer", "data", "processor"))] = one
    return list(found.values())


def done(work: str, data: str) -> bool:
    """Return whether this commit has results of a benchmark on this processor and data set."""
    wanted = {"work": work, "data": OWN_DATA.get(work, data), "commit": commit(), "processor": processor()}
    return any(all(line[name] == value for name, value in wanted.items()) for line in recorded())


def run(work: str, options: argparse.Namespace) -> int:
    """Run one benchmark and return its exit code."""
    command = [sys.executable, str(ROOT / "benchmarks" / f"{work}.py"), "--rounds", str(options.rounds)]
    path = [str(ROOT)]
    if options.peers:
        path.append(options.peers)
        command += [PEERS[work], options.peers] if work in PEERS else []
    if work == "training" and options.again:
        command.append("--again")
    environment = os.environ | {"BENCH_DATA": options.data, "PYTHONPATH": os.pathsep.join(path)}
    if work != "rouge":  # which measures one thread and all of them
        environment["OMP_NUM_THREADS"] = "1"
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def page(lines: Sequence[dict[str, Any]]) -> str:
    """Return docs/performance.md: goals and further results in tables, and what limits each work."""
    goals, used = [], set()
    for goal in GOALS:
        fitting = [
            line for line in lines
            if line["work"] == goal.work and line["row"].startswith(goal.row)
            and (line["peer"] == goal.peer or line["peer"].startswith(f"{goal.peer} "))
        ]  # fmt: skip
        if not fitting:
            sign = "≤" if goal.most else "≥"
            goals.append(
                [goal.work, goal.row, goal.peer, f"{sign} {goal.ratio:g}", "not measured", *["–"] * 5]
            )
        for line in fitting:
            if id(line) not in used:
                used.add(id(line))
                goals.append(_row(line, goal))
    further = [_row(line, None) for line in lines if id(line) not in used]
    head = ["work", "row", "peer = 1", "target", "ratio (min–max)", "rounds", "data", "processor", "date",
            "commit"]  # fmt: skip
    parts = [
        "# Performance",
        "Generated by `make bench` (`benchmarks/bench.py`) from benchmarks/results/ and benchmarks/limits/; do not edit. A ratio "
        "is taken within a round, and the median of the rounds counts. A commit with + had further changes. The load is the "
        "one-minute load average when the row was recorded; above the number of cores, other work took part of the time.",
        "Processors: " + ("; ".join(sorted({line["processor"] for line in lines})) or "none yet") + ".",
        table(head, goals),
    ]
    if further:
        parts += ["## Further results", table(head, further)]
    for path in sorted(LIMITS.glob("*.md")):
        parts.append(path.read_text(encoding="utf-8").strip())
    return "\n\n".join(parts) + "\n"


def _row(line: dict[str, Any], goal: Goal | None) -> list[str]:
    """Return a line of the table for a recorded result."""
    target = "–"
    if goal:
        middle = statistics.median(line["ratios"])
        met = middle <= goal.ratio if goal.most else middle >= goal.ratio
        target = f"{'≤' if goal.most else '≥'} {goal.ratio:g}, {'met' if met else 'missed'}"
    measured = line["processor"].split(", ")[0] + f", load {line['load']}"
    return [line["work"], line["row"], line["peer"], target, spread(line["ratios"]), str(len(line["ratios"])),
            line["data"], measured, line["date"], line["commit"]]  # fmt: skip


def stop(message: str) -> NoReturn:
    """Print one line to stderr and exit with 2."""
    sys.stderr.write(error_line(UserError(message)) + "\n")
    sys.exit(2)


def main() -> int:
    """Run the benchmarks that have no results yet, and write the page. Return 1 when one of them failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.error = stop  # type: ignore[assignment, method-assign]
    parser.add_argument("--only", action="append", choices=WORKS, help="one benchmark; may be repeated")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each benchmark; default: 3")
    parser.add_argument("--data", default="daily_talk", help="competition whose rows are used")
    parser.add_argument("--peers", default="", help="folder that the peers were installed into")
    parser.add_argument("--again", action="store_true", help="measure again what has results of this commit")
    parser.add_argument("--page", action="store_true", help="write the page without measuring")
    options = parser.parse_args()
    if options.rounds < 1:
        stop(f"--rounds must be at least 1, not {options.rounds}.")
    if not (ROOT / "competitions" / Path(options.data).name / "data" / "train.csv").is_file():
        stop(
            f"--data {brief(options.data)}: competitions/ has no such competition with data; name one, such as daily_talk."
        )
    if options.peers and not Path(options.peers).is_dir():
        stop(
            f"--peers {brief(options.peers)}: no such folder; name the one that the peers were installed into."
        )
    failed = []
    for work in () if options.page else options.only or WORKS:
        if done(work, options.data) and not options.again:
            print(f"{work}: has results of {commit()} on {options.data}; --again measures again", flush=True)
            continue
        began = time.monotonic()
        print(f"{work} …", flush=True)
        if run(work, options):
            failed.append(work)
        print(f"{work}: {time.monotonic() - began:.0f} s", flush=True)
    PAGE.write_text(page(recorded()), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    if failed:
        sys.stderr.write(error_line(f"{', '.join(failed)} failed; the lines above say why.") + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
