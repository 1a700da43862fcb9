"""Read what the competition's site is and allows: its API, submissions a day, and final picks."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from annotated_types import Ge, Le

from common.core.messages import brief
from common.core.toml_table import TomlTable

Uploads = Annotated[int, Ge(1), Le(10_000)]
Picks = Annotated[int, Ge(1), Le(1000)]
KINDS = ("kaggle",)
"""The sites that `make upload` can upload to."""
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True)
class Site:
    """The competition's site and its limits, as declared in `[site]` of its competition.toml."""

    submissions_per_day: Uploads | None = None
    """Number of CSVs that may be uploaded on one day; None when there is no limit, or it is not declared."""
    time_zone: str = "UTC"
    """IANA name of the time zone in which the site's day begins at midnight."""
    final_picks: Picks | None = None
    """Number of submissions that may be chosen for the final ranking; None when it is not declared."""
    kind: str | None = None
    """The site's API, one of `KINDS`; None when CSVs are uploaded by hand."""
    competition: str | None = None
    """Name of the competition in its address on the site; given exactly when `kind` is."""

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
    kind = table.take("kind", str, 'one of: "kaggle"; no such key when CSVs are uploaded by hand', None)
    slug_wanted = 'the name in the address of the competition, such as "my-competition" in kaggle.com/competitions/my-competition'
    slug = table.take("competition", str, slug_wanted, None)
    if limit is not None and "time_zone" not in table.value:
        raise table.wrong(
            "time_zone", "missing", f"{wanted}: submissions_per_day counts from midnight to midnight there"
        )
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:  # an unknown name is a KeyError
        raise table.wrong("time_zone", brief(zone), wanted) from error
    if kind is not None and kind not in KINDS:
        raise table.wrong("kind", brief(kind), 'one of: "kaggle"; no such key when CSVs are uploaded by hand')
    if slug is None and kind is not None:
        raise table.wrong("competition", "missing", f"{slug_wanted}; kind needs it")
    if slug is not None and kind is None:
        raise table.wrong("kind", "missing", f'kind = "kaggle" beside competition = {brief(slug)}')
    if slug is not None and not _SLUG.fullmatch(slug):
        raise table.wrong("competition", brief(slug), slug_wanted)
    table.done()
    return Site(limit, zone, picks, kind, slug)
