"""Gather the dialogues, the references and what every run wrote for them, as compressed blocks for the error browser.

A block is JSON, compressed by gzip and written as base64; the page reads it when it is needed. Texts are stored by column,
in the order of the dialogues, and scores as integers: that takes the least room.
"""

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.progress import brief_progress
from common.data.competition import Competition
from common.data.dialogue import clean, parse, tags
from common.data.repairs import odd_tag
from common.data.rows import Row, SplitName, read_references, read_split
from common.page.example_runs import Written, written
from common.page.sentences import both
from common.page.token_marks import free_mark, marked, rule_of
from common.rouge import METRICS, get_profile
from common.runs.scoring import example_scores, profiles

ROOM = 6_500_000
"""Most bytes of all blocks together: what a page of 8 MB has left beside its scripts and tables."""
INVENTED, MISSING, ODD, CUT = 1, 2, 4, 8
"""Marks of a prediction: a tag that its dialogue does not have, no tag that all references have, a tag in another form
than #Name#, and a text that stopped at the limit of tokens."""
STEPS = 1000
"""Number of steps between 0 and the highest score of a metric."""


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
    metrics = [_metric(competition, name) for name in profiles(competition)]
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
        found = _everything(competition, folders, blends, split, index["gaps"])
        bar = brief_progress(len(found), f"score {split} examples", "run")
        for number, one in enumerate(found):
            try:
                content, means = _run(competition, one, rows, references)
            except UserError as error:
                index["gaps"].append(_gap(split, one.name, "unreadable", str(error)))
                continue
            finally:
                bar.update()
            block, left = f"texts-{split}-{number}", room - sum(map(len, blocks.values()))
            text = packed(content)
            why = ""
            if len(text) > left:
                text, why = packed({**content, "candidates": []}), "candidates"
            if len(text) > left:
                why = "room"
            else:
                blocks[block] = text
                entry["runs"][one.name] = {"block": block, "means": means, "blend": one.blend}
            if why:
                index["gaps"].append(_gap(split, one.name, why))
        bar.close()
    return Examples(index, blocks)


def packed(content: Any) -> str:
    """Return a JSON value, compressed by gzip, as base64; the same value gives the same text."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate is no character and cannot be encoded.
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)).decode("ascii")


def _gap(split: str, run: str, why: str, message: str = "") -> dict[str, Any]:
    return {
        "split": split,
        "run": run,
        "why": why,
        **({"message": both(message)} if message else {}),
    }


def _metric(competition: Competition, name: str) -> dict[str, Any]:
    """Return a profile's name and its metrics, each with the score that `STEPS` stands for; the headline comes first."""
    profile = get_profile(name)
    top = profile.headline_scale * (3 if profile.summed else 1)
    keys = [profile.headline_key, *METRICS]
    return {"profile": name, "keys": keys, "tops": [top, *[profile.scale] * len(METRICS)]}


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


def _everything(
    competition: Competition,
    folders: Sequence[Path],
    blends: Blends | None,
    split: SplitName,
    gaps: list[dict[str, Any]],
) -> list[Written]:
    """Return what all runs and blends wrote for a split; a run whose files cannot be read becomes a gap."""
    blended = blends(split, lambda name, why: gaps.append(_gap(split, name, "blend", why))) if blends else {}
    found = [Written(name, texts, blend=True) for name, texts in blended.items()]
    bar = brief_progress(len(folders), f"read {split} examples", "run")
    for folder in folders:
        try:
            one = written(competition, folder, split)
            if one is None:
                gaps.append(_gap(split, folder.name, "no predictions"))
            else:
                found.append(one)
        except UserError as error:
            gaps.append(_gap(split, folder.name, "unreadable", str(error)))
        bar.update()
    bar.close()
    return found


def _run(
    competition: Competition, one: Written, rows: Sequence[Row], references: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the columns of a run's block, and the mean headline by profile.

    Raises UserError when ids differ from those of the split, and as scoring does.
    """
    absent = [row.id for row in rows if row.id not in one.predictions]
    extra = one.predictions.keys() - {row.id for row in rows}
    if absent or extra:
        raise UserError(
            f"{one.name}: {len(absent)} ids are missing and {len(extra)} are unknown, for example "
            f"{shown_id((absent or sorted(extra))[0])}; infer {one.name} again."
        )
    predictions = [one.predictions[row.id] for row in rows]
    groups = [one.candidates.get(row.id, []) for row in rows]
    proposed = [candidate.text for group in groups for candidate in group]
    targets = [references[row.id] for row in rows]
    owners = [place for place, group in enumerate(groups) for _ in group]
    mark = free_mark([*predictions, *proposed])
    texts = marked([*predictions, *proposed], competition.dev_profile, mark)
    scores, others, means = [], [], {}
    for name in profiles(competition):
        metric = _metric(competition, name)
        of_all = example_scores(
            dict(enumerate_texts([*predictions, *proposed])),
            dict(enumerate_texts([*targets, *(targets[place] for place in owners)])),
            name,
            competition.leaderboard_references,
        )
        means[name] = float(of_all.per_example[of_all.headline_key][: len(rows)].mean())
        for key, top in zip(metric["keys"], metric["tops"], strict=True):
            steps = (of_all.per_example[key] * (STEPS / top)).round().astype(int).tolist()
            scores.append(steps[: len(rows)])
            if key == metric["keys"][0]:
                others.append(steps[len(rows) :])
    places = iter(range(len(proposed)))
    return {
        "mark": mark,
        "predictions": texts[: len(rows)],
        "scores": scores,
        "flags": [_flags(one, row, references[row.id]) for row in rows],
        "candidates": [
            [
                [texts[len(rows) + place], candidate.cut * 1, *(column[place] for column in others)]
                for candidate, place in zip(group, places, strict=False)
            ]
            for group in groups
        ],
    }, means


def enumerate_texts(values: Sequence[Any]) -> list[tuple[str, Any]]:
    """Return each value with a key of its own, as the scorer wants them."""
    return [(str(place), value) for place, value in enumerate(values)]


def shown_id(name: str) -> str:
    """Return an id as a message shows it."""
    return repr(name[:40])


def _flags(one: Written, row: Row, references: Sequence[str]) -> int:
    text = one.predictions[row.id]
    own = set(tags(text))
    needed = set.intersection(*(set(tags(reference)) for reference in references)) if references else set()
    return (
        INVENTED * bool(own - set(tags(clean(row.dialogue))))
        + MISSING * bool(needed - own)
        + ODD * (odd_tag(text) is not None)
        + CUT * (row.id in one.cut)
    )
