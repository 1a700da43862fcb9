"""Commands for blends and submissions: blend-report, submit, leaderboard, lb, pick, reproduce."""

import json
import logging
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from common.cli.options import ALL, AS_JSON, BLEND, COMPETITION
from common.core import terminal
from common.core.errors import UserError
from common.core.files import root, shown
from common.core.messages import brief
from common.core.text_table import VERDICTS, text_table
from common.data.competition import Competition
from common.data.competition_file import (
    active_competition,
    comp_setting,
    load_competition,
    require_competition,
)
from common.data.rows import read_predictions
from common.ensemble.recipe import Recipe, read_recipe, require_enough
from common.ensemble.report import advice, blend_report, tables
from common.postprocess.hints import hints
from common.runs.score_text import short
from common.submission import leaderboard, ledger, uploads
from common.submission.candidates import member_candidates
from common.submission.ledger import record_scores
from common.submission.members import require_fresh
from common.submission.reproduce import report as reproduction_report
from common.submission.reproduce import reproduce
from common.submission.submit import doubt, require_recipe_for, submit_blend

log = logging.getLogger(__name__)
ID = click.option("--id", "submission_id", required=True, help="Ledger id, or the start of it.")
ID_COMPETITION = click.option("--competition", "name", help="Look only among its submissions; default: all.")
_COPY = "{copy} has the same predictions as {original}: the two count as one member.\n"


@click.command()
@COMPETITION
@BLEND
@click.option("--missing", type=click.Choice(["stop", "train"]), default="stop", show_default=True)
@click.option("--stale", type=click.Choice(["stop", "ok"]), default="stop", show_default=True)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    help="Number of members trained at the same time.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Submit even if dev does not show that the blend is better than its best member.",
)
@ALL
@click.option("--note", help="A message about the submission, kept in the ledger.")
@AS_JSON
def submit(
    name: str | None,
    blend: str | None,
    missing: str,
    stale: str,
    jobs: int,
    force: bool,
    everything: bool,
    note: str | None,
    as_json: bool,
) -> None:
    """Blend members into a validated CSV and add an entry to the ledger."""
    chosen = load_competition(name or active_competition())
    if note is not None:
        note = ledger.require_note(note)
    recipe = _recipe(chosen, blend, "submit")
    made = submit_blend(recipe, chosen, missing, allow_stale=stale == "ok", jobs=jobs, force=force, note=note)
    if as_json:
        click.echo(json.dumps(made.entry, ensure_ascii=False))
        return
    if made.repeated:
        added = "only its note was replaced" if made.noted else "nothing was added"
        click.echo(
            f"{shown(made.path)}: valid; identical to {made.entry['id']} ({made.entry['recipe']}, "
            f"{made.entry['time'][:16].replace('T', ' ')}); {added}."
        )
        return
    choice, judged = made.entry["choice"], made.entry["verdict"]
    for copy, original in made.entry["copies"].items():
        click.echo(terminal.fitted(_COPY.format(copy=copy, original=original)))
    click.echo(leaderboard.opening(chosen, made.entry))
    click.echo(text_table(leaderboard.members(chosen, made.entry, everything=everything)))
    tied = f", {choice['tied']:.0%} of votes tied and decided by MBR" if recipe.method == "vote" else ""
    for line in hints(read_predictions(made.path, chosen)):
        click.echo(terminal.fitted(f"{terminal.styled('hint:', 'yellow')} {line}"))
    told = (
        f"{shown(made.path)}: valid; all texts are equal in {choice['all_alike']:.0%} of dialogues, "
        f"all are different in {choice['all_different']:.0%}"
        f"{tied}. "
        f"Ledger id {made.entry['id']}.\n"
        f"On dev {judged['difference']:+.2f} over {judged['best']} alone, 95 % interval "
        f"{judged['low']:+.2f} … {judged['high']:+.2f}{doubt(judged)}."
    )
    click.echo(terminal.fitted(told))
    if chosen.site.submissions_per_day is not None:
        click.echo(
            f"{_uploads(chosen)}. After the upload: make lb id={made.entry['id']} uploaded={uploads.TODAY}"
        )


def _uploads(chosen: Competition) -> str:
    """Return how many uploads the site's day has left; log a warning when there is none."""
    day = uploads.today(chosen, datetime.now(UTC))
    if day.used_up:
        log.warning("warning: %s has no upload left today; the site will refuse another one.", chosen.name)
    return str(day)


