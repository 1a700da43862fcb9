"""Read and append to submissions/ledger.jsonl: one line for each submission, and one for each thing said about it later.

No line ever changes. A score, an upload, what the site answered to it, a final pick and a note are lines of their own with
the submission's id; for scores, picks and notes the newest line counts. Lines are read in the order of their times
(`ledger_order`), because git merges the ledgers of two machines by keeping the lines of both.
"""

import json
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from filelock import FileLock

from common.core.errors import UserError
from common.core.files import atomic_path, read_regular, root, shown
from common.core.json_lines import append_line, numbered_lines, whole_lines
from common.core.messages import brief, printable
from common.submission.ledger_order import Finding, findings, ordered
from common.submission.same_csv import joined

LEDGER = "submissions/ledger.jsonl"
ID_DIGITS = 10
"""Number of digits of the CSV's sha256 in an id; more when these are taken."""

NOTE = 200
"""Maximum number of characters of a note."""
SHOWN_IDS = 8
"""Maximum number of ids in a message."""
_LATER: dict[str, type] = {
    "lb": dict, "uploaded": str, "site": dict, "pick": bool, "on_dev": dict, "note": str,
}  # fmt: skip
"""What a line may say about an earlier submission: its score, the day of an upload, what the site answered to `make upload`
(its number "ref" and "status" there), whether it is a final pick, the dev score of a registered CSV, its note."""
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
    """Append one line durably; several processes may write. The caller must not hold the lock.

    Raises UserError when the file cannot be written.
    """
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


def lines(skipped: list[str] | None = None) -> list[dict[str, Any]]:
    """Return all lines, oldest first, each of them a submission or something said about one.

    Raises UserError as `lines_in_file` does.
    """
    return ordered(lines_in_file(skipped))


def lines_in_file(skipped: list[str] | None = None) -> list[dict[str, Any]]:
    """Return all lines in the order of the file. Raises UserError when one is neither a submission nor about one.

    With a list as `skipped`, such a line is left out, and its message is appended to the list.
    """
    found = []
    for number, line in numbered_lines(root() / LEDGER, skipped):
        if fault := _fault(line):
            message = f"{LEDGER}:{number}: {fault}; restore that line from git, or remove it."
            if skipped is None:
                raise UserError(message)
            skipped.append(message)
            continue
        found.append(line)
    return found


def entries(skipped: list[str] | None = None) -> list[dict[str, Any]]:
    """Return the submissions, oldest first, with what later lines say about them.

    These are `lb` = {"public": …, "private": …}, `uploaded` = a list of days (YYYY-MM-DD), `site` = {"ref": …, "status": …},
    `pick`, `note` and, of a registered CSV, what belongs to `dev`; a submission about which nothing was said has no such key. A score holds for every entry with the same CSV, everything else for the
    entries with that id.
    A line that occurs twice, as after a merge of two branches, counts once. Raises UserError as `lines` does; `skipped` as
    there.
    """
    submissions: dict[str, dict[str, Any]] = {}
    about = []  # a merge may put these before their submission, and a clock that is wrong too
    for line in lines(skipped):
        if later(line) is None:
            submissions.setdefault(json.dumps(line, sort_keys=True), line)
        else:
            about.append(line)
    for line in about:
        key = later(line)
        named = [entry for entry in submissions.values() if entry["id"] == line["id"]]
        if key == "lb":  # a ledger of an older version has the same CSV under several ids
            same = {(entry["competition"], entry["csv_sha256"]) for entry in named}
            for entry in submissions.values():
                if (entry["competition"], entry["csv_sha256"]) in same:
                    entry["lb"] = {**entry.get("lb", {}), **line["lb"]}
            continue
        for entry in named:
            if key == "uploaded":
                entry["uploaded"] = sorted({*entry.get("uploaded", []), line["uploaded"]})
            elif key == "on_dev":
                if is_registered(entry):
                    entry |= _with_dev(entry, line["on_dev"])
            elif key is not None:
                entry[key] = line[key]
    return list(submissions.values())


