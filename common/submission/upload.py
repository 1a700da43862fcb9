"""Upload the CSV of a ledger entry to the competition's site, and read its status and scores into the ledger."""

import hashlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from common.core.errors import UserError
from common.core.files import root, shown, write_text
from common.core.locks import removed_on_failure
from common.core.progress import waiting
from common.data.competition import Competition
from common.data.competition_file import comp_setting
from common.submission import csv_file, ledger, uploads
from common.submission.kaggle_site import Kaggle, RefusalError, Seen, connect
from common.submission.register import kept_copy

WAIT = 300.0
"""Default number of seconds to wait for a score."""
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 20.0
_PAUSES = (2.0, 4.0, 8.0, 16.0)
"""Seconds between looks for an upload whose answer never came: a site may list it only after a while."""


@dataclass(frozen=True)
class Uploaded:
    """The result of make upload."""

    entry: dict[str, Any]
    """The ledger entry with its newest scores."""
    seen: Seen
    """What the site shows for it."""
    new: bool
    """Whether this call uploaded the CSV; otherwise it was on the site before."""


def chosen_entry(submission: str | None, competition: str, *, anywhere: bool) -> dict[str, Any]:
    """Return the entry to upload: the one with this id (or its start), else the newest of this competition made here.

    `anywhere`: an id may be of another competition. Raises UserError as `ledger.find` does.
    """
    if submission is not None:
        found: dict[str, Any] = ledger.find(submission, None if anywhere else competition)
        return found
    own = [entry for entry in ledger.entries() if entry["competition"] == competition]
    made = [entry for entry in own if not ledger.is_registered(entry)]
    if own and not made:
        raise UserError(
            f"all submissions to {competition} were made elsewhere and registered; name the one to upload with id=."
        )
    return made[-1] if made else ledger.find("", competition)


def upload(entry: dict[str, Any], competition: Competition, wait: float = WAIT) -> Uploaded:
    """Upload the CSV of an entry unless it is on the site already, wait for its score and record what the site says.

    The entry's id begins the description on the site, so an upload whose process was killed before it was recorded is
    found there and not repeated. A file in .cache/uploading says that an upload began, so that this is looked for longer. `wait`: maximum seconds until the status is returned as it is.
    Raises UserError when the site has no API, another upload is running, the CSV is gone or differs from what was
    validated, the day's limit is reached, a person marked the CSV as uploaded, or the site refuses.
    """
    slug = competition.site.competition
    if competition.site.kind is None or slug is None:
        raise UserError(
            f"{competition.name}: competition.toml declares no [site] kind, so there is no API to upload with. Upload the CSV "
            f"by hand, then: make lb id={entry['id']}{comp_setting(competition.name)} uploaded=today public=SCORE"
        )
    with _alone():
        entry = ledger.find(entry["id"], competition.name)
        ref, content = _known_ref(entry), b""
        if ref is None:
            content = _validated(entry, competition)
        with waiting("log in to the site"):
            site = connect(slug)
        new = False
        if ref is None:
            ref, new = _on_site(site, entry, competition, content)
        try:
            seen = _awaited(site, ref, wait)
        except UserError as error:
            if not new:
                raise
            raise UserError(
                f"{entry['id']} is uploaded (number {ref}), but its status could not be read: {error}"
            ) from None
        return Uploaded(_recorded(entry, seen), seen, new)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of uploads inside this context. Raises UserError when another process holds it."""
    path = root() / "submissions" / "upload.lock"
    lock, new = FileLock(path), not path.exists()
    try:
        lock.acquire(timeout=1)
    except Timeout as error:
        raise UserError("another make upload is running; wait for it to end.") from error
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be written ({error.strerror}); make it writable or free some space."
        ) from error
    with removed_on_failure(lock, new=new):
        yield


def _known_ref(entry: dict[str, Any]) -> str | None:
    """Return the site's number for this CSV; None when none is recorded. The same CSV may have several ids."""
    for other in ledger.entries():
        same = (other["competition"], other["csv_sha256"]) == (entry["competition"], entry["csv_sha256"])
        ref = other.get("site", {}).get("ref")
        if same and isinstance(ref, str) and ref.isdecimal():
            return ref
    return None


