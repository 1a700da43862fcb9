"""Commands for competitions: import data, choose the active one, find copies among its rows."""

import json
import logging
import time
from dataclasses import asdict
from pathlib import Path

import click

from common.cli.options import AS_JSON, COMPETITION
from common.core import terminal
from common.core.files import shown, user_path
from common.core.launch import become
from common.core.messages import duration, printable
from common.core.progress import waiting
from common.core.text_table import text_table
from common.data.competition_file import (
    active_competition,
    comp_setting,
    load_competition,
    set_active_competition,
)

FIRST = "exp002"  # the experiment that the README begins with


@click.command()
@click.option("--competition", "name", required=True, help="A folder under competitions/.")
@click.option(
    "--from",
    "source",
    required=True,
    type=user_path,
    metavar="PATH",
    help="Folder or .zip of the organisers' files.",
)
def data(name: str, source: Path) -> None:
    """Check the organisers' files, copy them into the repository and make the competition active."""
    from common.data.import_files import import_data

    started = time.monotonic()
    chosen = load_competition(name)
    with waiting(f"check {shown(source)}"):
        lines = import_data(chosen, source)
    terminal.say("\n".join(lines))
    terminal.say(
        f"Copied to {shown(chosen.folder / 'data')} in {duration(time.monotonic() - started)}; {name} is now the active "
        "competition. Next: make exp=exp002 train"
    )


@click.command()
@click.option("--competition", "name", required=True, help="A folder under competitions/.")
def use(name: str) -> None:
    """Make a competition the active one."""
    chosen = load_competition(name)
    set_active_competition(name)
    ready = "train" in chosen.files and chosen.path("train").is_file()
    following = f"make exp={FIRST} train" if ready else f"get its data: {chosen.obtain}"
    terminal.say(f"{name} is now the active competition. Next: {following}")


@click.command("leaks")
@COMPETITION
@AS_JSON
def leaks_command(name: str | None, as_json: bool) -> None:
    """Show the ids of copies and near-copies between train, dev, test and augmented rows."""
    from common.submission import leaks  # with what makes rows, which no other command needs

    started = time.monotonic()
    chosen = load_competition(name or active_competition())
    found = leaks.report(chosen)
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False))
        return
    between, inside = leaks.tables(found)
    counted = f"{chosen.name}: dialogues count as near-copies from similarity {found.near_copy} ([rules] near_copy)\n"
    terminal.say(counted)
    click.echo(f"{text_table(between)}\n\n{text_table(inside)}\n")
    terminal.say("\n".join(leaks.advice(found)))
    terminal.say(
        f"Compared in {duration(time.monotonic() - started)}; nothing was written. "
        f"Next: make exp={FIRST} train{comp_setting(chosen.name)}"
    )


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def augment(arguments: tuple[str, ...]) -> None:
    """Make new training rows from existing ones, or resume an interrupted run.

    Each new row is checked by the guards and accepted, or rejected with a reason. The rows are written to
    outputs/COMPETITION/augmented/NAME/.

    Options: --method NAME (? lists all methods), --competition NAME, --parents N, --name NAME,
    --restart, --dry-run, and every setting of the method (--seed 7); python -m common settings --method NAME lists them.
    """
    become("common.augment", *arguments)


@click.command()
@click.option("--query", required=True, help="The question.")
@click.option("--library", help="Context7 id (/huggingface/transformers) or a name; default: the best match.")
@click.option("--fresh", is_flag=True, help="Ask again even if the answer is cached.")
def docs(query: str, library: str | None, fresh: bool) -> None:
    """Print the newest documentation of a library or model, with its sources."""
    from common.llm import documentation

    logging.getLogger("urllib3").setLevel(
        logging.ERROR
    )  # it logs every retry; our own message reports the result
    click.echo(printable(documentation.text(documentation.lookup(query, library, fresh=fresh))))
