"""`python -m common.augment`: what `make augment` runs, in a process of its own because a translator imports torch."""

import logging
import sys

import click

from common import competition, leaderboard
from common.augment.making import Job, Made, augment, estimate
from common.augment.settings import METHODS, settings
from common.config import override
from common.errors import UserError
from common.files import shown


@click.command(
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": ["-h", "--help"],
    }
)
@click.option("--method", "name_of_method", required=True, help=f"One of {', '.join(METHODS)}.")
@click.option("--competition", "competition_name", help="Default: the active one.")
@click.option("--parents", "n", type=int, help="How many train rows to use, drawn by the seed; default: all.")
@click.option("--name", help="Of the folder; default: the method.")
@click.option("--split", default="train", show_default=True, help="Only train may be augmented.")
@click.option("--restart", is_flag=True, help="Make everything anew.")
@click.option("--dry-run", is_flag=True, help="Print what it would cost and end.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(
    name_of_method: str,
    competition_name: str | None,
    n: int | None,
    name: str | None,
    split: str,
    restart: bool,
    dry_run: bool,
    arguments: tuple[str, ...],
) -> None:
    """Make new training rows from old ones."""
    if split != "train":
        raise UserError(
            f"split {split!r} may not be augmented: rows made from dev or test would leak into training. "
            "Leave split= out; only the train split is used."
        )
    config, overrides = override(settings(name_of_method), arguments)
    chosen = competition.load(competition_name or competition.active())
    job = Job(chosen, name_of_method, name or name_of_method, n, config, overrides)
    if dry_run:
        click.echo(estimate(job))
        return
    made = augment(job, restart=restart)
    click.echo(report(made))
    if not made.kept:
        raise UserError(
            f"{shown(made.folder)}: no row passed the guards; rejected.csv there says why, row by row. Most often: "
            f"{next(iter(made.reasons))}. Set the guard that rejects too much, or use more parents."
        )


def report(made: Made) -> str:
    """Where the rows are, and how many were kept or rejected, by reason, as a table."""
    counts = [["rows", "reason"], [f"{made.kept}", "kept"]]
    counts += [[f"{count}", reason] for reason, count in made.reasons.items()]
    return f"{shown(made.folder)}\n{leaderboard.text(counts)}"


def main() -> None:
    """Run the command; a user's mistake is one message on stderr and exit code 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("filelock", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        command(prog_name="python -m common augment")
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from there.")


if __name__ == "__main__":
    main()