def _validated(entry: dict[str, Any], competition: Competition) -> bytes:
    """Return the bytes of the entry's CSV. Raises UserError unless they are those that were validated."""
    folder, recipe = root() / "submissions", entry["recipe"]
    registered = ledger.is_registered(entry)
    own = root() / entry["registered"]["file"] if registered else folder / f"{recipe}.csv"
    for path in dict.fromkeys([own, *sorted(folder.glob("*.csv"))]):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if hashlib.sha256(content).hexdigest() == entry["csv_sha256"]:
            csv_file.validate(competition, path)
            return content
    state = "has changed since it was validated" if own.is_file() else "is not there"
    if registered:
        raise UserError(f"{entry['id']} ({recipe}) is not uploaded: {kept_copy(entry)}.")
    again = f"make submit blend={recipe}{comp_setting(competition.name)}"
    raise UserError(
        f"{shown(own)}: {state} for submission {entry['id']}, so it is not uploaded. Write it again with: {again} (make reproduce "
        f"id={entry['id']} says whether its inputs are unchanged), or upload another submission."
    )


def _on_site(
    site: Kaggle, entry: dict[str, Any], competition: Competition, content: bytes
) -> tuple[str, bool]:
    """Return the site's number for a CSV, and whether it was uploaded now; record the upload.

    Raises UserError as `upload` does.
    """
    name = entry["id"]
    begun = root() / ".cache" / "uploading" / f"{competition.name}-{name}"
    with waiting("look for an earlier upload"):
        found = _found(site, f"{name} ", _PAUSES if begun.exists() else ())
    if found is None and entry.get("uploaded"):
        raise UserError(
            f"{name} is marked as uploaded on {', '.join(entry['uploaded'])}, but not by make upload; nothing was uploaded. Enter "
            f"its score with: make lb id={name} public=SCORE"
        )
    if found is None and entry.get("lb"):
        raise UserError(
            f"{name} has a score of the site, so it was uploaded already, but not by make upload; nothing was uploaded."
        )
    now = datetime.now(UTC)
    if found is not None:
        moment = found.date or now
        ref, new = found.ref, False
    else:
        day = uploads.today(competition, now)
        if day.used_up:
            raise UserError(f"{name} is not uploaded: {competition.name} has {day}.")
        with tempfile.TemporaryDirectory() as folder, waiting("upload the CSV"):
            path = Path(folder) / f"{entry['recipe']}-{name}.csv"
            path.write_bytes(content)
            write_text(begun, "")
            try:
                ref, new = site.submit(path, f"{name} {entry['recipe']}"), True
            except RefusalError:
                _forget(begun)
                raise
        moment = now
    stamp = now.isoformat(timespec="seconds")
    days = (competition.site.day(moment), competition.site.day(now))
    ledger.append({"id": name, "uploaded": min(days).isoformat(), "time": stamp})
    ledger.append({"id": name, "site": {"ref": ref, "status": "pending"}, "time": stamp})
    _forget(begun)
    return ref, new


def _found(site: Kaggle, description: str, pauses: Sequence[float]) -> Seen | None:
    """Return the submission with this description; look again after each pause until it is there."""
    found = site.find(description)
    for pause in pauses:
        if found is not None:
            break
        time.sleep(pause)
        found = site.find(description)
    return found


def _forget(begun: Path) -> None:
    begun.unlink(missing_ok=True)
    with suppress(OSError):  # another upload's file is there
        begun.parent.rmdir()


def _awaited(site: Kaggle, ref: str, wait: float) -> Seen:
    """Return the submission as soon as it is scored, or as it is after `wait` seconds."""
    end, pause = time.monotonic() + wait, _FIRST_PAUSE
    with waiting("wait for the score"):
        while True:
            seen = site.status(ref)
            left = end - time.monotonic()
            if seen.status != "pending" or left <= 0:
                return seen
            time.sleep(min(pause, left))
            pause = min(1.5 * pause, _LONGEST_PAUSE)


def _recorded(entry: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Return the entry after what is new on the site was appended to the ledger."""
    name = entry["id"]
    known = ledger.find(name)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    state = {"ref": seen.ref, "status": seen.status}
    if known.get("site") != state:
        ledger.append({"id": name, "site": state, "time": now})
    scores = {"public": seen.public, "private": seen.private}
    if any(score is not None and known.get("lb", {}).get(kind) != score for kind, score in scores.items()):
        ledger.record_scores(name, seen.public, seen.private, now)
    found: dict[str, Any] = ledger.find(name)
    return found
