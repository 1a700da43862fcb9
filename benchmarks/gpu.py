"""Measure what one GPU says of this repository's GPU paths, in at most 8 minutes and without network.

    python benchmarks/gpu.py                                 (make gpu-check)
    python benchmarks/gpu.py --page docs/benchmarks-gpu.md   writes the page from the last run
    python benchmarks/gpu.py --tiny                          tries the script itself, on a CPU

TRL and Liger are peers, not dependencies:

    pip install --no-deps --target /tmp/trl trl==1.16.0 liger-kernel==0.8.5
    python benchmarks/gpu.py --trl /tmp/trl

Weights are random, made on the device: speed, memory and sameness are measured, no quality. A section is skipped when the
time that is left is too short for it. Every section is one JSON line: {"section", "status", "seconds", "cases"}, also one
that failed (with the exception), was stopped or was skipped; each case has the most memory that it used. Running out of
memory is a result, not a failure. Messages of libraries and tracebacks go to log.txt beside the results.
"""

import argparse
import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

sys.path.append(
    str(Path(__file__).resolve().parent)
)  # for python -m benchmarks.gpu; last, because rouge.py is not rouge

from gpu_sections import page
from gpu_sections.worker import SECTIONS, Section, work

from common.core.errors import UserError, first_line
from common.core.files import root, shown, write_text
from common.core.messages import brief
from common.core.terminal import error_line

START = 120.0
"""Most seconds for a new process to import everything."""
PATIENCE = 600.0
"""Most seconds for a section with tiny models, on a machine that is busy with other work."""


def stop(message: str) -> NoReturn:
    """Print one line to stderr and exit with 2."""
    sys.stderr.write(error_line(UserError(message)) + "\n")
    sys.exit(2)


