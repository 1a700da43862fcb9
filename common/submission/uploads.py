"""Count the uploads of a day, and mark uploads and final picks in the ledger.

An entry of the ledger is a CSV, not an upload: nobody but its user knows whether it went to the site. An upload counts when
`make lb id=… uploaded=DAY` says so; without that, a public score proves one, on the day when it was first entered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from common.core.errors import UserError
from common.core.files import root
from common.core.json_lines import append_line
from common.core.messages import brief
from common.data.competition import Competition
from common.data.competition_file import comp_setting, load_competition
from common.submission import ledger
from common.submission.same_csv import one_for_each_csv

TODAY = "today"


@dataclass(frozen=True)
class Day:
    """The uploads to a competition's site that the ledger knows of one day."""

    competition: str
    day: date
    uploads: int
    limit: int | None
    time_zone: str
    left: timedelta
    """Time until the site's next day begins."""

    @property
    def used_up(self) -> bool:
        """Return whether the site accepts no other upload on this day."""
        return self.limit is not None and self.uploads >= self.limit

    def __str__(self) -> str:
        """Return a line for the terminal, such as "2 of 12 uploads left today (Asia/Seoul, 10 recorded)"."""
        if self.limit is None:
            return f"{self.uploads} uploads recorded today ({self.time_zone}); no limit is declared"
        rest = max(0, self.limit - self.uploads)
        line = f"{rest} of {self.limit} uploads left today ({self.time_zone}, {self.uploads} recorded)"
        minutes = int(self.left.total_seconds()) // 60
        return line + (
            f"; the site's next day begins in {minutes // 60} h {minutes % 60} min" if self.used_up else ""
        )


def upload_days(competition: Competition) -> dict[str, set[date]]:
    """Return id → days on which this CSV was uploaded, in the site's time zone, for each submission to a competition.

    The same CSV counts once a day. A line whose day or time cannot be read counts on no day. The score of a CSV that was
    made elsewhere proves no day, because it may have been uploaded long before.
    """
    known = ledger.entries()
    registered = {e["id"] for e in known if ledger.is_registered(e)} - {
        e["id"] for e in known if not ledger.is_registered(e)
    }
    marked: dict[str, set[date]] = {e["id"]: set() for e in known if e["competition"] == competition.name}
    scored: dict[str, date] = {}
    for line in ledger.lines():
        name = line["id"]
        try:
            if name in marked and ledger.later(line) == "uploaded":
                marked[name].add(date.fromisoformat(line["uploaded"]))
            elif (
                name in marked
                and name not in registered
                and ledger.later(line) == "lb"
                and line["lb"].get("public") is not None
            ):
                scored.setdefault(name, competition.site.day(datetime.fromisoformat(line["time"])))
        except ValueError:
            continue
    return {name: days or ({scored[name]} if name in scored else set()) for name, days in marked.items()}


def today(competition: Competition, now: datetime) -> Day:
    """Return the uploads of the site's present day."""
    site = competition.site
    day = site.day(now)
    midnight = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(site.time_zone))
    uploads = sum(day in days for days in upload_days(competition).values())
    left = midnight.astimezone(UTC) - now.astimezone(UTC)
    return Day(competition.name, day, uploads, site.submissions_per_day, site.time_zone, left)


def require_day(text: str, competition: Competition, entry: dict[str, Any], now: datetime) -> date:
    """Return the day of an upload: "today" or YYYY-MM-DD, in the site's time zone.

    Raises UserError for any other text, a day in the future, and a day before the CSV was made.
    """
    zone, last = competition.site.time_zone, competition.site.day(now)
    try:
        made = date.min if ledger.is_registered(entry) else None  # it was uploaded before it was registered
        first = made or competition.site.day(datetime.fromisoformat(entry["time"]))
    except ValueError:  # an old entry of another form
        first = date.min
    wanted = (
        f'wanted "{TODAY}" or a day as YYYY-MM-DD, from the day of the submission to today ({last}, {zone})'
    )
    try:
        day = last if text == TODAY else date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"uploaded={brief(text)}: {wanted}.") from error
    if not first <= day <= last:
        raise UserError(f"uploaded={brief(text)}: {wanted}; the submission is of {first}.")
    return day


