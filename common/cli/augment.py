"""The command about new training rows: augment."""

import os
import sys

import click


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def augment(arguments: tuple[str, ...]) -> None:
    """Make new training rows from old ones, or go on where it was interrupted.

    They pass the guards or are rejected with a reason, and lie in outputs/COMPETITION/augmented/NAME/.

    Options: --method NAME (an unknown one lists them), --competition NAME, --parents N, --name NAME, --restart,
    --dry-run, and every setting of the method (--seed 7); an unknown one lists them all.
    """
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "common.augment", *arguments])
