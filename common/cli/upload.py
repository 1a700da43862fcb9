"""Command that uploads a submission to the site: upload."""

import logging

import click

from common.cli.ledger import ID_COMPETITION, uploads_left
from common.core import terminal
from common.core.errors import UserError
from common.data.competition_file import active_competition, comp_setting, load_competition

log = logging.getLogger(__name__)


@click.command()
@click.option("--id", "submission_id", help="Ledger id, or the start of it; default: the newest submission.")
@ID_COMPETITION
@click.option(
    "--wait",
    type=click.FloatRange(0, 86_400),
    default=300,
    show_default=True,
    help="Maximum seconds to wait for the score.",
)
def upload(submission_id: str | None, name: str | None, wait: float) -> None:
    """Upload a submission's CSV to the site, once, and record the scores that the site gives it."""
    from common.submission import leaderboard
    from common.submission.upload import chosen_entry
    from common.submission.upload import upload as uploaded

    chosen = load_competition(name or active_competition())
    if submission_id is not None and not submission_id:
        raise UserError("id= is empty; wanted a ledger id, or no id= for the newest submission.")
    entry = chosen_entry(submission_id, chosen.name, anywhere=name is None)
    chosen = load_competition(entry["competition"])
    before = entry.get("lb", {})
    found = uploaded(entry, chosen, wait)
    entry, seen = found.entry, found.seen
    again = f"make upload id={entry['id']}{comp_setting(chosen.name)}"
    page = f"https://www.kaggle.com/competitions/{chosen.site.competition}/submissions"
    head = f"{entry['id']} ({entry['recipe']})"
    if seen.status == "error":
        why = seen.error or "the site gives no reason"
        raise UserError(f"{head}: the site could not score submission {seen.ref}: {why}. Look at {page}")
    done = "is uploaded" if found.new else "was uploaded before"
    if seen.status == "pending":
        terminal.say(
            f"{head} {done}; the site is still scoring submission {seen.ref}. Read its score later with: {again}"
        )
    else:
        scores = "; ".join(leaderboard.site_scores(chosen, entry, before)) or "the site shows no score yet"
        terminal.say(
            f"{head} {done} as submission {seen.ref}: {scores}. Next: make leaderboard{comp_setting(chosen.name)}"
        )
        for kind, score in (("public", seen.public), ("private", seen.private)):
            if score is not None and (doubt := leaderboard.doubt(chosen, entry, score)):
                log.warning("warning: %s %s: make lb id=%s %s=SCORE", kind, doubt, entry["id"], kind)
    if chosen.site.submissions_per_day is not None:
        terminal.say(uploads_left(chosen))
