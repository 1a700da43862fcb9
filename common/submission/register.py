"""Enter a CSV that was made elsewhere into the ledger, with its dev score and the scores that the site gave it."""

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import atomic_path, root, sha256_file, shown
from common.core.messages import local_time
from common.data.competition import Competition
from common.data.text_files import FileOrigin, read_bytes
from common.ensemble.recipe_members import require_name
from common.runs.score_text import number, short
from common.submission import csv_file, ledger
from common.submission.dev_scores import on_split
from common.submission.registered_dev import GivenDev, read_dev

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
    dev_added: bool = False
    """Whether an earlier entry got a dev score; then a line about it was written."""


def register(
    competition: Competition,
    path: Path,
    name: str,
    public: float | None = None,
    private: float | None = None,
    note: str | None = None,
    dev: str | None = None,
) -> Registered:
    """Copy a submission made elsewhere to `FOLDER` and append its ledger entry, with the site's scores inside the entry.

    `dev`: a file with its dev predictions, which are scored and copied too, or a dev score that somebody states; a CSV that
    is registered already gets it by a line of its own. The copies are written before the line. Raises UserError when the
    file is no submission of this competition (`csv_file.read`), a name or note is not valid, when another CSV is registered
    under this name, and as `registered_dev.read_dev` does; then nothing has changed.
    """
    scores = ledger.require_scores(public, private)
    name = require_name(name, "name")
    note = None if note is None else ledger.require_note(note)
    texts, faults = csv_file.read(competition, path)
    content = read_bytes(path, FileOrigin(shown(path), None), csv_file.MOST_BYTES)
    sha256 = hashlib.sha256(content).hexdigest()
    given = None if dev is None else read_dev(dev, competition, name)
    texts_sha256 = hashlib.sha256(csv_file.text(competition, texts).encode("utf-8")).hexdigest()
    with ledger.locked():
        known = ledger.entries()
        own = [entry for entry in known if entry["competition"] == competition.name]
        for entry in own:
            if {sha256, texts_sha256} & {
                entry["csv_sha256"],
                entry.get("registered", {}).get("texts_sha256"),
            }:
                if given is None or not ledger.is_registered(entry):
                    return Registered(entry, True, tuple(faults))
                return _with_dev(competition, entry, given, tuple(faults))
        for entry in own:
            if ledger.is_registered(entry) and entry["recipe"] == name:
                raise UserError(
                    f"name={name}: {entry['id']} has this name and is another CSV; choose another name."
                )
        submission = ledger.free_id(sha256, known)
        copy = root() / FOLDER / f"{submission}.csv"
        on_dev = {} if given is None else given.fields(_dev_copy(submission, given))
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
            "dev": on_dev.pop("dev", {}),
            "registered": {
                "file": copy.relative_to(root()).as_posix(),
                "texts_sha256": texts_sha256,
                **({"dev": on_dev.pop("source")} if on_dev else {}),
            },
            **on_dev,
            **({"test": on_split(competition, "test", texts)} if "solution" in competition.files else {}),
            **({"lb": scores} if scores else {}),
            **({} if note is None else {"note": note}),
        }
        _write(entry, {copy: content, **_dev_file(submission, given)})
    return Registered(entry, False, tuple(faults))


def _with_dev(
    competition: Competition, entry: dict[str, Any], given: GivenDev, faults: tuple[str, ...]
) -> Registered:
    """Add a dev score to a registered CSV. Raises UserError when a number is to replace what was measured."""
    fields = given.fields(_dev_copy(entry["id"], given))
    known = entry["registered"].get("dev", {})
    if known == fields["source"] and entry["dev"] == fields["dev"]:
        return Registered(entry, True, faults)
    if given.stated and "file" in known:
        raise UserError(
            f"dev: {entry['id']} ({entry['recipe']}) has a measured dev score, and a stated one cannot replace it; to measure it "
            "again, give dev=FILE."
        )
    rows = sha256_file(competition.path("dev"))
    line = {
        "id": entry["id"],
        "on_dev": {**fields, "rows": rows},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    _write(line, _dev_file(entry["id"], given))
    return Registered(ledger.find(entry["id"], competition.name), True, faults, dev_added=True)


def _dev_copy(submission: str, given: GivenDev) -> str:
    return f"{FOLDER}/{submission}-dev{given.suffix}"


def _dev_file(submission: str, given: GivenDev | None) -> dict[Path, bytes]:
    if given is None or given.content is None:
        return {}
    return {root() / _dev_copy(submission, given): given.content}


def _write(line: dict[str, Any], copies: Mapping[Path, bytes]) -> None:
    """Write the copies and then the line; new copies are removed again when that fails."""
    new = [path for path in copies if not path.exists()]
    try:
        with ledger.adding(line), ExitStack() as stack:
            for path, content in copies.items():
                stack.enter_context(atomic_path(path)).write_bytes(content)
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise


def kept_copy(entry: dict[str, Any]) -> str:
    """Return where the copy of a registered CSV is, and whether it is what was registered, as the end of a sentence."""
    path = root() / entry["registered"]["file"]
    if not path.is_file():
        return f"its copy {shown(path)} is gone: get it from git"
    state = "is unchanged" if sha256_file(path) == entry["csv_sha256"] else "has changed: restore it from git"
    return f"its copy {shown(path)} {state}"


def dev_text(competition: Competition, entry: Mapping[str, Any]) -> str:
    """Return the dev score of a registered CSV and where it comes from, such as "dev leaderboard 41.20 (measured)"."""
    stated = ledger.is_stated(entry)
    profile = competition.leaderboard_profile if stated else competition.dev_profile
    score = number(entry["dev"]["blend"][profile], profile)
    return f"dev {short(profile)} {score} ({'stated, not measured here' if stated else 'measured here'})"


def repeated_line(found: Registered, path: Path) -> str:
    """Return the answer to a CSV that the ledger already has."""
    entry = found.entry
    return (
        f"{shown(path)}: the ledger already has this CSV, or its texts, as {entry['id']} ({entry['recipe']}, "
        f"{local_time(entry['time'])}); nothing was added."
    )


def faults_line(found: Registered) -> str:
    """Return what `make validate` says against a registered CSV; "" when it says nothing."""
    if not found.faults:
        return ""
    more = f" (and {len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
    return f"make validate refuses it: {found.faults[0]}{more} It was registered all the same, as the site has judged it."
