"""Commands for CSVs that were made elsewhere: validate and register."""

import json
import logging
import shlex
from pathlib import Path

import click

from common.cli.options import AS_JSON, COMPETITION
from common.core import terminal
from common.core.errors import UserError
from common.core.files import shown, user_path
from common.data.competition import Competition
from common.data.competition_file import active_competition, comp_setting, load_competition

log = logging.getLogger(__name__)
FILE = click.option(
    "--predictions",
    "path",
    type=user_path,
    required=True,
    metavar="FILE",
    help="CSV in the form of a submission.",
)


@click.command()
@FILE
@COMPETITION
def validate(path: Path, name: str | None) -> None:
    """Check whether a CSV is a valid submission; nothing is written. Exits with 1 and the first error when it is not."""
    from common.submission import csv_file

    chosen = load_competition(name or active_competition())
    texts, faults = csv_file.read(chosen, path)
    if faults:
        more = f" There are {len(faults) - 1} other faults." if len(faults) > 1 else ""
        raise UserError(f"{faults[0]}{more}")
    terminal.say(
        f"{shown(path)}: a valid submission to {chosen.name}: {len(texts)} summaries. Next, to keep it with its scores: "
        f"{_register(chosen, path)}"
    )


@click.command()
@FILE
@click.option("--name", "label", required=True, help="Name of the submission in the leaderboard.")
@COMPETITION
@click.option("--public", type=click.FloatRange(0, 100), help="Public leaderboard score.")
@click.option("--private", type=click.FloatRange(0, 100), help="Private leaderboard score.")
@click.option(
    "--dev",
    metavar="FILE|SCORE",
    help="Its dev predictions, which are scored, or a dev score that somebody states.",
)
@click.option("--note", help="A message about the submission, kept in the ledger.")
@AS_JSON
def register(
    path: Path,
    label: str,
    name: str | None,
    public: float | None,
    private: float | None,
    dev: str | None,
    note: str | None,
    as_json: bool,
) -> None:
    """Enter a CSV that was made elsewhere into the ledger, so that it stands in the leaderboard."""
    from common.submission import leaderboard
    from common.submission.register import dev_text, faults_line, repeated_line
    from common.submission.register import register as enter

    chosen = load_competition(name or active_competition())
    found = enter(chosen, path, label, public, private, note, dev)
    entry = found.entry
    if as_json:
        click.echo(json.dumps(entry, ensure_ascii=False))
        return
    if found.dev_added:
        terminal.say(
            f"{entry['id']} ({entry['recipe']}) was registered before; it has {dev_text(chosen, entry)} now. Next: make "
            f"leaderboard{comp_setting(chosen.name)}"
        )
        return
    if found.repeated:
        hint = (
            f" To record its scores: make lb id={entry['id']} public=SCORE"
            if public is not None or private is not None
            else ""
        )
        terminal.say(f"{repeated_line(found, path)}{hint}")
        return
    if line := faults_line(found):
        log.warning("warning: %s", line)
    of_dev = [dev_text(chosen, entry)] if dev is not None else []
    scores = "; ".join([*of_dev, *leaderboard.site_scores(chosen, entry, {})])
    told = f", {scores}" if scores else ""
    terminal.say(
        f"{shown(path)}: registered as {entry['id']} ({entry['recipe']}){told}; its copy is {entry['registered']['file']}, which "
        "may be the test file of a member."
    )
    for kind, given in (("public", public), ("private", private)):
        if given is not None and (doubt := leaderboard.doubt(chosen, entry, given)):
            log.warning("warning: %s %s: make lb id=%s %s=SCORE", kind, doubt, entry["id"], kind)
    comp = comp_setting(chosen.name)
    terminal.say(
        f"Next: make leaderboard{comp}" if "lb" in entry else f"Next: make lb id={entry['id']} public=SCORE"
    )


def _register(chosen: Competition, path: Path) -> str:
    return f"make register pred={shlex.quote(shown(path))} name=NAME public=SCORE{comp_setting(chosen.name)}"
