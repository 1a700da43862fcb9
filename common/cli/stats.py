"""The command that shows what a competition's data looks like."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from common.cli.options import AS_JSON, COMPETITION
from common.core import paths, terminal
from common.core.files import shown
from common.core.messages import duration
from common.core.text_table import text_table
from common.data.competition import Competition
from common.data.competition_file import active_competition, comp_setting, load_competition
from common.data.rows import SplitName, read_references, read_split

if TYPE_CHECKING:
    from common.data.statistics import Measured

SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")


@click.command("stats")
@COMPETITION
@AS_JSON
def stats(name: str | None, as_json: bool) -> None:
    """Show what the data looks like, split by split.

    Lengths, turns, speakers, topics, tags, copies, shifts between splits and texts above token limits; a chart is written
    to outputs/COMPETITION/stats.png.
    """
    # Imported here, because numpy would delay the start of every other command.
    from common.data.statistics import shifts
    from common.data.statistics_chart import draw
    from common.generation.token_budgets import budgets
    from common.submission import leaks, statistics_tables

    started = time.monotonic()
    chosen = load_competition(name or active_competition())
    splits = _measured(chosen)
    compared = shifts(splits)
    limits = budgets(chosen, splits)
    copies = leaks.report(chosen)
    chart = paths.outputs(chosen.name) / "stats.png"
    title = f"{chosen.name}: {chosen.title}"
    if as_json:
        draw(title, splits, chart)
        content = {
            "competition": chosen.name,
            "splits": [asdict(split.statistics) for split in splits],
            "shifts": [{**asdict(one), "notable": one.notable} for one in compared],
            "budgets": [asdict(one) for one in limits],
            "leaks": asdict(copies),
            "chart": shown(chart),
        }
        click.echo(json.dumps(content, ensure_ascii=False))
        return
    found = [split.statistics for split in splits]
    tables = (
        ("Lengths, after cleaning as models read the texts", statistics_tables.lengths(found)),
        ("Contents: number of dialogues", statistics_tables.contents(found, copies)),
        ("Topics: % of dialogues", statistics_tables.topics(found)),
        ("Tags in another form: number of texts (repaired for models)", statistics_tables.odd_tags(found)),
        ("Above the token limit of an experiment", statistics_tables.over_budget(limits, found)),
    )
    click.echo(f"{chosen.name}: what the data looks like")
    for heading, table in tables:
        if len(table) > 1:
            click.echo(f"\n{heading}\n\n{text_table(table)}")
    click.echo()
    for line in statistics_tables.remarks(found, compared, copies, limits, chosen.language):
        terminal.say(line)
    draw(title, splits, chart)  # last: the tables are shown even if the chart cannot be written
    terminal.say(
        f"\nChart: {shown(chart)}, made in {duration(time.monotonic() - started)}.\n"
        f"Next, the ids of copies: make leaks{comp_setting(chosen.name)}"
    )


def _measured(competition: Competition) -> Sequence[Measured]:
    from common.data.statistics import measure

    measured = []
    for name in SPLITS:
        split = read_split(competition, name)
        references = [len(row.summaries) for row in split.rows]
        if name == "test" and "solution" in competition.files and competition.path("solution").exists():
            # Only counted: nobody should choose settings by the texts of the answers.
            references = [len(texts) for texts in read_references(competition, "test").values()]
        measured.append(measure(competition, split, references))
    return measured