def mark_uploaded(
    submission: str, text: str, now: datetime, competition: str | None = None
) -> dict[str, Any]:
    """Record that a CSV was uploaded on a day, and return its entry; a day that is already recorded changes nothing.

    Raises UserError as `ledger.find` and `require_day` do.
    """
    entry = ledger.find(submission, competition)
    day = require_day(text, load_competition(entry["competition"]), entry, now).isoformat()
    if day not in entry.get("uploaded", []):
        ledger.append({"id": entry["id"], "uploaded": day, "time": now.isoformat(timespec="seconds")})
    found: dict[str, Any] = ledger.find(entry["id"])
    return found


def picks(entries: Sequence[dict[str, Any]]) -> list[str]:
    """Return the ids of the final picks among these entries, oldest first."""
    return list(dict.fromkeys(entry["id"] for entry in entries if entry.get("pick")))


def set_pick(submission: str, now: datetime, competition: str | None = None, *, on: bool = True) -> bool:
    """Mark a submission as a final pick, or take the mark back; return False when it already was so.

    Raises UserError as `ledger.find` does, when a submission that is no pick is taken back, and when the competition
    allows no further pick.
    """
    with ledger.locked():
        entry = ledger.find(submission, competition)
        chosen = load_competition(entry["competition"])
        taken = picks([e for e in ledger.entries() if e["competition"] == chosen.name])
        name, most = entry["id"], chosen.site.final_picks
        if on and name in taken:
            return False
        if not on and name not in taken:
            listed = ", ".join(taken) or "none"
            raise UserError(f"id={name} is not a final pick of {chosen.name}; picked: {listed}.")
        if on and most is not None and len(taken) >= most:
            raise UserError(
                f"id={name}: {chosen.name} allows {most} final picks, and they are taken: {', '.join(taken)}; take one back "
                f"with: make pick id={taken[0]} off=1"
            )
        line = {"id": name, "pick": on, "time": now.isoformat(timespec="seconds")}
        append_line(root() / ledger.LEDGER, line)
    return True


@dataclass(frozen=True)
class Candidate:
    """A submission that may become a final pick."""

    id: str
    recipe: str
    dev: float
    low: float | None
    """Lower end of the 95 % bootstrap interval of the dev score; None when the entry is older than intervals."""
    high: float | None
    uploaded: bool
    picked: bool


def candidates(competition: Competition, entries: Sequence[dict[str, Any]]) -> list[Candidate]:
    """Return the submissions that were measured on the same dev rows as the newest one, best dev score first.

    The newest entry comes first among equal scores. Scores on other dev rows cannot be compared with these, and neither can
    a dev score that somebody states.
    """
    days = upload_days(competition)
    own = [
        entry
        for entry in one_for_each_csv(entries)
        if entry["competition"] == competition.name
        and not ledger.is_stated(entry)
        and entry["dev"].get("blend")
    ]
    rows = own[-1]["data"].get("dev") if own else None
    latest = {entry["id"]: entry for entry in own if entry["data"].get("dev") == rows}
    found = []
    for entry in reversed(latest.values()):
        score = entry["dev"].get("blend", {}).get(competition.dev_profile)
        if score is None:
            continue
        interval = entry.get("interval") or {}
        found.append(
            Candidate(
                entry["id"], entry["recipe"], score, interval.get("low"), interval.get("high"),
                bool(days[entry["id"]]), bool(entry.get("pick")),
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: -one.dev)


def recommended(competition: Competition, found: Sequence[Candidate]) -> list[str]:
    """Return lines that recommend final picks by dev, and say which of them dev cannot tell apart."""
    most = competition.site.final_picks or 1
    best, comp = found[:most], comp_setting(competition.name)
    if not best:
        return []
    lines = ["By dev:"]
    for one in best:
        interval = "" if one.low is None else f", 95 % interval {one.low:.2f} … {one.high:.2f}"
        missing = "" if one.uploaded else f"; no upload is recorded: make lb id={one.id}{comp} uploaded=DAY"
        state = "picked" if one.picked else f"make pick id={one.id}{comp}"
        lines.append(f"  {one.id} ({one.recipe}): {one.dev:.2f}{interval}: {state}{missing}")
    close = [one.id for one in found[1:] if best[0].low is not None and one.dev >= best[0].low]
    if close:
        lines.append(
            f"The interval of {best[0].id} holds the scores of {len(close)} others ({', '.join(close[:4])}"
            f"{', …' if len(close) > 4 else ''}), so dev hardly tells them apart: prefer picks that were made differently."
        )
    return lines
