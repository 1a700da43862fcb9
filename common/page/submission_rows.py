"""Read the ledger for the page: submissions, and how far dev predicts the site."""

from collections.abc import Mapping, Sequence
from typing import Any

from common.core.errors import UserError, first_line
from common.core.messages import brief
from common.data.competition import Competition
from common.page.content import Score, SubmissionRow
from common.page.finite import finite
from common.page.run_rows import Gap
from common.page.sentences import both
from common.submission import dev_and_site, ledger

SAME = 1e-9
"""Largest difference between two means of the same scores, added up in another order."""


def entries(competition: Competition, gap: Gap) -> list[dict[str, Any]]:
    """Return the ledger's submissions to a competition, oldest first. `gap` is told which lines were left out as damaged."""
    skipped: list[str] = []
    try:
        found = ledger.entries(skipped)
    except UserError as error:
        skipped, found = [str(error)], []
    for message in skipped:
        gap(message)
    return [entry for entry in found if entry["competition"] == competition.name]


def submission_rows(found: Sequence[Mapping[str, Any]], gap: Gap) -> list[SubmissionRow]:
    """Return a row for each submission, in the same order. `gap` is told of an entry that holds other things than ours."""
    rows = []
    for entry in found:
        try:
            rows.append(_row(entry))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            gap(
                f"{ledger.LEDGER}: submission {brief(entry['id'])} is damaged ({first_line(error)}); "
                "restore its line from git, or remove it."
            )
    return rows


def _row(entry: Mapping[str, Any]) -> SubmissionRow:
    verdict, board = entry.get("verdict", {}), entry.get("lb", {})
    members = [str(ledger.member_name(member)) for member in entry["members"]]
    if not all(isinstance(found, dict) for found in (verdict, board, entry["dev"].get("blend", {}))):
        raise TypeError("scores are no table")
    gain = {key: finite(verdict.get(key)) for key in ("difference", "low", "high")}
    return SubmissionRow(
        id=entry["id"],
        time=entry["time"],
        recipe=entry["recipe"],
        method=entry["method"],
        members=members,
        dev=_scores(entry["dev"], entry.get("interval", {})),
        test=_scores(entry.get("test", {}), {}),
        member_scores={name: _numbers(entry["dev"].get(name, {})) for name in members},
        public=finite(board.get("public")),
        private=finite(board.get("private")),
        commit=entry["git"].get("commit"),
        dirty=bool(entry["git"].get("dirty")),
        stale=bool(entry["stale"]),
        registered=ledger.is_registered(entry),
        pick=bool(entry.get("pick")),
        note=entry.get("note", ""),
        best_member=str(verdict.get("best", "")),
        gain=None
        if gain["difference"] is None
        else Score(gain["difference"], low=gain["low"], high=gain["high"]),
    )


def _scores(split: Mapping[str, Any], interval: Mapping[str, Any]) -> dict[str, Score]:
    """Return the blend's scores by profile, each with its floor, and the interval where it was measured."""
    floors = _numbers(split.get("floor", {}))
    ends = (finite(interval.get("low")), finite(interval.get("high")))
    return {
        profile: Score(
            score, *(ends if interval.get("profile") == profile else (None, None)), floors.get(profile)
        )
        for profile, score in _numbers(split.get("blend", {})).items()
    }


def _numbers(found: Any) -> dict[str, float]:
    pairs = found.items() if isinstance(found, dict) else ()
    return {name: number for name, value in pairs if (number := finite(value)) is not None}


def gain_of_blend(row: SubmissionRow, blends: Sequence[Mapping[str, Any]]) -> Score | None:
    """Return a submission's gain with the interval that the page shows of its recipe, where both measured the same texts.

    The ledger may have an interval of other resamples, from an earlier version.
    """
    for blend in blends:
        found = blend.get("blend")
        if not (row.gain and found) or (blend["recipe"], blend["best"]) != (row.recipe, row.best_member):
            continue
        if abs(found["gain"] - row.gain.score) < SAME:
            return Score(found["gain"], low=found["gain_low"], high=found["gain_high"])
    return row.gain


def trust(competition: Competition, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for the public and the private leaderboard how far dev predicts it; [] without a score of the site.

    Each is `dev_and_site.as_json` with its warning in both languages.
    """
    compared = [dev_and_site.dev_against_site(competition, found, kind) for kind in dev_and_site.KINDS]
    return [
        {**dev_and_site.as_json(one), "warning": both(one.warning) if one.warning else None}
        for one in compared
        if one.any
    ]
