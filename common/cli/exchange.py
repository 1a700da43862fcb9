"""Commands to exchange runs with team-mates: export, import."""

import json
import time
from pathlib import Path

import click

from common.cli.options import AS_JSON, COMPETITION
from common.cli.runs import RUN
from common.core import terminal
from common.core.files import require_new_file, shown, user_path
from common.core.messages import duration, size_text
from common.core.paths import outputs
from common.core.progress import waiting
from common.data.competition_file import active_competition, comp_setting, load_competition

EXPORTED = "exported"
"""Folder of a competition's outputs that has the exported runs."""


@click.command()
@RUN
@click.option("--to", type=user_path, metavar="FILE", help="Default: outputs/COMPETITION/exported/RUN.zip.")
@click.option("--weights", is_flag=True, help="Also export the best checkpoint.")
@COMPETITION
@AS_JSON
def export(run: str, to: Path | None, weights: bool, name: str | None, as_json: bool) -> None:
    """Write a run into one file for a team-mate.

    The file has no path, user name, host name or key of this machine.
    """
    from common.runs.export import export_run, found_folder
    from common.submission.leaks import require_clean  # with what makes rows, which few commands need

    started = time.monotonic()
    chosen = load_competition(name or active_competition())
    folder = found_folder(chosen.name, run)
    if to:
        require_new_file(to, "to")
    target = to or outputs(chosen.name) / EXPORTED / f"{run}.zip"
    if folder.parent == outputs(chosen.name):
        with waiting("check what the run was trained on"):  # its augmented rows stay on this machine
            require_clean([run], chosen)
    made = export_run(chosen.name, run, target, weights=weights)
    size = made.path.stat().st_size
    if as_json:
        click.echo(json.dumps({"run": run, "path": shown(made.path), "files": made.files, "size": size}))
        return
    if not made.result:
        terminal.say(
            f"results/{chosen.name}/{run}.json is not there, so make results will not list the run elsewhere."
        )
    terminal.say(
        f"{shown(made.path)}: {made.files} files of {run}, {size_text(size)}, written in {duration(time.monotonic() - started)}. "
        f"Next, on the other machine: make import from={made.path.name}{comp_setting(chosen.name)}"
    )


@click.command("import")
@click.option(
    "--from", "source", required=True, type=user_path, metavar="FILE", help="A file of make export."
)
@click.option("--as", "run", help="Name for the run; default: its own name.")
@COMPETITION
@AS_JSON
def import_command(source: Path, run: str | None, name: str | None, as_json: bool) -> None:
    """Add a team-mate's run, to be blended, scored and compared like one's own."""
    from common.runs.import_run import import_run

    started = time.monotonic()
    chosen = load_competition(name or active_competition())
    made = import_run(chosen, source, run)
    if as_json:
        report = {
            "run": made.folder.name,
            "path": shown(made.folder),
            "weights": made.weights,
            "there": made.there,
        }
        click.echo(json.dumps(report))
        return
    if made.there:
        terminal.say(f"{shown(made.folder)}: the same run is there already; nothing was changed.")
        terminal.say_next(f"make score pred={made.folder.name}{comp_setting(chosen.name)}")
        return
    comp = comp_setting(chosen.name)
    terminal.say(
        f"{shown(made.folder)}: {made.files} files imported and verified in {duration(time.monotonic() - started)}. "
        f'Next: make score pred={made.folder.name}{comp}, or name it in a recipe: {{ run = "{made.folder.name}" }}'
    )
