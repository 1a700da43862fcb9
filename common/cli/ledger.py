"""Commands for what was submitted: leaderboard, lb, pick, reproduce."""

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any

import click

from common.cli.options import ALL, AS_JSON, COMPETITION
from common.cli.page import html_page
from common.core import terminal
from common.core.errors import UserError
from common.core.messages import duration
from common.core.text_table import text_table
from common.data.competition import Competition
from common.data.competition_file import (
    active_competition,
    comp_setting,
    load_competition,
    require_competition,
)
from common.runs.score_text import short
from common.submission import dev_and_site, leaderboard, ledger, uploads
from common.submission.ledger import record_scores
from common.submission.same_csv import also_line, one_for_each_csv

log = logging.getLogger(__name__)
ID = click.option("--id", "submission_id", required=True, help="Ledger id, or the start of it.")
ID_COMPETITION = click.option("--competition", "name", help="Look only among its submissions; default: all.")


def uploads_left(chosen: Competition) -> str:
    """Return how many uploads the site's day has left; log a warning when there is none."""
    day = uploads.today(chosen, datetime.now(UTC))
    if day.used_up:
        log.warning("warning: %s has no upload left today; the site will refuse another one.", chosen.name)
    return str(day)


@click.command("leaderboard")
@COMPETITION
@ALL
@AS_JSON
@click.option("--html", is_flag=True, help="Write a page of all runs and submissions for a browser instead.")
def leaderboard_command(name: str | None, everything: bool, as_json: bool, html: bool) -> None:
    """Show every submission of a competition, and the members of the newest one."""
    chosen = load_competition(name or active_competition())
    if html and as_json:
        raise click.UsageError("--html and --json exclude each other.")
    if html:
        html_page(chosen)
        return
    found = one_for_each_csv(e for e in ledger.entries() if e["competition"] == chosen.name)
    compared = [dev_and_site.dev_against_site(chosen, found, kind) for kind in dev_and_site.KINDS]
    if as_json:
        if trust := [dev_and_site.as_json(one) for one in compared if one.any]:
            found[-1] = {**found[-1], "dev_against_site": trust}
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    if not found:
        terminal.say(
            f"{chosen.name}: nothing submitted yet; make one with: make submit{comp_setting(chosen.name)}"
        )
        return
    dev, board = (short(p) for p in (chosen.dev_profile, chosen.leaderboard_profile))
    terminal.say(
        f"{chosen.title}   (dev: {dev}, test: {board}; * made with uncommitted changes, ! with stale members)\n"
    )
    table = leaderboard.history(chosen, found, everything=everything)
    click.echo(text_table(table, leaderboard.HISTORY_DROPPED))
    made = [entry for entry in found if not ledger.is_registered(entry)]
    if len(made) < len(found):
        terminal.say(f"\n{leaderboard.REGISTERED} registered: made elsewhere, so its members are not known")
    if any(map(ledger.is_stated, found)):
        terminal.say(f"{leaderboard.STATED} the dev score is what somebody stated; it was not measured here")
    for line in filter(None, map(also_line, found)):
        terminal.say(line)
    if made:
        click.echo(f"\nmembers of {made[-1]['id']} ({made[-1]['recipe']})\n")
        click.echo(text_table(leaderboard.members(chosen, made[-1], everything=everything)))
    click.echo()
    for compared_scores in compared:
        if told := dev_and_site.line(compared_scores):
            terminal.say(told)
        if compared_scores.warning:
            log.warning("warning: %s.", compared_scores.warning)
    terminal.say(_picked(chosen, found))
    for one in ledger.check({chosen.name: chosen.site.final_picks}):
        if one.decide:
            log.warning("%s: %s", ledger.LEDGER, one.text)
    if chosen.site.submissions_per_day is not None:
        terminal.say(uploads_left(chosen))
    terminal.say_next(f"make leaderboard html=1{comp_setting(chosen.name)}")


def _picked(chosen: Competition, found: list[dict[str, Any]]) -> str:
    taken, most = uploads.picks(found), chosen.site.final_picks
    names = ", ".join(taken)
    if most is None:
        return f"final picks: {len(taken)}: {names}" if taken else "final picks: 0"
    return f"final picks: {len(taken)} of {most}: {names}" if taken else f"final picks: 0 of {most}"


