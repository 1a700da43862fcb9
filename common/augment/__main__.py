"""Run `make augment` in a process of its own (`python -m common.augment`), because a translator imports torch."""

import re
import time

import click

from common.augment import augmented_rows
from common.augment.making import Job, Made, augment, estimate
from common.augment.products import PRODUCTS
from common.augment.settings import ABOUT, AUGMENT_METHODS, settings
from common.core import terminal
from common.core.command_line import run_command
from common.core.config import override
from common.core.errors import UserError
from common.core.files import shown
from common.core.messages import brief, duration
from common.core.signals import Interrupted
from common.core.text_table import text_table
from common.data.competition_file import active_competition, load_competition


@click.command(
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": ["-h", "--help"],
    }
)
@click.option(
    "--method", "name_of_method", help=f"One of {', '.join(AUGMENT_METHODS)}; ? lists what each does."
)
@click.option("--competition", "competition_name", help="Name of the competition; default: the active one.")
@click.option(
    "--parents",
    "n",
    type=click.IntRange(max=10_000_000),
    help="Number of train rows to use, a random sample; default: all.",
)
@click.option("--name", help="Name of the output folder; default: the method.")
@click.option("--split", default="train", show_default=True, help="Only train may be augmented.")
@click.option("--restart", is_flag=True, help="Discard earlier results and start again.")
@click.option("--dry-run", is_flag=True, help="Print the estimated cost and exit.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(
    name_of_method: str | None,
    competition_name: str | None,
    n: int | None,
    name: str | None,
    split: str,
    restart: bool,
    dry_run: bool,
    arguments: tuple[str, ...],
) -> None:
    """Make new training rows from existing ones."""
    if name_of_method == "?":
        click.echo(listing())
        return
    if name_of_method is None:
        raise click.UsageError(
            f"Missing option '--method'; wanted one of {', '.join(AUGMENT_METHODS)}, or ?."
        )
    if split != "train":
        raise UserError(
            f"split {brief(split)} cannot be augmented: rows made from dev or test would leak into training. "
            "Leave out split=; the train split is the default."
        )
    config, overrides = override(
        settings(name_of_method), arguments, listing=f"make settings method={name_of_method}"
    )
    chosen = load_competition(competition_name or active_competition())
    job = Job(chosen, name_of_method, name or name_of_method, n, config, overrides)
    if dry_run:
        terminal.say(estimate(job))
        return
    started = time.monotonic()
    try:
        made = augment(job, restart=restart)
    except Interrupted as stop:
        stop.advice = how_to_go_on(job, restart=restart)
        raise
    terminal.say(report(made))
    if made.kept:
        comp = "" if chosen.name == active_competition() else f" comp={chosen.name}"
        terminal.say(
            f"Made in {duration(time.monotonic() - started)}. Next, to train on them:\n"
            f'make exp=exp008 train run=exp008-{_variant(job.name)}{comp} args="--made {job.name}"'
        )
    else:
        raise UserError(
            f"{shown(made.folder)}: no row passed the guards; rejected.csv there gives the reason for each row. The most frequent: "
            f"{next(iter(made.reasons))}. Loosen the guard that rejects too much, or use more parents."
        )


def _variant(name: str) -> str:
    return re.sub(r"[^a-z0-9_.]", "_", name.lower()).lstrip("_.")


def listing() -> str:
    """Return a table of the methods: what each does and what it needs."""
    rows = [["method", "makes rows by", "needs"], *([name, *about] for name, about in ABOUT.items())]
    return f"{text_table(rows)}\nFor example: make augment method=turn_drop n=200"


def how_to_go_on(job: Job, *, restart: bool) -> str:
    """Return what happens next after a signal, according to what is on disk."""
    products = augmented_rows.folder(job.competition.name, job.name) / PRODUCTS
    kept = products.exists() and products.stat().st_size > 0
    if job.method == "paraphrase" and not kept:
        if restart:
            return "run the same command without restart=1: paid answers are kept."
        return "run the same command again: paid answers are kept."
    if not kept:
        return "nothing is kept yet: the same command begins from the start."
    if restart:
        return "run the same command without restart=1 to resume."
    return "run the same command again to resume."


def report(made: Made) -> str:
    """Return the folder of the rows and a table of the kept rows and the rejected ones by reason."""
    counts = [["rows", "reason"], [f"{made.kept}", "kept"]]
    counts += [[f"{count}", reason] for reason, count in made.reasons.items()]
    return f"{shown(made.folder)}\n{text_table(counts)}"


def main() -> None:
    """Run the command; a UserError prints one message on stderr and exits with code 1, a signal with 128 + its number."""
    run_command(command, "python -m common augment")


if __name__ == "__main__":
    main()
