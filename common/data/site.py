"""Read what the competition's site allows: submissions a day, and final picks."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from annotated_types import Ge, Le

from common.core.messages import brief
from common.core.toml_table import TomlTable

Uploads = Annotated[int, Ge(1), Le(10_000)]
Picks = Annotated[int, Ge(1), Le(1000)]


@dataclass(frozen=True)
class Site:
    """The limits of the competition's site, as declared in `[site]` of its competition.toml."""

    submissions_per_day: Uploads | None = None
    """Number of CSVs that may be uploaded on one day; None when there is no limit, or it is not declared."""
    time_zone: str = "UTC"
    """IANA name of the time zone in which the site's day begins at midnight."""
    final_picks: Picks | None = None
    """Number of submissions that may be chosen for the final ranking; None when it is not declared."""

    def day(self, moment: datetime) -> date:
        """Return the site's date at a moment; one without a time zone is in UTC."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(ZoneInfo(self.time_zone)).date()


def read_site(table: TomlTable | None) -> Site:
    """Return the content of a `[site]` table, or no limits when there is none. Raises UserError for a wrong value."""
    if table is None:
        return Site()
    wanted = 'the IANA name of a time zone, such as "Asia/Seoul"'
    limit = table.number("submissions_per_day", Uploads, None)
    picks = table.number("final_picks", Picks, None)
    zone = table.take("time_zone", str, wanted, "UTC")
    if limit is not None and "time_zone" not in table.value:
        raise table.wrong(
            "time_zone", "missing", f"{wanted}: submissions_per_day counts from midnight to midnight there"
        )
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:  # an unknown name is a KeyError
        raise table.wrong("time_zone", brief(zone), wanted) from error
    table.done()
    return Site(limit, zone, picks)
