"""Run the faults: `python -m tests.faults [short] [again] [jobs=2] [seed=1] [into=FOLDER] [FAMILY…]`.

Results go to FOLDER/results.jsonl (outputs/faults), one line for each try. A try that has a line for the present code is
not run again, so an interrupted run goes on; `again` repeats those that did not end well. At its end a long run writes
docs/durability.md; `python -m tests.faults report` writes it at any time. Families are named by their modules.
"""

import ctypes
import hashlib
import importlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from common.core.messages import quiet_libraries

FAMILIES = ("kills_training", "kills_files", "damage", "signals", "disk", "inputs_settings", "inputs_files",
            "inputs_commands", "peer", "fuzz")  # fmt: skip
_NEW_MOUNTS = 0x00020000


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    short: bool = False
    jobs: int = 1
    seed: int = 1
    families: tuple[str, ...] = FAMILIES
    into: Path | None = None
    again: bool = False
    """Try again what did not end well."""


def options(words: Sequence[str]) -> Options:
    """Return the options of a command line. SystemExit for an unknown word."""
    values: dict[str, int] = {}
    into = None
    named = []
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in ("jobs", "seed") and value.isdigit():
            values[name] = int(value)
        elif name == "into" and value:
            into = Path(value)
        elif word in FAMILIES:
            named.append(word)
        elif word not in ("short", "again"):
            sys.exit(
                f"error: {word!r}: wanted short, again, report, jobs=N, seed=N, into=FOLDER or a family: "
                f"{', '.join(FAMILIES)}"
            )
    return Options("short" in words, max(1, values.get("jobs", 1)), values.get("seed", 1), tuple(named) or FAMILIES,
                   into, "again" in words)  # fmt: skip


def code_hash(repository: Path) -> str:
    """Return a hash of the code under test and of the tries."""
    digest = hashlib.sha256()
    for folder in ("common", "experiments", "tests/faults", "tests/support"):
        for path in sorted((repository / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def own_mounts() -> bool:
    """Give this process its own view of mounts, which end with it; return whether it may mount (root only)."""
    libc = ctypes.CDLL(None, use_errno=True)
    return (
        os.geteuid() == 0
        and libc.unshare(_NEW_MOUNTS) == 0
        and os.system("mount --make-rprivate / 2>/dev/null") == 0
    )


def main() -> None:
    """Run what is missing, in `jobs` processes; exit with 1 when a try did not end well."""
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    from tests.faults import bench, report
    from tests.support import REPOSITORY

    if sys.argv[1:] == ["report"]:
        report.write(REPOSITORY)
        return
    chosen, code = options(sys.argv[1:]), code_hash(REPOSITORY)
    folder = chosen.into or REPOSITORY / "outputs" / "faults"
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "results.jsonl"
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        sys.exit(f"error: another run writes {results}; wait for it to end, or give into=FOLDER.")
    place = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:6]
    work = Path(tempfile.gettempdir()) / f"kds-faults-{code}-{place}"
    if not chosen.short:
        report.begin(REPOSITORY, folder, code)
    children = []
    for shard in range(chosen.jobs):
        pid = os.fork()
        if pid == 0:
            try:
                bench.die_with_parent()
                _shard(chosen, code, results, work, shard)
            except KeyboardInterrupt:
                os._exit(130)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        children.append(pid)
    try:
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command to go on.")
    lines = report.lines(results, code, short=chosen.short)
    print(report.summary(lines))
    if not (chosen.short or chosen.into):
        report.write(REPOSITORY)
    if any(codes):
        sys.exit("error: a process of the harness ended early; run the same command to go on.")
    shutil.rmtree(work, ignore_errors=True)
    if report.bad(lines):
        sys.exit(1)


def _shard(chosen: Options, code: str, results: Path, work: Path, shard: int) -> None:
    """Run every `jobs`-th missing try."""
    quiet_libraries()
    from tests.faults import preload, report
    from tests.faults.bench import Bench
    from tests.faults.outcome import Outcome
    from tests.faults.tries import Context

    mounts = own_mounts()
    assert preload.LOADED
    known = {line["key"] for line in report.lines(results, code, short=chosen.short)
             if not (chosen.again and line["outcome"] not in ("ok", "skipped"))}  # fmt: skip
    bench = Bench(work / f"shard-{shard}", work / "models")
    context = Context(bench, work, chosen.short, mounts)
    tries = [t for name in chosen.families
             for t in importlib.import_module(f"tests.faults.{name}").tries(context)]  # fmt: skip
    for this in tries[shard :: chosen.jobs]:
        if this.key in known:
            continue
        began = time.monotonic()
        try:
            found = this.run(context, this, random.Random(f"{chosen.seed} {this.key}"))
        except Exception as error:  # of the harness itself
            found = Outcome("unclear", f"the harness failed: {type(error).__name__}: {error}"[:300])
        line = {"code": code, "short": chosen.short, "seed": chosen.seed, "family": this.family, "group": this.group,
                "key": this.key, "outcome": found.kind, **{k: v for k, v in asdict(found).items() if k != "kind"},
                "seconds": round(time.monotonic() - began, 2), "time": report.now()}  # fmt: skip
        with results.open("ab") as handle:  # one write: processes share the file
            handle.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
        if found.kind not in ("ok", "skipped"):
            print(f"{found.kind}: {this.key}: {found.detail}", flush=True)
        bench.clear()


if __name__ == "__main__":
    main()