@click.command("blend-report")
@COMPETITION
@BLEND
@click.option(
    "--candidates",
    type=click.IntRange(1, 1000),
    default=8,
    show_default=True,
    help="Maximum number of candidates for each member.",
)
@click.option(
    "--recombined",
    type=click.IntRange(0, 1000),
    help="Maximum number of texts for each dialogue that are recombined from candidates. Default: the recipe's.",
)
def blend_report_command(
    name: str | None, blend: str | None, candidates: int, recombined: int | None
) -> None:
    """Compare the ways of blending a recipe's members on dev, by nested cross-validation."""
    chosen = load_competition(name or active_competition())
    recipe = _recipe(chosen, blend, "blend-report")
    recipe = replace(
        recipe, candidates=candidates, recombined=recipe.recombined if recombined is None else recombined
    )
    require_enough(recipe.recombined, candidates, "blend-report")
    require_fresh(recipe, chosen, "stop", allow_stale=True, jobs=1)
    found = member_candidates(recipe, chosen, "dev")
    report = blend_report(recipe, chosen, found)
    methods, by_length = tables(report)
    more = f", and up to {recipe.recombined} recombined texts for each dialogue" if recipe.recombined else ""
    counted = f"{chosen.name} dev: {report.dialogues} dialogues, {report.candidates} candidates{more}\n"
    click.echo(terminal.fitted(counted))
    for copy, original in report.copies.items():
        click.echo(terminal.fitted(_COPY.format(copy=copy, original=original)))
    compared = text_table(methods, ("p", "gap closed"), VERDICTS)
    click.echo(f"{text_table(by_length)}\n\n{compared}\n\n{terminal.fitted(advice(report))}")


def _recipe(chosen: Competition, name: str | None, command: str) -> Recipe:
    """Return the recipe with this name, or the competition's own.

    Raises UserError as `read_recipe` does, and for a recipe of another competition.
    """
    name = name or chosen.name
    if Path(name).name != name:
        raise UserError(f"blend {brief(name)}: wanted the name of a file in submissions/, without .toml.")
    recipe = read_recipe(root() / "submissions" / f"{name}.toml")
    require_recipe_for(recipe, chosen, command)
    return recipe


@click.command("leaderboard")
@COMPETITION
@ALL
@AS_JSON
def leaderboard_command(name: str | None, everything: bool, as_json: bool) -> None:
    """Show every submission of a competition, and the members of the newest one."""
    chosen = load_competition(name or active_competition())
    found = [entry for entry in ledger.entries() if entry["competition"] == chosen.name]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    if not found:
        click.echo(
            f"{chosen.name}: nothing submitted yet; make one with: make submit{comp_setting(chosen.name)}"
        )
        return
    dev, board = (short(p) for p in (chosen.dev_profile, chosen.leaderboard_profile))
    click.echo(
        terminal.fitted(
            f"{chosen.title}   (dev: {dev}, test: {board}; * made with uncommitted changes, ! with stale members)\n"
        )
    )
    table = leaderboard.history(chosen, found, everything=everything)
    click.echo(text_table(table, leaderboard.HISTORY_DROPPED))
    click.echo(f"\nmembers of {found[-1]['id']} ({found[-1]['recipe']})\n")
    click.echo(text_table(leaderboard.members(chosen, found[-1], everything=everything)))
    click.echo(f"\n{_picked(chosen, found)}")
    if chosen.site.submissions_per_day is not None:
        click.echo(_uploads(chosen))


def _picked(chosen: Competition, found: list[dict[str, Any]]) -> str:
    taken, most = uploads.picks(found), chosen.site.final_picks
    of = "" if most is None else f" of {most}"
    return f"final picks: {len(taken)}{of}{': ' if taken else ''}{', '.join(taken)}"


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
    if uploaded is None or public is not None or private is not None:
        entry = record_scores(entry["id"], public, private, now.isoformat(timespec="seconds"))
    if uploaded is not None:
        entry = uploads.mark_uploaded(entry["id"], uploaded, now)
    scores = [f"{kind} {value:.2f}" for kind, value in entry.get("lb", {}).items()]
    days = sorted(day.isoformat() for day in uploads.upload_days(chosen)[entry["id"]])
    told = [*scores, *([f"uploaded {', '.join(days)}"] if days else [])]
    click.echo(f"{entry['id']} ({entry['recipe']}): {'; '.join(told)}")
    if chosen.site.submissions_per_day is not None:
        click.echo(_uploads(chosen))


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
            click.echo(
                f"{chosen.name}: nothing submitted yet; make one with: make submit{comp_setting(chosen.name)}"
            )
            return
        advice = uploads.recommended(chosen, uploads.candidates(chosen, found))
        click.echo("\n".join([f"{chosen.name}: {_picked(chosen, found)}", *advice]))
        return
    changed = uploads.set_pick(submission_id, datetime.now(UTC), _known(name), on=not off)
    entry = ledger.find(submission_id, name)
    chosen = load_competition(entry["competition"])
    found = [e for e in ledger.entries() if e["competition"] == chosen.name]
    state = (
        "is no final pick any longer" if off else "is a final pick" if changed else "is already a final pick"
    )
    click.echo(f"{entry['id']} ({entry['recipe']}) {state}; {_picked(chosen, found)}")
    if not off and not uploads.upload_days(chosen)[entry["id"]]:
        click.echo(
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
    found = reproduce(submission_id, _known(name))
    click.echo(reproduction_report(found))
    if not found.identical:
        sys.exit(1)
