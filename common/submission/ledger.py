"""Read and append to submissions/ledger.jsonl: one line for each submission, and one for each entered score."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from filelock import FileLock

from common.core.errors import UserError
from common.core.files import atomic_path, root, shown
from common.core.json_lines import append_line, read_lines, whole_lines
from common.core.messages import brief

LEDGER = "submissions/ledger.jsonl"
ID_DIGITS = 10
"""Number of digits of the CSV's sha256 in an id; more when these are taken."""

_SUBMISSION: dict[str, type] = {
    "recipe": str, "competition": str, "method": str, "csv_sha256": str, "members": list, "stale": dict, "git": dict,
    "data": dict, "dev": dict,
}  # fmt: skip


@contextmanager
def locked() -> Iterator[None]:
    """Hold the ledger's lock inside this context; wait for other processes that hold it.

    Raises UserError when the folder cannot be written.
    """
    path = root() / LEDGER
    lock = FileLock(path.with_suffix(".lock"))
    try:
        held = lock.acquire()
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be written ({error.strerror}); make it writable or free some space."
        ) from error
    with held:
        yield


def append(entry: dict[str, Any]) -> None:
    """Append one line durably; several processes may write. Raises UserError when the file cannot be written."""
    with locked():
        append_line(root() / LEDGER, entry)


@contextmanager
def adding(entry: dict[str, Any]) -> Iterator[None]:
    """Append one line after the code inside this context has succeeded; the caller holds the lock.

    The new ledger is already complete on disk when the code inside runs, so a full disk is noticed before it. Nothing
    is appended when that code fails. Raises UserError when the ledger cannot be written.
    """
    path = (root() / LEDGER).resolve()  # a ledger that is a link stays one
    content = b""
    try:
        if path.exists():
            with path.open("r+b") as handle:  # also shows whether it may be written
                content = whole_lines(handle.read(), path)
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be written ({error.strerror}); make it writable or free some space."
        ) from error
    line = (json.dumps(entry, ensure_ascii=False) + "\n").encode("utf-8")
    with atomic_path(path) as temporary:
        with temporary.open("wb") as handle:
            handle.write(content + line)
            handle.flush()
            os.fsync(handle.fileno())
        yield


def free_id(csv_sha256: str, known: Sequence[dict[str, Any]]) -> str:
    """Return an id for a CSV: the first digits of its sha256, as many as no other submission begins with."""
    taken = {entry["id"] for entry in known}
    for digits in range(ID_DIGITS, len(csv_sha256)):
        if csv_sha256[:digits] not in taken:
            return csv_sha256[:digits]
    return next(name for n in range(2, len(taken) + 3) if (name := f"{csv_sha256}-{n}") not in taken)


def entries() -> list[dict[str, Any]]:
    """Return the submissions, oldest first; those with entered scores have `lb` = {"public": …, "private": …}.

    A line that occurs twice, as after a merge of two branches, counts once. Raises UserError when a line is neither a
    submission nor a score.
    """
    submissions: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(read_lines(root() / LEDGER), 1):
        if fault := _fault(line):
            raise UserError(f"{LEDGER}:{number}: {fault}; restore that line from git, or remove it.")
        if "lb" in line:
            for entry in submissions.values():
                if entry["id"] == line["id"]:
                    entry["lb"] = {**entry.get("lb", {}), **line["lb"]}
        else:
            submissions.setdefault(json.dumps(line, sort_keys=True), line)
    return list(submissions.values())


def _fault(line: dict[str, Any]) -> str:
    """Return why a line is neither a submission nor a score; "" when it is one of them."""
    wanted = {"id": str, "time": str, **({"lb": dict} if "lb" in line else _SUBMISSION)}
    wrong = [name for name, kind in wanted.items() if not isinstance(line.get(name), kind)]
    return f'"{wrong[0]}" is missing or of another type than {wanted[wrong[0]].__name__}' if wrong else ""


def find(submission: str) -> dict[str, Any]:
    """Return the newest entry of a submission, given its id or the start of it.

    Raises UserError when nothing was submitted yet, or the id is unknown or ambiguous.
    """
    known = entries()
    if not known:
        raise UserError(f"{LEDGER}: nothing was submitted yet; first run: make submit")
    exact = [entry for entry in known if entry["id"] == submission]
    found = exact or [entry for entry in known if submission and entry["id"].startswith(submission)]
    if len({entry["id"] for entry in found}) != 1:
        ids = ", ".join(dict.fromkeys(entry["id"] for entry in known))
        raise UserError(
            f"id={brief(submission)} matches {len({e['id'] for e in found})} submissions; wanted one of {ids}."
        )
    return found[-1]


def record_scores(submission: str, public: float | None, private: float | None, time: str) -> dict[str, Any]:
    """Record the leaderboard scores of a submission and return its entry; `submission` is its id or the start of it.

    Raises UserError when the id is unknown or ambiguous, or a score is not between 0 and 100.
    """
    given = {name: value for name, value in (("public", public), ("private", private)) if value is not None}
    if not given:
        raise UserError("no score given; wanted public=SCORE, private=SCORE or both, as the site shows them.")
    for name, value in given.items():
        if not 0 <= value <= 100:
            raise UserError(f"{name}={value}: wanted a score from 0 to 100, as the site shows it.")
    name = find(submission)["id"]
    append({"id": name, "lb": given, "time": time})
    return find(name)
