"""Commands that search for the best settings of an experiment: sweep, sweep-report."""

import os
from pathlib import Path

import click

from common.cli.options import AS_JSON, COMPETITION
from common.core.files import root, user_path
from common.data.competition_file import active_competition, load_competition
from common.runs.experiments import require_experiment

NAME = click.option(
    "--name", "sweep_name", default="sweep", show_default=True, help="Name of the sweep, and of its runs."
)
STORAGE = click.option(
    "--storage",
    help="postgresql://HOST/DATABASE for several machines; default: a journal file. A password belongs into KDS_STORAGE, PGPASSWORD or ~/.pgpass.",
)
SOURCE = click.option(
    "--from", "source", type=user_path, help="Sweep file; default: experiments/EXPERIMENT/sweep.yaml."
)


@click.command()
@click.argument("experiment")
@COMPETITION
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    help="Number of scored trials to reach; default: run_cap of the file.",
)
@click.option(
    "--jobs", default=1, type=click.IntRange(1, 256), show_default=True, help="Trials at the same time."
)
@click.option(
    "--gpus",
    type=click.IntRange(0, 1024),
    help="GPUs for each trial; default: 1 where there are any. 0 reserves none.",
)
@STORAGE
@NAME
@SOURCE
@click.option("--stale", type=click.Choice(["ok"]), help="ok: go on although the recipe has changed.")
@click.option("--track", default="off", show_default=True, help="off, auto, offline or online.")
@click.option(
    "--beat",
    type=click.FloatRange(0.1, 3600),
    default=15.0,
    hidden=True,
    help="Seconds between two signs of life.",
)
def sweep(
    experiment: str,
    name: str | None,
    count: int | None,
    jobs: int,
    gpus: int | None,
    storage: str | None,
    sweep_name: str,
    source: Path | None,
    stale: str | None,
    track: str,
    beat: float,
) -> None:
    """Search for the best settings of an experiment: run trials until COUNT are scored. The same command goes on later."""
    from common.sweep.begin import Asked, begin

    require_experiment(experiment)
    os.chdir(root())
    competition = load_competition(name or active_competition())
    begin(
        Asked(
            experiment,
            competition,
            sweep_name,
            source,
            count,
            jobs,
            gpus,
            storage,
            stale == "ok",
            track,
            beat,
        )
    )


@click.command("sweep-report")
@click.argument("experiment")
@COMPETITION
@NAME
@SOURCE
@STORAGE
@click.option(
    "--top",
    default=5,
    type=click.IntRange(0, 100),
    show_default=True,
    help="Best trials whose dev summaries are decoded; 0: none.",
)
@AS_JSON
def sweep_report(
    experiment: str,
    name: str | None,
    sweep_name: str,
    source: Path | None,
    storage: str | None,
    top: int,
    as_json: bool,
) -> None:
    """Show the best trials of a sweep, which settings matter, and how far to trust the winner."""
    from common.sweep.begin import Asked, show_report

    require_experiment(experiment)
    os.chdir(root())
    competition = load_competition(name or active_competition())
    asked = Asked(experiment, competition, sweep_name, source, None, 1, 0, storage)
    show_report(asked, top, as_json=as_json)
