"""Read the results, and write them as docs/durability.md."""

import json
import platform
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.faults.outcome import KINDS

Line = Mapping[str, Any]
GOOD = ("ok", "skipped")


def now() -> str:
    """Return the time in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def lines(results: Path, code: str, *, short: bool) -> list[Line]:
    """Return the newest result of each try of this code, in order; an incomplete last line is skipped."""
    found: dict[str, Line] = {}
    for text in results.read_bytes().split(b"\n") if results.exists() else ():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if line["code"] == code and line["short"] == short:
            found[line["key"]] = line
    return list(found.values())


def bad(found: Sequence[Line]) -> list[Line]:
    """Return the results that did not end well."""
    return [line for line in found if line["outcome"] not in GOOD]


def summary(found: Sequence[Line]) -> str:
    """Return the counts by family as text."""
    rows = []
    for family in dict.fromkeys(line["family"] for line in found):
        counts = Counter(line["outcome"] for line in found if line["family"] == family)
        rows.append(f"{family}: " + ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]))
    return "\n".join(rows)


def begin(repository: Path, code: str) -> None:
    """Note commit, date and machine of a long run, once for each state of the code."""
    path = repository / "outputs" / "faults" / f"run-{code}.json"
    if path.exists():
        return
    git = ["git", "-C", str(repository)]
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    dirty = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False).stdout.strip()
    cpu = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())  # fmt: skip
    about = {"code": code, "commit": commit[:12] + ("+" if dirty else ""), "began": now(), "cpu": cpu,
             "python": platform.python_version()}  # fmt: skip
    path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
