"""Make tables of at most 80 columns, and remarks, from a competition's statistics."""

import unicodedata
from collections.abc import Sequence

from common.core.messages import printable
from common.data.statistics import (
    LARGE,
    MEASURES,
    MEDIUM,
    PERCENTILES,
    SMALL,
    TOPICS,
    Shift,
    SplitStatistics,
    new_topics,
)
from common.generation.token_budgets import CHARACTERS_PER_TOKEN, Budget
from common.submission.leaks import LeaksReport

Table = list[list[str]]
_ODD_TAGS = 5


def lengths(splits: Sequence[SplitStatistics]) -> Table:
    """Return one row for each measure and split: shortest, percentiles, longest and mean."""
    table = [["measure", "split", "min", *(f"{p}%" for p in PERCENTILES), "max", "mean"]]
    for name in MEASURES:
        shown = name
        for one in (length for split in splits for length in split.lengths if length.measure == name):
            numbers = [f"{value:,.0f}" for value in (one.shortest, *one.percentiles, one.longest)]
            table.append([shown, one.split, *numbers, f"{one.mean:,.1f}"])
            shown = ""  # the name stands once, before its splits
    return table


def contents(splits: Sequence[SplitStatistics], copies: LeaksReport) -> Table:
    """Return one row for each count, with the splits side by side."""
    table = [["", *(split.name for split in splits)]]

    def add(label: str, cells: Sequence[str]) -> None:
        table.append([short(label, 42), *cells])

    def counted(label: str, counts: Sequence[int]) -> None:
        add(label, [f"{count:,}" if count else "–" for count in counts])

    counted("dialogues", [split.rows for split in splits])
    add("reference summaries of each", [_range(split.references) for split in splits])
    for number in sorted({count for split in splits for count in split.speakers}):
        counted(
            f"with {number} speaker{'s' * (number != 1)}", [split.speakers.get(number, 0) for split in splits]
        )
    counted("different topics", [len(split.topics) for split in splits])
    known = splits[0]
    if known.topics:
        counted(f"topic not in {known.name}", [0, *(new_topics(known, split) for split in splits[1:])])
    for tag in sorted({tag for split in splits for tag in split.tags}):
        counted(f"with {tag}", [split.tags.get(tag, 0) for split in splits])
    for kind in sorted({kind for split in splits for kind in split.warnings}):
        counted(kind.removesuffix(", repaired for models"), [split.warnings.get(kind, 0) for split in splits])
    inside = {group.name: group for group in copies.groups}
    counted("exact copy of an earlier row", [inside[s.name].exact if s.name in inside else 0 for s in splits])
    counted("in a group of near-copies", [inside[s.name].grouped if s.name in inside else 0 for s in splits])
    between = {(one.first, one.second): one for one in copies.overlaps}
    for first in splits[:-1]:
        cells = [between.get((first.name, second.name)) for second in splits]
        counted(f"exact copy of a {first.name} dialogue", [one.exact if one else 0 for one in cells])
        counted(f"near-copy of a {first.name} dialogue", [one.near if one else 0 for one in cells])
    return table


def topics(splits: Sequence[SplitStatistics]) -> Table:
    """Return one row for each of the most common topics of the first split that has topics."""
    having = [split for split in splits if split.topics]
    table = [["", "topic", *(split.name for split in having)]]
    for number, topic in enumerate(list(having[0].topics)[:TOPICS] if having else [], 1):
        shares = [f"{100 * split.topics.get(topic, 0) / split.rows:.1f}" for split in having]
        table.append([str(number), short(topic, 44), *shares])
    return table


def odd_tags(splits: Sequence[SplitStatistics]) -> Table:
    """Return one row for each of the most common forms of tags that the file writes in another way than #Name#."""
    total: dict[str, int] = {}
    for split in splits:
        for form, count in split.odd_tags.items():
            total[form] = total.get(form, 0) + count
    table = [["form", *(split.name for split in splits)]]
    for form in sorted(total, key=lambda form: (-total[form], form))[:_ODD_TAGS]:
        table.append([short(form, 42), *(f"{split.odd_tags.get(form, 0):,}" for split in splits)])
    return table


def over_budget(limits: Sequence[Budget], splits: Sequence[SplitStatistics]) -> Table:
    """Return one row for each budget: the limits and the share of dialogues and summaries above them."""
    rows = {split.name: split.rows for split in splits}
    summaries = {s.name: s.rows * s.references[1] for s in splits}
    table = [["experiments", "input", *rows, "output", *(name for name in rows if name != "test"), "by"]]
    for one in limits:
        over = [_share(one.dialogues_over.get(name, 0), count) for name, count in rows.items()]
        long = [
            _share(one.summaries_over[name], summaries[name]) if name in one.summaries_over else "–"
            for name in rows
            if name != "test"
        ]
        names = short(", ".join(name.removeprefix("exp") for name in one.experiments), 18)
        counted = "tokenizer" if one.tokenizer else "estimate"
        table.append([names, f"{one.source_tokens}", *over, f"{one.summary_tokens}", *long, counted])
    return table


def remarks(
    splits: Sequence[SplitStatistics],
    compared: Sequence[Shift],
    copies: LeaksReport,
    limits: Sequence[Budget],
    language: str,
) -> list[str]:
    """Return one line for each notable difference between splits, and what the reader must know about the numbers."""
    notable = [one for one in compared if one.notable]
    lines = [_sentence(one) for one in notable]
    if not notable:
        lines.append(
            "Shift: no measure differs between train, dev and test by more than a negligible effect."
        )
    lines += [f"Releases: {line}" for line in copies.releases]
    if any(not one.tokenizer for one in limits):
        ratio = CHARACTERS_PER_TOKEN[language]
        lines.append(
            f'Rows with "estimate" assume {ratio:g} characters a token, because their tokenizers are not on this machine; '
            "after make train they are counted."
        )
    if limits:
        lines.append(
            "Input limits are compared with the dialogue alone: instruction and examples need room as well."
        )
    return lines


def _sentence(one: Shift) -> str:
    size = abs(one.delta)
    effect = (
        "large"
        if size >= LARGE
        else "medium"
        if size >= MEDIUM
        else "small"
        if size >= SMALL
        else "negligible"
    )
    if size < SMALL:
        relation = f"spread differently than in {one.first}"
    else:
        relation = f"higher than in {one.first}" if one.delta > 0 else f"lower than in {one.first}"
    chance = "p < 0.001" if one.p < 0.001 else f"p = {one.p:.3f}"
    return (
        f"Shift: {one.measure} in {one.second}: {relation} (median {one.medians[1]:,.0f} and {one.medians[0]:,.0f}; "
        f"Cliff's delta {one.delta:+.2f}, {effect}; KS {one.distance:.2f}, {chance})."
    )


def _range(bounds: tuple[int, int]) -> str:
    low, high = bounds
    return ("–" if not high else str(high)) if low == high else f"{low} to {high}"


def _share(count: int, total: int) -> str:
    """Return a percentage; a count above 0 never becomes 0%."""
    if not count or not total:
        return "0%"
    percent = 100 * count / total
    return "<0.1%" if percent < 0.1 else "100%" if count == total else f"{percent:.1f}%"


def short(text: str, columns: int) -> str:
    """Return the printable text cut to this many terminal columns; a Hangul syllable takes two."""
    text = printable(text)
    if _columns(text) <= columns:
        return text
    kept, used = "", 1  # for the "…"
    for letter in text:
        used += _columns(letter)
        if used > columns:
            break
        kept += letter
    return f"{kept}…"


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
