"""Commands for blends and submissions: blend-report, submit, leaderboard, lb, reproduce."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from common.cli.options import AS_JSON, BLEND, COMPETITION
from common.core.errors import UserError
from common.core.files import root, shown
from common.core.messages import brief, duration
from common.core.text_table import text_table
from common.data.competition import Competition
from common.data.competition_file import active_competition, load_competition
from common.data.rows import read_predictions
from common.ensemble.recipe import Recipe, read_recipe, require_enough
from common.ensemble.report import advice, blend_report, tables
from common.postprocess.hints import hints
from common.submission import leaderboard, ledger
from common.submission.candidates import member_candidates
from common.submission.ledger import record_scores
from common.submission.members import require_fresh
from common.submission.reproduce import report as reproduction_report
from common.submission.reproduce import reproduce
from common.submission.submit import doubt, submit_blend

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
@AS_JSON
def submit(
    name: str | None,
    blend: str | None,
    missing: str,
    stale: str,
    jobs: int,
    force: bool,
    as_json: bool,
) -> None:
    """Blend members into a validated CSV and add an entry to the ledger."""
    chosen = load_competition(name or active_competition())
    recipe = _recipe(chosen, blend)
    started = time.monotonic()
    made = submit_blend(recipe, chosen, missing, allow_stale=stale == "ok", jobs=jobs, force=force)
    if as_json:
        click.echo(json.dumps(made.entry, ensure_ascii=False))
        return
    if made.repeated:
        click.echo(
            f"{shown(made.path)}: valid; identical to {made.entry['id']} ({made.entry['recipe']}, "
            f"{made.entry['time'][:16].replace('T', ' ')}); nothing was added."
        )
        return
    choice, judged = made.entry["choice"], made.entry["verdict"]
    for copy, original in made.entry["copies"].items():
        click.echo(_COPY.format(copy=copy, original=original))
    click.echo(text_table(leaderboard.members(chosen, made.entry)))
    tied = f", {choice['tied']:.0%} of votes tied and decided by MBR" if recipe.method == "vote" else ""
    for line in hints(read_predictions(made.path, chosen)):
        click.echo(f"hint: {line}")
    click.echo(
        f"{shown(made.path)}: valid, made in {duration(time.monotonic() - started)}. "
        f"Ledger id {made.entry['id']}.\n"
        f"{_blended(made.entry['dev'], judged)}"
        f"Of the candidates for a test dialogue, all are the same text in {choice['all_alike']:.0%} of dialogues and all "
        f"differ in {choice['all_different']:.0%}{tied}.\n"
        f"Next: upload the CSV, then: make lb id={made.entry['id']} public=SCORE"
    )


def _blended(scores: Mapping[str, Any], judged: Mapping[str, Any]) -> str:
    """Return what the blend gains over its best member, as a line; "" when it has only one member."""
    if not set(scores) - {"blend", "floor", judged["best"]}:
        return ""
    return (
        f"On dev {judged['difference']:+.2f} over {judged['best']} alone, 95 % interval "
        f"{judged['low']:+.2f} … {judged['high']:+.2f}{doubt(judged)}.\n"
    )


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
    started = time.monotonic()
    chosen = load_competition(name or active_competition())
    recipe = _recipe(chosen, blend)
    recipe = replace(
        recipe, candidates=candidates, recombined=recipe.recombined if recombined is None else recombined
    )
    require_enough(recipe.recombined, candidates, "blend-report")
    require_fresh(recipe, chosen, "stop", allow_stale=True, jobs=1)
    found = member_candidates(recipe, chosen, "dev")
    report = blend_report(recipe, chosen, found)
    methods, by_length = tables(report)
    more = f", and up to {recipe.recombined} recombined texts for each dialogue" if recipe.recombined else ""
    click.echo(f"{chosen.name} dev: {report.dialogues} dialogues, {report.candidates} candidates{more}\n")
    for copy, original in report.copies.items():
        click.echo(_COPY.format(copy=copy, original=original))
    click.echo(f"{text_table(by_length)}\n\n{text_table(methods)}\n\n{advice(report)}")
    click.echo(
        f"Measured in {duration(time.monotonic() - started)}; nothing was written. Next: change "
        f"submissions/{recipe.name}.toml if another method is better, then: make submit blend={recipe.name}"
    )


def _recipe(chosen: Competition, name: str | None) -> Recipe:
    """Return the recipe with this name, or the competition's own. Raises UserError as `read_recipe` does."""
    name = name or chosen.name
    if Path(name).name != name:
        raise UserError(f"blend {brief(name)}: wanted the name of a file in submissions/, without .toml.")
    return read_recipe(root() / "submissions" / f"{name}.toml")


@click.command("leaderboard")
@COMPETITION
@AS_JSON
def leaderboard_command(name: str | None, as_json: bool) -> None:
    """Show every submission of a competition, and the members of the newest one."""
    chosen = load_competition(name or active_competition())
    found = [entry for entry in ledger.entries() if entry["competition"] == chosen.name]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    if not found:
        click.echo(f"{chosen.name}: nothing submitted yet; make one with: make submit")
        return
    click.echo(f"{chosen.title}   (* made with uncommitted changes, ! with stale members)\n")
    click.echo(text_table(leaderboard.history(chosen, found)))
    click.echo(f"\nmembers of {found[-1]['id']} ({found[-1]['recipe']})\n")
    click.echo(text_table(leaderboard.members(chosen, found[-1])))


@click.command()
@click.option("--id", "submission_id", required=True, help="Ledger id, or the start of it.")
@click.option("--public", type=click.FloatRange(0, 100), help="Public leaderboard score.")
@click.option("--private", type=click.FloatRange(0, 100), help="Private leaderboard score.")
def lb(submission_id: str, public: float | None, private: float | None) -> None:
    """Record the scores that the site's leaderboard shows for a submission."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = record_scores(submission_id, public, private, now)
    scores = ", ".join(f"{board} {score:.2f}" for board, score in entry["lb"].items())
    click.echo(f"{entry['id']} ({entry['recipe']}): {scores}. Next: make leaderboard")


@click.command("reproduce")
@click.option("--id", "submission_id", required=True, help="Ledger id, or the start of it.")
def reproduce_command(submission_id: str) -> None:
    """Rebuild the CSV of a ledger entry: "identical", or which input differs.

    The CSV is built in memory from the present files; no file is written. Exits with 1 when it differs.
    """
    found = reproduce(submission_id)
    click.echo(reproduction_report(found))
    if not found.identical:
        sys.exit(1)