def _with_dev(entry: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dev score that was added later changes in the entry of a registered CSV."""
    return {
        "dev": given["dev"],
        "interval": given.get("interval", {}),
        "data": {**entry["data"], "dev": given["rows"]},
        "registered": {**entry["registered"], "dev": given["source"]},
    }


def later(line: dict[str, Any]) -> str | None:
    """Return what a line says about an earlier submission ("lb", …); None for a line that is a submission itself."""
    return None if _SUBMISSION.keys() & line.keys() else next((key for key in _LATER if key in line), None)


def _fault(line: dict[str, Any]) -> str:
    """Return why a line is neither a submission nor something said about one; "" when it is one of them."""
    key = later(line)
    wanted = {"id": str, "time": str, **({key: _LATER[key]} if key else _SUBMISSION)}
    wrong = [name for name, kind in wanted.items() if not isinstance(line.get(name), kind)]
    if not wrong and "note" in line and not isinstance(line["note"], str):
        return '"note" is of another type than str'
    scores = [line.get(name, {}) for name in ("lb", "was")] if key in ("lb", None) and not wrong else []
    if not all(
        isinstance(s, dict) and all(isinstance(v, int | float | None) for v in s.values()) for s in scores
    ):
        return '"lb" or "was" holds something else than scores'
    if key == "on_dev" and not wrong:
        parts = {"dev": dict, "source": dict, "rows": str}
        lacking = [part for part, kind in parts.items() if not isinstance(line["on_dev"].get(part), kind)]
        if lacking:
            return f'"on_dev" has no valid "{lacking[0]}"'
    return f'"{wrong[0]}" is missing or of another type than {wanted[wrong[0]].__name__}' if wrong else ""


def find(submission: str, competition: str | None = None) -> dict[str, Any]:
    """Return the newest entry of a submission (of one competition), given its id or the start of it.

    One that was made here comes before a registered one. It has the scores, picks and notes of all with this id. Raises UserError when nothing was submitted yet, or the id is unknown or ambiguous.
    """
    known = [entry for entry in entries() if competition in (None, entry["competition"])]
    if not known:
        where, comp = (f" to {competition}", f" comp={competition}") if competition else ("", "")
        raise UserError(f"{LEDGER}: nothing was submitted{where} yet; first run: make submit{comp}")
    exact = [entry for entry in known if entry["id"] == submission]
    found = exact or [entry for entry in known if submission and entry["id"].startswith(submission)]
    if len({entry["id"] for entry in found}) != 1:
        ids = list(dict.fromkeys(entry["id"] for entry in known))
        more = f"{len(ids) - SHOWN_IDS} older ones, " if len(ids) > SHOWN_IDS else ""
        raise UserError(
            f"id={brief(submission)} matches {len({e['id'] for e in found})} submissions{f' to {competition}' if competition else ''}; "
            f"wanted one of {more}{', '.join(ids[-SHOWN_IDS:])}."
        )
    if len({(entry["competition"], entry["csv_sha256"]) for entry in found}) != 1:
        raise UserError(
            f"id={brief(submission)} stands for different CSVs, which two machines gave the same id; make doctor says how to "
            "tell them apart."
        )
    made_here = [entry for entry in found if not is_registered(entry)]
    return joined(found, (made_here or found)[-1])


def is_registered(entry: Mapping[str, Any]) -> bool:
    """Return whether the CSV of an entry was made elsewhere, so that its members are not known."""
    return "registered" in entry


def is_stated(entry: Mapping[str, Any]) -> bool:
    """Return whether the dev score of an entry is what somebody stated, not measured here."""
    return "stated" in entry.get("registered", {}).get("dev", {})


def member_name(member: Mapping[str, Any]) -> str:
    """Return the name of a member of an entry: that of its run, or of files that were made elsewhere."""
    name: str = member["run"] if "run" in member else member["name"]
    return name


def check(final_picks: Mapping[str, int | None]) -> list[Finding]:
    """Return what is wrong or undecided in the ledger, as after a merge of two machines' ledgers; [] without a ledger.

    `final_picks`: competition → number of final picks that it allows. Raises UserError as `lines` does.
    """
    there = lines_in_file()
    found = findings(there, final_picks)
    if there and not read_regular(root() / LEDGER).endswith(b"\n"):
        found.append(
            Finding(
                "its last line has no end; if a crash tore it, the next command that writes removes it", False
            )
        )
    return found


def require_note(note: str) -> str:
    """Return a note without spaces around it. Raises UserError unless it is one printable line of at most `NOTE` characters."""
    text = unicodedata.normalize("NFC", note).strip()
    if not text or printable(text) != text or "\n" in text or "\t" in text or len(text) > NOTE:
        raise UserError(
            f"note={brief(note)}: wanted one line of 1 to {NOTE} characters, without control characters; "
            'for example: make submit note="two seeds of exp002"'
        )
    return text


def require_scores(public: float | None, private: float | None) -> dict[str, float]:
    """Return the given scores by kind. Raises UserError when one is not between 0 and 100, as NaN is not."""
    given = {name: value for name, value in (("public", public), ("private", private)) if value is not None}
    for kind, value in given.items():
        if not 0 <= value <= 100:
            raise UserError(f"{kind}={value}: wanted a score from 0 to 100, as the site shows it.")
    return given


def record_scores(
    submission: str,
    public: float | None,
    private: float | None,
    time: str,
    competition: str | None = None,
) -> dict[str, Any]:
    """Record the leaderboard scores of a submission and return its entry; `submission` is its id or the start of it.

    Raises UserError when the id is unknown or ambiguous, or a score is not between 0 and 100.
    """
    given = require_scores(public, private)
    if not given:
        raise UserError("no score given; wanted public=SCORE, private=SCORE or both, as the site shows them.")
    before = find(submission, competition)
    name = before["id"]
    replaced = {kind: score for kind, score in before.get("lb", {}).items() if kind in given}
    # `was` tells a correction from two scores that two people entered without knowing of each other.
    append({"id": name, "lb": given, **({"was": replaced} if replaced else {}), "time": time})
    return find(name)
