"""Enter a CSV that was made elsewhere into the ledger, with the scores that the site gave it."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import atomic_path, root, sha256_file, shown
from common.data.competition import Competition
from common.data.rows import read_references
from common.data.text_files import FileOrigin, read_bytes
from common.ensemble.recipe_members import require_name
from common.runs import scoring
from common.submission import csv_file, ledger

FOLDER = "submissions/registered"
"""Folder of the copies of registered CSVs, by their id in the ledger. Git does not ignore it."""
METHOD = "registered"


@dataclass(frozen=True)
class Registered:
    """The result of make register."""

    entry: dict[str, Any]
    repeated: bool
    """Whether the ledger already had this CSV or its texts; then `entry` is the earlier entry, and nothing was written."""
    faults: tuple[str, ...]
    """What `make validate` says against the CSV."""


def register(
    competition: Competition,
    path: Path,
    name: str,
    public: float | None = None,
    private: float | None = None,
    note: str | None = None,
) -> Registered:
    """Copy a submission made elsewhere to `FOLDER` and append its ledger entry, with the site's scores inside the entry.

    The copy is written before its line. Raises UserError when the file is no submission of this competition
    (`csv_file.read`), a name or note is not valid, and when another CSV is registered under this name; then nothing has
    changed.
    """
    scores = ledger.require_scores(public, private)
    name = require_name(name, "name")
    note = None if note is None else ledger.require_note(note)
    texts, faults = csv_file.read(competition, path)
    content = read_bytes(path, FileOrigin(shown(path), None), csv_file.MOST_BYTES)
    sha256 = hashlib.sha256(content).hexdigest()
    texts_sha256 = hashlib.sha256(csv_file.text(competition, texts).encode("utf-8")).hexdigest()
    with ledger.locked():
        known = ledger.entries()
        own = [entry for entry in known if entry["competition"] == competition.name]
        for entry in own:
            if {sha256, texts_sha256} & {
                entry["csv_sha256"],
                entry.get("registered", {}).get("texts_sha256"),
            }:
                return Registered(entry, True, tuple(faults))
        for entry in own:
            if ledger.is_registered(entry) and entry["recipe"] == name:
                raise UserError(
                    f"name={name}: {entry['id']} has this name and is another CSV; choose another name."
                )
        submission = ledger.free_id(sha256, known)
        copy = root() / FOLDER / f"{submission}.csv"
        entry = {
            "id": submission,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "recipe": name,
            "competition": competition.name,
            "method": METHOD,
            "csv_sha256": sha256,
            "members": [],
            "stale": {},
            "git": {"commit": None, "dirty": False},
            "data": {
                kind: sha256_file(competition.path(kind))
                for kind in competition.files
                if competition.path(kind).is_file()
            },
            "dev": {},
            "registered": {"file": copy.relative_to(root()).as_posix(), "texts_sha256": texts_sha256},
            **({"test": _on_test(competition, texts)} if "solution" in competition.files else {}),
            **({"lb": scores} if scores else {}),
            **({} if note is None else {"note": note}),
        }
        new = not copy.exists()
        try:
            with ledger.adding(entry), atomic_path(copy) as temporary:
                temporary.write_bytes(content)
        except BaseException:
            if new:
                copy.unlink(missing_ok=True)
            raise
    return Registered(entry, False, tuple(faults))


def kept_copy(entry: dict[str, Any]) -> str:
    """Return where the copy of a registered CSV is, and whether it is what was registered, as the end of a sentence."""
    path = root() / entry["registered"]["file"]
    if not path.is_file():
        return f"its copy {shown(path)} is gone: get it from git"
    state = "is unchanged" if sha256_file(path) == entry["csv_sha256"] else "has changed: restore it from git"
    return f"its copy {shown(path)} {state}"


def repeated_line(found: Registered, path: Path) -> str:
    """Return the answer to a CSV that the ledger already has."""
    entry = found.entry
    return (
        f"{shown(path)}: the ledger already has this CSV, or its texts, as {entry['id']} ({entry['recipe']}, "
        f"{entry['time'][:16].replace('T', ' ')}); nothing was added."
    )


def faults_line(found: Registered) -> str:
    """Return what `make validate` says against a registered CSV; "" when it says nothing."""
    if not found.faults:
        return ""
    more = f" (and {len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
    return f"make validate refuses it: {found.faults[0]}{more} It was registered all the same, as the site has judged it."


def _on_test(competition: Competition, texts: dict[str, str]) -> dict[str, dict[str, float]]:
    """Return the local test scores by profile, in the form of a submission's entry."""
    references = read_references(competition, "test")
    scores = {
        profile: scoring.score(texts, references, profile, competition.leaderboard_references).headline
        for profile in scoring.profiles(competition)
    }
    floors = scoring.floors(competition, "test")
    return {"blend": scores, "floor": {p: max(f.constant, f.lead) for p, f in floors.items()}}
