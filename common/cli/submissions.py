"""Commands for blends: submit and blend-report."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from common.cli.ledger import uploads_left
from common.cli.options import ALL, AS_JSON, BLEND, COMPETITION
from common.core import terminal
from common.core.errors import UserError
from common.core.files import root, shown
from common.core.messages import brief, duration, local_time
from common.core.text_table import VERDICTS, text_table
from common.data.competition import Competition
from common.data.competition_file import (
    active_competition,
    comp_setting,
    load_competition,
)
from common.data.rows import read_predictions, read_references
from common.postprocess.hints import hints
from common.submission import leaderboard, ledger, uploads

if TYPE_CHECKING:
    from common.ensemble.recipe import Recipe

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
    from common.submission.submit import submit_blend  # with all that blends, which no other command needs

    chosen = load_competition(name or active_competition())
    if note is not None:
        note = ledger.require_note(note)
    recipe = _recipe(chosen, blend, "submit")
    started = time.monotonic()
    made = submit_blend(recipe, chosen, missing, allow_stale=stale == "ok", jobs=jobs, force=force, note=note)
    if as_json:
        click.echo(json.dumps(made.entry, ensure_ascii=False))
        return
    if made.repeated:
        added = "only its note was replaced" if made.noted else "nothing was added"
        terminal.say(
            f"{shown(made.path)}: valid; identical to {made.entry['id']} ({made.entry['recipe']}, "
            f"{local_time(made.entry['time'])}); {added}."
        )
        return
    if line := _test_only(recipe):
        terminal.say(line)
    choice, judged = made.entry["choice"], made.entry["verdict"]
    for copy, original in made.entry["copies"].items():
        terminal.say(_COPY.format(copy=copy, original=original))
    click.echo(leaderboard.opening(chosen, made.entry))
    click.echo(text_table(leaderboard.members(chosen, made.entry, everything=everything)))
    tied = f", {choice['tied']:.0%} of votes tied and decided by MBR" if recipe.method == "vote" else ""
    for line in hints(read_predictions(made.path, chosen)):
        terminal.say(f"{terminal.styled('hint:', 'yellow')} {line}")
    told = (
        f"{shown(made.path)}: valid, made in {duration(time.monotonic() - started)}. "
        f"Ledger id {made.entry['id']}.\n"
        f"{_blended(made.entry['dev'], judged)}"
    )
    if choice["all_alike"] < 1 or choice["all_different"] < 1:  # both are 1 when there is only one candidate
        told += (
            f"Of the candidates for a test dialogue, all are the same text in {choice['all_alike']:.0%} of dialogues and "
            f"all differ in {choice['all_different']:.0%}{tied}."
        )
    terminal.say(told.rstrip("\n"))
    limited = chosen.site.submissions_per_day is not None
    if limited:
        terminal.say(f"{uploads_left(chosen)}.")
    if chosen.site.kind is not None:
        terminal.say(f"Next: make upload id={made.entry['id']}{comp_setting(chosen.name)}")
        return
    day = f" uploaded={uploads.TODAY}" if limited else ""
    terminal.say(f"Next: upload the CSV, then: make lb id={made.entry['id']}{day} public=SCORE")


def _test_only(recipe: "Recipe") -> str:
    """Return what happens to members without dev predictions, as a line; "" when there are none."""
    names = ", ".join(recipe.test_only)
    if not names:
        return ""
    if recipe.learns:
        return f"{names}: no dev predictions, and {recipe.method} learns on dev how to choose, so this takes no part in the blend.\n"
    return f"{names}: no dev predictions, so this takes part on test only; dev scores are those of the other members.\n"


def _blended(scores: Mapping[str, Any], judged: Mapping[str, Any]) -> str:
    """Return what the blend gains over its best member, as a line; "" when it has only one member."""
    from common.submission.submit import doubt

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
    from common.ensemble import report_file
    from common.ensemble.recipe import require_enough
    from common.ensemble.report import advice, blend_report, control_sentence, tables
    from common.submission.candidates import member_candidates
    from common.submission.members import require_fresh

    started = time.monotonic()
    chosen = load_competition(name or active_competition())
    recipe = _recipe(chosen, blend, "blend-report")
    of_recipe = recipe.candidates
    recipe = replace(
        recipe, candidates=candidates, recombined=recipe.recombined if recombined is None else recombined
    )
    require_enough(recipe.recombined, candidates, "blend-report")
    read_references(chosen, "dev")  # before the members, which take a while
    require_fresh(recipe, chosen, "stop", allow_stale=True, jobs=1)
    found = member_candidates(recipe, chosen, "dev")
    report = blend_report(recipe, chosen, found)
    methods, by_length = tables(report)
    more = f", and up to {recipe.recombined} recombined texts for each dialogue" if recipe.recombined else ""
    counted = f"{chosen.name} dev: {report.dialogues} dialogues, {report.candidates} candidates{more}\n"
    terminal.say(counted)
    if recipe.test_only:
        names = ", ".join(recipe.test_only)
        terminal.say(f"{names}: no dev predictions, so this report leaves it out.\n")
    for copy, original in report.copies.items():
        terminal.say(_COPY.format(copy=copy, original=original))
    compared = text_table(methods, ("p", "gap closed"), VERDICTS)
    click.echo(f"{text_table(by_length)}\n\n{compared}\n\n{terminal.fitted(advice(report))}")
    if told := control_sentence(report):
        terminal.say(told)
    if of_recipe != candidates:
        terminal.say(
            f"These figures are of {candidates} candidates for each member; submissions/{recipe.name}.toml has {of_recipe}. To "
            f"submit what was measured, write candidates = {candidates} into it."
        )
    path = report_file.write(chosen.name, recipe.name, candidates, found, report)
    closing = (
        f"Measured in {duration(time.monotonic() - started)}, of which the control took {duration(report.control_seconds)}; "
        f"written for the page (make leaderboard html=1): {shown(path)}. Next: change "
        f"submissions/{recipe.name}.toml if another method is better, then: make submit blend={recipe.name}"
    )
    terminal.say(closing)


def _recipe(chosen: Competition, name: str | None, command: str) -> "Recipe":
    """Return the recipe with this name, or the competition's own.

    Raises UserError as `read_recipe` does, and for a recipe of another competition.
    """
    from common.ensemble.recipe import read_recipe
    from common.submission.submit import require_recipe_for

    name = name or chosen.name
    if Path(name).name != name:
        raise UserError(f"blend {brief(name)}: wanted the name of a file in submissions/, without .toml.")
    recipe = read_recipe(root() / "submissions" / f"{name}.toml")
    require_recipe_for(recipe, chosen, command)
    return recipe