@click.command()
@ID
@ID_COMPETITION
@click.option("--public", type=click.FloatRange(0, 100), help="Public leaderboard score.")
@click.option("--private", type=click.FloatRange(0, 100), help="Private leaderboard score.")
@click.option("--uploaded", help="Day of the upload in the site's time zone: today or YYYY-MM-DD.")
def lb(
    submission_id: str,
    name: str | None,
    public: float | None,
    private: float | None,
    uploaded: str | None,
) -> None:
    """Record an upload and the scores that the site's leaderboard shows for it."""
    now = datetime.now(UTC)
    entry = ledger.find(submission_id, _known(name))
    chosen = load_competition(entry["competition"])
    if uploaded is not None:
        uploads.require_day(uploaded, chosen, entry, now)  # before anything is written
    before = entry.get("lb", {})
    if uploaded is None or public is not None or private is not None:
        entry = record_scores(entry["id"], public, private, now.isoformat(timespec="seconds"))
    if uploaded is not None:
        entry = uploads.mark_uploaded(entry["id"], uploaded, now)
    scores = leaderboard.site_scores(chosen, entry, before)
    days = sorted(day.isoformat() for day in uploads.upload_days(chosen)[entry["id"]])
    told = [*scores, *([f"uploaded {', '.join(days)}"] if days else [])]
    terminal.say(f"{entry['id']} ({entry['recipe']}): {'; '.join(told)}. Next: make leaderboard")
    for kind, given in (("public", public), ("private", private)):
        if given is not None and (doubt := leaderboard.doubt(chosen, entry, given)):
            log.warning("warning: %s %s: make lb id=%s %s=SCORE", kind, doubt, entry["id"], kind)
    if chosen.site.submissions_per_day is not None:
        terminal.say(uploads_left(chosen))


@click.command()
@click.option("--id", "submission_id", help="Ledger id, or the start of it; default: only recommend.")
@ID_COMPETITION
@click.option("--off", is_flag=True, help="Take the pick back.")
def pick(submission_id: str | None, name: str | None, off: bool) -> None:
    """Mark a submission as a final pick. Without an id: list the picks, and recommend some by dev."""
    if not submission_id:
        if off or submission_id is not None:
            raise UserError("id= is missing; wanted the submission to take back: make pick id=ID off=1")
        chosen = load_competition(name or active_competition())
        found = [entry for entry in ledger.entries() if entry["competition"] == chosen.name]
        if not found:
            terminal.say(
                f"{chosen.name}: nothing submitted yet; make one with: make submit{comp_setting(chosen.name)}"
            )
            return
        advice = uploads.recommended(chosen, uploads.candidates(chosen, found))
        terminal.say("\n".join([f"{chosen.name}: {_picked(chosen, found)}", *advice]))
        terminal.say_next(f"make pick id=ID{comp_setting(chosen.name)}")
        return
    changed = uploads.set_pick(submission_id, datetime.now(UTC), _known(name), on=not off)
    entry = ledger.find(submission_id, name)
    chosen = load_competition(entry["competition"])
    found = [e for e in ledger.entries() if e["competition"] == chosen.name]
    state = (
        "is no final pick any longer" if off else "is a final pick" if changed else "is already a final pick"
    )
    terminal.say(
        f"{entry['id']} ({entry['recipe']}) {state}; {_picked(chosen, found)}. Next: make leaderboard{comp_setting(chosen.name)}"
    )
    was_scored = ledger.is_registered(entry) and entry.get("lb")  # so it was uploaded, on an unknown day
    if not off and not was_scored and not uploads.upload_days(chosen)[entry["id"]]:
        terminal.say(
            f"hint: no upload of it is recorded, and a site accepts only what was uploaded; after the upload: "
            f"make lb id={entry['id']} uploaded={uploads.TODAY}"
        )


def _known(name: str | None) -> str | None:
    """Return the name of a competition, or None for all. Raises UserError when there is no such competition."""
    if name is not None:
        require_competition(name)
    return name


@click.command("reproduce")
@ID
@ID_COMPETITION
def reproduce_command(submission_id: str, name: str | None) -> None:
    """Rebuild the CSV of a ledger entry: "identical", or which input differs.

    The CSV is built in memory from the present files; no file is written. Exits with 1 when it differs.
    """
    from common.submission.reproduce import report, reproduce  # with all that blends

    started = time.monotonic()
    found = reproduce(submission_id, _known(name))
    terminal.say(report(found))
    terminal.say(f"Built again in {duration(time.monotonic() - started)}; no file was written.")
    if not found.identical:
        sys.exit(1)
    terminal.say_next("make leaderboard")
