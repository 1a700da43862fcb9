"""The command that makes new training rows: augment."""

import os
import sys

import click


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def augment(arguments: tuple[str, ...]) -> None:
    """Make new training rows from existing ones, or resume an interrupted run.

    Each new row is checked by the guards and accepted, or rejected with a reason. The rows are written to
    outputs/COMPETITION/augmented/NAME/.

    Options: --method NAME (an unknown name lists all methods), --competition NAME, --parents N, --name NAME,
    --restart, --dry-run, and every setting of the method (--seed 7); an unknown setting lists all of them.
    """
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "common.augment", *arguments])
