"""Commands for results: score, compare, results."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from common.cli.options import AS_JSON, COMPETITION, PROFILE, SPLIT, STEMMER
from common.core.files import shown, user_path, write_text
from common.core.text_table import text_table
from common.data.competition_file import active_competition, comp_setting, load_competition
from common.data.rows import SplitName, read_predictions, read_references
from common.postprocess.hints import hints
from common.rouge import verdict
from common.runs import scoring
from common.runs.comparison import compare_predictions, lacking
from common.runs.record import other_threads
from common.runs.results import read_results
from common.runs.scoring import per_example_csv
from common.submission import leaderboard


@click.command()
@click.option(
    "--predictions",
    "path",
    required=True,
    type=user_path,
    metavar="PATH",
    help="CSV with an id and a summary column.",
)
@COMPETITION
@SPLIT
@PROFILE
@STEMMER
@AS_JSON
@click.option(
    "--per-example",
    "table",
    type=user_path,
    metavar="PATH",
    help="Also write the scores of each row to this CSV.",
)
def score(
    path: Path,
    name: str | None,
    split: SplitName,
    only: tuple[str, ...],
    stemmer: bool,
    as_json: bool,
    table: Path | None,
) -> None:
    """Score predictions, with confidence intervals, the floor, and signs of collapse and copying."""
    chosen = load_competition(name or active_competition())
    if stemmer:
        scoring.require_stemmer(chosen, only)
    predictions = read_predictions(path, chosen)
    report = scoring.report(chosen, split, predictions, only, stemmer=stemmer)
    found = hints(predictions, read_references(chosen, split))
    if table:
        write_text(table, per_example_csv(chosen, split, predictions, only, stemmer=stemmer))
    if as_json:
        click.echo(json.dumps({**report.plain(), "hints": found}, ensure_ascii=False))
        return
    click.echo(f"{shown(path)} on {chosen.name} {split}\n{scoring.table(report)}")
    click.echo("".join(f"hint: {line}\n" for line in found), nl=False)


@click.command()
@click.option(
    "--a", "first", required=True, type=user_path, metavar="PATH", help="Predictions CSV of the baseline."
)
@click.option(
    "--b",
    "second",
    required=True,
    type=user_path,
    metavar="PATH",
    help="Predictions CSV that may be better.",
)
@COMPETITION
@SPLIT
@PROFILE
@STEMMER
@AS_JSON
def compare(
    first: Path,
    second: Path,
    name: str | None,
    split: SplitName,
    only: tuple[str, ...],
    stemmer: bool,
    as_json: bool,
) -> None:
    """Test whether b is better than a, with a paired bootstrap and a paired permutation test.

    A row that one side lacks scores 0 there.
    """
    chosen = load_competition(name or active_competition())
    if stemmer:
        scoring.require_stemmer(chosen, only)
    a, b = (read_predictions(path, chosen) for path in (first, second))
    found = compare_predictions(chosen, split, a, b, only, stemmer=stemmer)
    references = read_references(chosen, split)
    sides = {side: (texts, lacking(texts, references)) for side, texts in (("a", a), ("b", b))}
    if as_json:
        counts = {
            f"{side}_{kind}": len(getattr(lack, kind))
            for side, (_, lack) in sides.items()
            for kind in ("missing", "empty")
        }
        click.echo(json.dumps([asdict(entry) | counts for entry in found]))
        return
    table = [["profile", "metric", "a", "b", "b − a", "95 % interval", "p bootstrap", "p permutation", "b"]]
    for entry in found:
        digits, test = (4 if entry.profile == "korouge" else 2), entry.test
        interval = f"{test.low:+.{digits}f} … {test.high:+.{digits}f}"
        table.append(
            [entry.profile, entry.headline_key, f"{entry.a:.{digits}f}", f"{entry.b:.{digits}f}",
             f"{test.difference:+.{digits}f}", interval, f"{test.bootstrap_p:.4f}", f"{test.permutation_p:.4f}",
             verdict(test.low, test.high)]
        )  # fmt: skip
    click.echo(f"a = {shown(first)}\nb = {shown(second)}   {chosen.name} {split}, {found[0].test.n} rows")
    for side, (texts, lack) in sides.items():
        if str(lack):
            click.echo(f"{side} lacks rows: {lack}; each of them scores 0 there.")
        click.echo("".join(f"hint: {side}: {line}\n" for line in hints(texts)), nl=False)
    click.echo(text_table(table))
    if note := other_threads(first, second):
        click.echo(note)


@click.command("results")
@COMPETITION
@click.option("--markdown", is_flag=True, help="As a Markdown table.")
def results_command(name: str | None, markdown: bool) -> None:
    """List every committed or local result of a competition, best dev score first."""
    chosen = load_competition(name or active_competition())
    table = leaderboard.results(read_results(chosen.name), chosen.dev_profile)
    if len(table) == 1:
        click.echo(
            f"{chosen.name}: no result yet; infer writes one: make exp=exp002 infer{comp_setting(chosen.name)}"
        )
        return
    if markdown:
        click.echo(leaderboard.markdown(table))
        return
    click.echo(
        f"{chosen.title}   (minutes: train + infer; * made with uncommitted changes)\n\n{text_table(table)}"
    )
