"""Commands for results: score, compare, results."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from common.cli.options import ALL, AS_JSON, COMPETITION, PROFILE, SPLIT, STEMMER
from common.core import terminal
from common.core.files import require_new_file, shown, user_path, write_text
from common.core.text_table import VERDICTS, text_table
from common.data.competition_file import active_competition, comp_setting, load_competition
from common.data.rows import SplitName, read_references
from common.postprocess.hints import hints
from common.runs import score_text
from common.runs.named import different_settings, run_of, settings_table
from common.runs.record import other_threads
from common.runs.results import read_results
from common.submission import leaderboard


@click.command()
@click.option(
    "--predictions",
    "named",
    required=True,
    metavar="RUN|PATH",
    help="Name of a run or of a recipe's member, or a CSV with an id and a summary column.",
)
@COMPETITION
@SPLIT
@PROFILE
@ALL
@STEMMER
@AS_JSON
@click.option(
    "--per-example",
    "table",
    type=user_path,
    metavar="FILE",
    help="Also write the scores of each row to this CSV.",
)
def score(
    named: str,
    name: str | None,
    split: SplitName,
    only: tuple[str, ...],
    everything: bool,
    stemmer: bool,
    as_json: bool,
    table: Path | None,
) -> None:
    """Score predictions, with confidence intervals, the floor, and signs of collapse and copying."""
    from common.runs import scoring  # with numpy, without which results are listed
    from common.submission.named_texts import named_texts

    chosen = load_competition(name or active_competition())
    judged = score_text.judged_by(chosen, split)
    seen = _profiles(only, judged, everything=everything or as_json)
    if stemmer:
        scoring.require_stemmer(chosen, seen)
    if table:
        require_new_file(table, "per-example")
    path, predictions = named_texts(named, chosen, split)
    report = scoring.report(chosen, split, predictions, seen, stemmer=stemmer)
    found = hints(predictions, read_references(chosen, split))
    if table:
        write_text(table, scoring.per_example_csv(chosen, split, predictions, only, stemmer=stemmer))
    if as_json:
        click.echo(json.dumps({**report.plain(), "hints": found}, ensure_ascii=False))
        return
    text = score_text.text(report, judged, everything=everything or bool(only))
    lines = [text, f"{shown(path)}: predictions for {chosen.name} {split}"]
    lines += [f"{terminal.styled('hint:', 'yellow')} {line}" for line in found]
    if table:
        lines.append(f"{shown(table)}: the scores of each of the {report.diagnostics.rows} rows")
    terminal.say("\n".join(lines))
    following = "make submit" if run_of(path) else "make compare a=RUN b=RUN"
    terminal.say_next(f"{following}{comp_setting(chosen.name)}")


@click.command()
@click.option(
    "--a",
    "named_a",
    required=True,
    metavar="RUN|PATH",
    help="Run or predictions CSV that is the baseline.",
)
@click.option(
    "--b",
    "named_b",
    required=True,
    metavar="RUN|PATH",
    help="Run or predictions CSV that may be better.",
)
@COMPETITION
@SPLIT
@PROFILE
@ALL
@STEMMER
@AS_JSON
def compare(
    named_a: str,
    named_b: str,
    name: str | None,
    split: SplitName,
    only: tuple[str, ...],
    everything: bool,
    stemmer: bool,
    as_json: bool,
) -> None:
    """Test whether b is better than a, with a paired bootstrap and a paired permutation test.

    A row that one side lacks scores 0 there. Between two runs, the settings that differ follow.
    """
    from common.rouge import verdict
    from common.runs import scoring
    from common.runs.comparison import compare_predictions, lacking
    from common.submission.named_texts import named_texts

    chosen = load_competition(name or active_competition())
    seen = _profiles(only, score_text.judged_by(chosen, split), everything=everything or as_json)
    if stemmer:
        scoring.require_stemmer(chosen, seen)
    (first, a), (second, b) = (named_texts(text, chosen, split) for text in (named_a, named_b))
    runs = (run_of(first), run_of(second))
    different = different_settings(runs[0], runs[1]) if runs[0] and runs[1] else None
    found = compare_predictions(chosen, split, a, b, seen, stemmer=stemmer)
    references = read_references(chosen, split)
    sides = {side: (texts, lacking(texts, references)) for side, texts in (("a", a), ("b", b))}
    if as_json:
        counts = {
            f"{side}_{kind}": len(getattr(lack, kind))
            for side, (_, lack) in sides.items()
            for kind in ("missing", "empty")
        }
        settings = {"settings": different}
        click.echo(json.dumps([asdict(entry) | counts | settings for entry in found], ensure_ascii=False))
        return
    table = [["profile", "a", "b", "b − a", "95 % interval", "p bootstrap", "p permutation", "b is"]]
    for entry in found:
        test, many = entry.test, score_text.digits(entry.profile)
        table.append(
            [score_text.short(entry.profile), *(score_text.number(one, entry.profile) for one in (entry.a, entry.b)),
             f"{test.difference:+.{many}f}", f"{test.low:+.{many}f} … {test.high:+.{many}f}",
             f"{test.bootstrap_p:.4f}", f"{test.permutation_p:.4f}", verdict(test.low, test.high)]
        )  # fmt: skip
    lines = [f"a = {shown(first)}", f"b = {shown(second)}   {chosen.name} {split}, {found[0].test.n} rows"]
    for side, (texts, lack) in sides.items():
        if str(lack):
            lines.append(f"{side} lacks rows: {lack}; each of them scores 0 there.")
        lines += [f"{terminal.styled('hint:', 'yellow')} {side}: {line}" for line in hints(texts)]
    lines.append(text_table(table, ("p bootstrap", "p permutation", "a", "b"), VERDICTS))
    if note := other_threads(first, second):
        lines.append(note)
    if different is None:
        lines.append("settings are not compared: a and b are not both predictions of runs on this machine.")
    elif different:
        lines.append(f"\n{text_table(settings_table(different))}")
    else:
        lines.append("a and b have the same settings.")
    terminal.say("\n".join(lines))
    terminal.say_next(f"make submit{comp_setting(chosen.name)}")


def _profiles(only: tuple[str, ...], judged: str, *, everything: bool) -> tuple[str, ...]:
    """Return the profiles to score: those asked for, else the one that counts; () stands for all that suit."""
    return only or (() if everything else (judged,))


@click.command("results")
@COMPETITION
@ALL
@click.option("--markdown", is_flag=True, help="As a Markdown table.")
def results_command(name: str | None, everything: bool, markdown: bool) -> None:
    """List every committed or local result of a competition, best dev score first."""
    chosen = load_competition(name or active_competition())
    table = leaderboard.results(
        read_results(chosen.name), chosen.dev_profile, everything=everything or markdown
    )
    if len(table) == 1:
        terminal.say(
            f"{chosen.name}: no result yet; infer writes one: make exp=exp002 infer{comp_setting(chosen.name)}"
        )
        return
    if markdown:
        click.echo(leaderboard.markdown(table))
        return
    terminal.say(
        f"{chosen.title}   (minutes: train + infer; * made with uncommitted changes)\n\n"
        f"{text_table(table, leaderboard.RESULTS_DROPPED)}"
    )
    terminal.say_next(f"make submit{comp_setting(chosen.name)}")
