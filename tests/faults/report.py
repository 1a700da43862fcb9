"""Read the results, and write them as docs/durability.md."""

import json
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.faults.outcome import KINDS

Line = Mapping[str, Any]
GOOD = ("ok", "skipped")
PEER = "peer"


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
    """Return the results of this project that did not end well."""
    return [line for line in found if line["outcome"] not in GOOD and line["family"] != PEER]


def summary(found: Sequence[Line]) -> str:
    """Return the counts by family as text."""
    rows = []
    for family in dict.fromkeys(line["family"] for line in found):
        counts = Counter(line["outcome"] for line in found if line["family"] == family)
        rows.append(f"{family}: " + ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]))
    return "\n".join(rows)


def begin(repository: Path, folder: Path, code: str) -> None:
    """Note commit, date and machine of a long run, once for each state of the code."""
    path = folder / f"run-{code}.json"
    if path.exists():
        return
    git = ["git", "-C", str(repository)]
    commit = subprocess.run(
        [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    dirty = subprocess.run(
        [*git, "status", "--porcelain"], capture_output=True, text=True, check=False
    ).stdout.strip()
    cpu = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())  # fmt: skip
    about = {"code": code, "commit": commit[:12] + ("+" if dirty else ""), "began": now(), "cpu": cpu,
             "python": platform.python_version()}  # fmt: skip
    path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


ABOUT = {
    "kills of training": "A training (all weights or LoRA, encoder-decoder or causal, with a moving average, in two "
    "processes) is killed by SIGKILL one to three times: at a random instant, or just before a random change to a file. "
    "The same command then runs to its end; weights, metrics and predictions must equal those of an undisturbed run bit "
    "by bit, and no temporary file may be left.",
    "kills of commands": "Inference, the API client, submit and the import of data are killed in the same way. No line "
    "of the ledger may be torn, lost or without its CSV, data files are all old or all new, and an endpoint that counts "
    "answers must not be paid again for one that had arrived.",
    "damage": "Every file of a checkpoint and of `best/`, and every file that a command reads, is missing, truncated, "
    "empty, has one bit flipped, or is a valid file of another shape. The next command must refuse it in one line, or "
    "give the undisturbed result and say what it did.",
    "signals": "SIGTERM, SIGINT or SIGHUP arrives at a random instant, also while libraries are imported. The command "
    "must end within seconds with exit code 128 + the signal's number and say how to go on, and the same command must "
    "give the undisturbed result.",
    "disk": "Each stage runs on a disk of 40 MB that fills up after a random number of bytes, and on one that is "
    "read-only. It must say so in one line and tear nothing, and give the undisturbed result once there is room.",
    "bad settings": "Every setting of every experiment gets values that it cannot have. Each must be refused in one "
    "line that names the setting, before anything is written.",
    "bad files": "FIFOs, /dev/zero, folders, pictures, other encodings, deep nesting, huge numbers and headers stand "
    "where a file belongs, and `train.csv` has rows that no file may have. Each must be refused in one printable line "
    "within 20 seconds, and nothing may change.",
    "bad options": "Options of every command and variables of make get values that they cannot have. The rules are "
    "those of bad files.",
    "fuzzing": "Hypothesis makes inputs for readers, the tag parser, truncation, post-processing and the checks of "
    "answers, ten CPU minutes for each. Nothing but a refusal in one printable line may be raised, and the properties "
    "in `tests/faults/fuzz_targets.py` must hold.",
    "peer": "The Trainer of transformers trains a model of the same size that saves as often, is killed in the same "
    "way, and resumes as its documentation says. traceback: it cannot resume; wrong: its final weights differ from an "
    "undisturbed run.",
}
"""What happens in each family, in two sentences."""
LISTED = 60
"""Number of tries that the page lists one by one."""


def write(repository: Path) -> None:
    """Write docs/durability.md from the newest long run. SystemExit when there is none."""
    folder = repository / "outputs" / "faults"
    runs = sorted(folder.glob("run-*.json"), key=lambda path: path.stat().st_mtime)
    if not runs:
        sys.exit("error: outputs/faults has no long run; make one with: make faults")
    about = json.loads(runs[-1].read_text(encoding="utf-8"))
    found = lines(folder / "results.jsonl", about["code"], short=False)
    (repository / "docs" / "durability.md").write_text(page(about, found), encoding="utf-8")
    print(f"docs/durability.md: {len(found)} tries, {len(bad(found))} did not end well")


def page(about: Mapping[str, str], found: Sequence[Line]) -> str:
    """Return the page: what was run where, a table of outcomes by family and group, and what did not end well."""
    own = [line for line in found if line["family"] != PEER]
    hours = sum(line["seconds"] for line in found) / 3600
    rows = [["family", "tries", "kills, signals", *KINDS], ["---", *["--:"] * (2 + len(KINDS))]]
    for family in dict.fromkeys(line["family"] for line in own):
        rows.append(_row(family, [line for line in own if line["family"] == family]))
    rows.append(_row("**all**", own))
    parts = [
        "# Durability",
        "What happens when commands are killed, files are damaged, disks are full and inputs are wrong. `make faults` runs "
        "all of it and writes this page; every try is seeded, and an interrupted run goes on. CI runs a short form: "
        "`make faults args=short`.",
        f"Commit {about['commit']}, begun {about['began']}, {hours:.1f} hours of tries, Python {about['python']}, "
        f"{about['cpu']}. A + means that files differed from the commit.",
        _markdown(rows),
        "ok: the wanted end. traceback, hang: what they say. wrong: another result, or an accepted bad input, without a "
        "word. torn: incomplete, mixed or left-over files. unclear: a refusal without one clear line, or a repair without a "
        "word. skipped: not possible on this machine, or no such damage.",
        "## Families",
        *(
            f"**{family}.** {text}"
            for family, text in ABOUT.items()
            if any(x["family"] == family for x in found)
        ),
        "## In detail",
        _markdown(_details(found)),
        "## What did not end well",
        *(_failures(own) or ["Nothing."]),
    ]
    return "\n\n".join(parts) + "\n"


def _row(name: str, found: Sequence[Line]) -> list[str]:
    counts = Counter(line["outcome"] for line in found)
    kills = sum(line["kills"] for line in found)
    return [name, str(len(found)), str(kills or ""), *(str(counts[kind] or "") for kind in KINDS)]


def _details(found: Sequence[Line]) -> list[list[str]]:
    rows = [["family", "of", "tries", "kills, signals", *KINDS], ["---", "---", *["--:"] * (2 + len(KINDS))]]
    groups = dict.fromkeys((line["family"], line["group"]) for line in found)
    for family, group in groups:
        rows.append(
            [family, *_row(group, [x for x in found if (x["family"], x["group"]) == (family, group)])]
        )
    return rows


def _failures(found: Sequence[Line]) -> list[str]:
    failed = bad(found)
    listed = [
        f"- {line['outcome']}: {_plain(line['key'])}: {_plain(line['detail'])[:160]}"
        for line in failed[:LISTED]
    ]
    more = [f"- and {len(failed) - LISTED} more"] if len(failed) > LISTED else []
    return ["\n".join([*listed, *more])] if listed else []


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    visible = "".join(letter if letter.isprintable() else "?" for letter in text)
    return visible.replace("|", "/").replace("`", "'").replace("<", "(").replace(">", ")").replace("--", "-")


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
