"""Gather the dialogues, the references and what every run wrote for them, as compressed blocks for the error browser.

A block is JSON, compressed by gzip and written as base64; the page reads it when it is needed. Texts are stored by column,
in the order of the dialogues, and scores as integers: that takes the least room.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import sha256_texts
from common.core.progress import brief_progress
from common.data.competition import Competition
from common.data.dialogue import clean, parse
from common.data.rows import Row, SplitName, read_references, read_split
from common.page.example_blocks import Block, block_of, kept, key_of_run, key_of_split, metric_of, packed
from common.page.example_runs import Written, written
from common.page.sentences import both
from common.page.token_marks import free_mark, marked, rule_of
from common.runs.scoring import profiles

ROOM = 6_500_000
"""Most bytes of all blocks together: what a page of 8 MB has left beside its scripts and tables."""
Gap = Callable[[str, str], None]
"""Takes the name of a blend and why it is left out."""
Blends = Callable[[SplitName, Gap], Mapping[str, Mapping[str, str]]]
"""Returns name → id → text of the blends of a split."""


@dataclass(frozen=True)
class Examples:
    """What the error browser shows."""

    index: Mapping[str, Any]
    """Splits, runs, metrics and gaps, JSON-ready; it names the blocks."""
    blocks: Mapping[str, str]
    """Id of the element → its base64 text."""


def gather(
    competition: Competition,
    folders: Sequence[Path],
    blends: Blends | None = None,
    room: int = ROOM,
) -> Examples:
    """Return the dialogues that have references, with what the runs in `folders` and the blends wrote for them.

    Those that come first get room first; a run that does not fit loses its candidates, or is left out, and `index["gaps"]`
    says so, as it does of files that cannot be read. `blends`: those of a split.
    """
    metrics = [metric_of(name) for name in profiles(competition)]
    index: dict[str, Any] = {
        "profile": competition.dev_profile,
        "tokens": rule_of(competition.dev_profile),
        "metrics": metrics,
        "splits": {},
        "gaps": [],
    }
    blocks: dict[str, str] = {}
    for split in _with_references(competition):
        try:
            rows, references = _texts(competition, split)
        except UserError as error:
            index["gaps"].append(_gap(split, split, "unreadable", str(error)))
            continue
        block = f"texts-{split}"
        blocks[block] = packed(_dialogues(competition, rows, references))
        entry: dict[str, Any] = {"block": block, "rows": len(rows), "runs": {}}
        index["splits"][split] = entry
        sources = _sources(competition, folders, blends, split, index["gaps"], rows, references)
        bar = brief_progress(len(sources), f"score {split} examples", "run")
        for number, (name, blend, make) in enumerate(sources):
            try:
                made = make()
            except (UserError, OSError) as error:
                index["gaps"].append(_gap(split, name, "unreadable", str(error)))
                continue
            finally:
                bar.update()
            left, why = room - sum(map(len, blocks.values())), ""
            if len(made.text) > left:
                made, why = made.without_candidates(), "candidates"
            if len(made.text) > left:
                why = "room"
            else:
                block = f"texts-{split}-{number}"
                blocks[block] = made.text
                entry["runs"][name] = {"block": block, "means": dict(made.means), "blend": blend}
            if why:
                index["gaps"].append(_gap(split, name, why))
        bar.close()
    return Examples(index, blocks)


def _gap(split: str, run: str, why: str, message: str = "") -> dict[str, Any]:
    return {
        "split": split,
        "run": run,
        "why": why,
        **({"message": both(message)} if message else {}),
    }


def _with_references(competition: Competition) -> list[SplitName]:
    there: list[SplitName] = ["dev"] if "dev" in competition.files else []
    if "solution" in competition.files and competition.path("solution").exists():
        there.append("test")
    return there


def _texts(competition: Competition, split: SplitName) -> tuple[Sequence[Row], Mapping[str, Sequence[str]]]:
    return read_split(competition, split).rows, read_references(competition, split)


def _dialogues(
    competition: Competition, rows: Sequence[Row], references: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return the columns of a split's block: ids, topics, turns as [speaker, text], and marked references."""
    flat = [text for row in rows for text in references[row.id]]
    mark = free_mark(flat)
    texts = iter(marked(flat, competition.dev_profile, mark))
    return {
        "mark": mark,
        "ids": [row.id for row in rows],
        "topics": [" ".join(row.topic.split()) for row in rows],
        "turns": [[[turn.speaker, turn.text] for turn in parse(clean(row.dialogue))] for row in rows],
        "references": [[next(texts) for _ in references[row.id]] for row in rows],
    }


def _sources(
    competition: Competition,
    folders: Sequence[Path],
    blends: Blends | None,
    split: SplitName,
    gaps: list[dict[str, Any]],
    rows: Sequence[Row],
    references: Mapping[str, Sequence[str]],
) -> list[tuple[str, bool, Callable[[], Block]]]:
    """Return the name of each blend and run of a split, whether it is a blend, and what makes its block.

    A run without predictions becomes a gap.
    """
    key = key_of_split(competition, rows, references)
    blended = blends(split, lambda name, why: gaps.append(_gap(split, name, "blend", why))) if blends else {}

    def of_blend(name: str, texts: Mapping[str, str]) -> Block:
        parts = [part for pair in texts.items() for part in pair]
        one = Written(name, texts)
        return kept(sha256_texts([key, name, *parts]), lambda: block_of(competition, one, rows, references))

    def of_run(folder: Path) -> Block:
        return kept(
            key_of_run(split, folder, key),
            lambda: block_of(competition, written(competition, folder, split), rows, references),
        )

    found: list[tuple[str, bool, Callable[[], Block]]] = [
        (name, True, partial(of_blend, name, texts)) for name, texts in blended.items()
    ]
    for folder in folders:
        if (folder / split / "predictions.csv").exists():
            found.append((folder.name, False, partial(of_run, folder)))
        else:
            gaps.append(_gap(split, folder.name, "no predictions"))
    return found
