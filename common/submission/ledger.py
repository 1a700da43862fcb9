"""Read and append to submissions/ledger.jsonl: one line for each submission, and one for each entered score."""

from typing import Any

from filelock import FileLock

from common.core.errors import UserError
from common.core.files import append_line, read_lines, remove_incomplete_line, root, shown
from common.core.messages import brief

LEDGER = "submissions/ledger.jsonl"


def append(entry: dict[str, Any]) -> None:
    """Append one line durably; several processes may write. Raises UserError when the file cannot be written."""
    path = root() / LEDGER
    try:
        with FileLock(path.with_suffix(".lock")):
            remove_incomplete_line(path)
            append_line(path, entry)
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be written ({error.strerror}); make it writable or free some space."
        ) from error


def entries() -> list[dict[str, Any]]:
    """Return the submissions, oldest first; those with entered scores have `lb` = {"public": …, "private": …}."""
    submissions: dict[tuple[str, str], dict[str, Any]] = {}
    for line in read_lines(root() / LEDGER):
        if "lb" in line:
            for entry in submissions.values():
                if entry["id"] == line["id"]:
                    entry["lb"] = {**entry.get("lb", {}), **line["lb"]}
        else:
            submissions[line["id"], line["time"]] = line
    return list(submissions.values())


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
    known = entries()
    if not known:
        raise UserError(f"{LEDGER}: nothing was submitted yet; first run: make submit")
    found = {entry["id"] for entry in known if submission and entry["id"].startswith(submission)}
    if len(found) != 1:
        ids = ", ".join(dict.fromkeys(entry["id"] for entry in known))
        raise UserError(f"id={brief(submission)} matches {len(found)} submissions; wanted one of {ids}.")
    name = found.pop()
    append({"id": name, "lb": given, "time": time})
    return next(entry for entry in reversed(entries()) if entry["id"] == name)
