"""Command that summarizes other dialogues than those of the competition with a trained run."""

import os
from pathlib import Path

import click

from common.cli.options import COMPETITION
from common.core.errors import UserError
from common.core.files import require_new_file, root, shown, user_path
from common.core.launch import become
from common.core.messages import brief
from common.core.paths import run_folder
from common.data.competition_file import active_competition, load_competition
from common.runs.experiments import require_experiment


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("run")
@COMPETITION
@click.option(
    "--from", "source", type=user_path, metavar="FILE", help="CSV or JSON Lines file with the dialogues."
)
@click.option("--to", "target", type=user_path, metavar="FILE", help="CSV or JSON Lines file to write.")
@click.option(
    "--text", help=r"One dialogue instead of a file, with \n between turns; its summary is printed."
)
@click.option("--force", is_flag=True, help="Replace the file that --to names.")
@click.option("--all", "everything", is_flag=True, help="Also write all candidates; for a .jsonl file only.")
@click.option(
    "--gpus", default=1, type=click.IntRange(1, 1024), help="Number of processes, one for each GPU."
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def predict(
    run: str,
    name: str | None,
    source: Path | None,
    target: Path | None,
    text: str | None,
    force: bool,
    everything: bool,
    gpus: int,
    arguments: tuple[str, ...],
) -> None:
    """Summarize any dialogues with a trained run, with the settings of its own infer.

    The run itself stays as it is. Interrupted, the same command goes on.
    """
    from common.runs.asked import Asked, read_rows
    from common.runs.start import check_start, opening

    competition = load_competition(name or active_competition())
    folder = run_folder(competition.name, run)
    experiment = run.split("-")[0]
    require_experiment(experiment)
    if source is not None and text is None:
        target = _target(source, target, folder, everything)
    elif source is not None or text is None or target is not None:
        raise UserError(
            'wanted from=FILE and to=FILE, or text="…" alone, whose summary is printed; for example: '
            f"make predict run={run} from=new.csv to=summaries.csv"
        )
    elif everything:
        raise UserError(
            "all=1 needs a .jsonl file, which has a place for candidates; use from=FILE to=FILE.jsonl."
        )
    asked = Asked(str(source.absolute()) if source else "", text or "", str(target or ""), force, everything)
    options = [f"--competition={competition.name}", f"--run={run}", asked.option(), *arguments]
    check_start("infer", experiment, options, processes=gpus, alone=True)
    if target:
        from common.runs.asked import require_free_name

        require_free_name(target, force=force)
    read_rows(competition, asked)
    os.chdir(root())
    if first := opening("infer", experiment, options):
        click.echo(first, err=True)
    module = f"experiments.{experiment}.infer"
    if gpus > 1:
        each = ["-m", "--", "common.core.launch", module, *options]
        become("common.core.torchrun", f"--nproc-per-node={gpus}", "--standalone", *each)
    become(module, *options)


def _target(source: Path, target: Path | None, run: Path, everything: bool) -> Path:
    """Return the absolute path of the file to write. Raises UserError when it cannot or must not be written."""
    from common.data.given_rows import require_other_file
    from common.runs.asked import SUFFIXES

    if target is None:
        raise UserError("to= is missing; wanted the file to write, for example: to=summaries.csv")
    for option, path in (("from", source), ("to", target)):
        if path.suffix not in SUFFIXES:
            raise UserError(
                f"{option}={brief(str(path))}: wanted a file that ends in {' or '.join(SUFFIXES)}."
            )
    if everything and target.suffix != ".jsonl":
        raise UserError("all=1 needs to=FILE.jsonl, which has a place for candidates.")
    require_new_file(target, "to")
    require_other_file(source, target)
    target = target.resolve()
    if run.resolve() in target.parents:
        raise UserError(
            f"to={shown(target)} is in the run's own folder, which stays as it is; write elsewhere."
        )
    return target