class Worker:
    """A process that runs sections, one after another; see gpu_sections/worker.py."""

    def __init__(self, options: argparse.Namespace, log: Any) -> None:
        command = [sys.executable, str(Path(__file__).resolve()), "--worker", "--trl", options.trl]
        self.process = subprocess.Popen(
            command + ["--tiny"] * options.tiny, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )  # fmt: skip
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        first = self.next(START)
        self.ready, self.gpu = bool(first and first.get("ready")), bool(first and first.get("gpu"))

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def next(self, seconds: float) -> dict[str, Any] | None:
        """Return the next line; None when none comes in time, or the process has ended."""
        with contextlib.suppress(queue.Empty, ValueError):  # ValueError: it was killed while it wrote
            line = self.lines.get(timeout=max(0.0, seconds))
            found: dict[str, Any] | None = json.loads(line) if line else None
            return found
        return None

    def alive(self) -> bool:
        return self.process.poll() is None

    def measure(
        self, name: str, most: float, note: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> dict[str, Any]:
        """Run a section for at most so many seconds and return its line, without its name.

        `note` gets the line so far after each case, so that it survives when this process is killed.
        """
        began, cases = time.monotonic(), dict[str, Any]()
        line: dict[str, Any] = {"status": "done", "seconds": 0.0, "cases": cases}
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, which is noticed below
            self.process.stdin.write(name + "\n")
            self.process.stdin.flush()
        while True:
            found = self.next(began + most - time.monotonic())
            taken = time.monotonic() - began
            line["seconds"] = round(taken, 1)
            if found is None:
                late = taken >= most
                why = f"stopped after {most:.0f} s" if late else f"its process ended with {self.end()}"
                return line | {"status": "stopped" if late else "failed", "why": why}
            if found.get("ended"):
                if "failed" in found:
                    line |= {"status": "failed", "why": found["failed"], "at": found["at"]}
                elif any("failed" in case for case in cases.values()):
                    line["status"] = "done in part"
                return line
            cases[found["case"]] = found["found"]
            note(line | {"status": "stopped", "why": "the run ended in this section"})

    def end(self) -> int:
        """Stop the process and return its exit code, which is negative for a signal."""
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def run(options: argparse.Namespace, results: Path) -> list[dict[str, Any]]:
    """Run the sections while there is time, write their lines to `results` after each case, and return them.

    The lines of an earlier run stay until the first case has been measured.
    """
    deadline = time.monotonic() + 60 * options.minutes
    lines: list[dict[str, Any]] = []
    worker: Worker | None = None

    def write(name: str, line: dict[str, Any]) -> None:
        every = [*lines, {"section": name, **line, "tiny": options.tiny}]
        write_text(results, "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in every))

    with results.with_name("log.txt").open("w", encoding="utf-8") as log:
        try:
            for name in options.only:
                section = SECTIONS[name]
                line = skipped(section, deadline) if not options.tiny else None
                if line is None:
                    if worker is None or not worker.alive():
                        worker = Worker(options, log)
                        if not lines:
                            require_usable(worker, options, results)
                    most = PATIENCE if options.tiny else min(section.most, deadline - time.monotonic())
                    line = worker.measure(name, most, partial(write, name))
                    if line["status"] in ("failed", "stopped"):
                        worker.process.kill()
                        worker.end()
                write(name, line)
                lines.append({"section": name, **line, "tiny": options.tiny})
                print(json.dumps(lines[-1], ensure_ascii=False), flush=True)
        finally:
            if worker is not None:
                worker.process.kill()
                worker.end()
    return lines


def require_usable(worker: Worker, options: argparse.Namespace, results: Path) -> None:
    """End with one line when the process that measures does not start, or sees no GPU where one is wanted."""
    if not worker.ready:
        stop(f"the process that measures does not start; {shown(results.with_name('log.txt'))} says why.")
    if not (worker.gpu or options.tiny):
        stop(
            "torch sees no GPU here: look with make doctor, or try the script itself on a CPU with: "
            "make gpu-check args=--tiny"
        )


def skipped(section: Section, deadline: float) -> dict[str, Any] | None:
    """Return the line of a section for which too little time is left; None when there is enough."""
    left = max(0.0, deadline - time.monotonic())
    if left >= section.least:
        return None
    why = f"{left:.0f} s left, at least {section.least:.0f} s wanted; give more time with --minutes"
    return {"status": "skipped", "seconds": 0.0, "why": why, "cases": {}}


def require_place(results: Path) -> None:
    """Make the folder of the results; end with one line when the file cannot be there."""
    why = "is a folder" if results.is_dir() else None
    try:
        results.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"its folder cannot be made ({error.strerror})"
    if why:
        stop(f"--results {brief(str(results))}: {why}; name a file, such as outputs/gpu-check/results.jsonl.")


def read(results: Path) -> list[dict[str, Any]]:
    """Return the lines of a results file; end with one line when it cannot be read."""
    try:
        lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
        wanted = {"section", "status", "seconds", "cases"}
        if all(isinstance(line, dict) and wanted <= set(line) and _has_cases(line) for line in lines):
            return lines
        why: str | None = "not the lines of a run"
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not JSON lines"
    stop(f"--results {shown(results)}: cannot be read ({why}); write it with: make gpu-check")


def _has_cases(line: dict[str, Any]) -> bool:
    cases = line["cases"]
    return isinstance(cases, dict) and all(isinstance(found, dict) for found in cases.values())


def write_page(path: Path, results: Path) -> None:
    """Write the page from a results file; end with one line when it cannot be made."""
    lines = read(results)
    card = page.gpu(lines)
    if card is None and any(line["cases"] and not line.get("tiny") for line in lines):
        stop(
            f"--results {shown(results)}: does not say which GPU was measured, because its section environment did not "
            "end; measure again with that section (--only environment …)."
        )
    try:
        text = page.text(lines)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        stop(
            f"--results {shown(results)}: cannot be read ({type(error).__name__}: {first_line(error)}); write it with: "
            "make gpu-check"
        )
    write_text(path, text)
    print(f"{path}: {card or 'no GPU was measured'}")


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of a command line; end with one line for a wrong one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.error = stop  # type: ignore[assignment, method-assign]
    parser.add_argument("--minutes", type=float, default=8.0, help="most minutes for all sections (8)")
    parser.add_argument(
        "--only", nargs="+", default=list(SECTIONS), metavar="SECTION", help=", ".join(SECTIONS)
    )
    parser.add_argument(
        "--tiny", action="store_true", help="tiny models: try the script itself, also on a CPU"
    )
    parser.add_argument(
        "--trl", default="", metavar="FOLDER", help="folder that trl and liger-kernel are installed into"
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="file of the lines (outputs/gpu-check/results.jsonl, tiny.jsonl with --tiny)",
    )
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="run nothing: write this page from the results"
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    found, unknown = parser.parse_known_args(arguments)
    if unknown:
        stop(
            f"gpu-check: {brief(unknown[0])} is no option; the options are listed by: python benchmarks/gpu.py --help"
        )
    for name in found.only:
        if name not in SECTIONS:
            stop(f"--only {brief(name)}: there is no such section; wanted one of {', '.join(SECTIONS)}.")
    if not 0 < found.minutes <= 1000:
        stop(f"--minutes: found {found.minutes:g}, wanted a number above 0 and at most 1000.")
    if found.trl and not (Path(found.trl) / "trl").is_dir():
        stop(
            f"--trl {brief(found.trl)}: has no folder trl; install it with: pip install --no-deps --target FOLDER trl"
        )
    if found.page and (found.page.is_dir() or not found.page.parent.is_dir()):
        why = "is a folder" if found.page.is_dir() else "its folder does not exist"
        stop(f"--page {brief(str(found.page))}: {why}; wanted a file such as docs/benchmarks-gpu.md.")
    found.only = list(dict.fromkeys(found.only))
    found.trl = found.trl and str(Path(found.trl).resolve())
    return found


def main() -> None:
    """Run the sections and print the goals; exit with 1 when a section or one of its cases failed."""
    given = options(sys.argv[1:])
    if given.worker:
        work(tiny=given.tiny, trl=given.trl)
        return
    # Trying the script must not replace what a GPU has measured.
    results = given.results or root() / "outputs" / "gpu-check" / (
        "tiny.jsonl" if given.tiny else "results.jsonl"
    )
    if given.page:
        write_page(given.page, results)
        return
    require_place(results)
    try:
        lines = run(given, results)
    except KeyboardInterrupt:
        sys.stderr.write(error_line(f"interrupted; sections that had ended are in {shown(results)}.") + "\n")
        sys.exit(130)
    print(
        f"\n{page.goal_table(lines)}\n\n{shown(results)} has all lines; write docs/benchmarks-gpu.md from it with --page."
    )
    sys.exit(any(line["status"] not in ("done", "skipped") for line in lines))


if __name__ == "__main__":
    try:
        main()
    except (UserError, OSError) as error:  # a folder or file that cannot be written
        stop(str(error))
