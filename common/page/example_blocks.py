"""Turn what one run wrote into a compressed block of the page, and keep the block for the next page."""

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import cached, root, sha256_file, sha256_files, sha256_texts
from common.data.competition import Competition
from common.data.dialogue import clean, tags
from common.data.repairs import odd_tag
from common.data.rows import Row
from common.page.example_runs import Written
from common.page.token_marks import free_mark, marked
from common.rouge import METRICS, get_profile, get_tokenizer
from common.runs.score_text import digits
from common.runs.scoring import example_scores, profiles

INVENTED, MISSING, ODD, CUT = 1, 2, 4, 8
"""Marks of a prediction: a tag that its dialogue does not have, no tag that all references have, a tag in another form
than #Name#, and a text that stopped at the limit of tokens."""


@dataclass(frozen=True)
class Block:
    """What one run wrote for a split, as the page holds it."""

    text: str
    """JSON, compressed by gzip, as base64."""
    means: Mapping[str, float]
    """Mean headline by profile."""

    def without_candidates(self) -> "Block":
        """Return the same without the candidates, which take most of the room."""
        content = json.loads(gzip.decompress(base64.b64decode(self.text)))
        return Block(packed({**content, "candidates": []}), self.means)


def packed(content: Any) -> str:
    """Return a JSON value, compressed by gzip, as base64; the same value gives the same text."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate is no character and cannot be encoded.
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)).decode("ascii")


def kept(key: str, make: Callable[[], Block]) -> Block:
    """Return the block of `.cache/page` under this key; made, and kept there, when there is none."""

    def read(content: Any) -> Block:
        block = Block(content["text"], {name: float(mean) for name, mean in content["means"].items()})
        json.loads(gzip.decompress(base64.b64decode(block.text, validate=True)))
        return block

    path = root() / ".cache" / "page" / f"{key[:32]}.json"
    return cached(path, read, make, lambda block: {"text": block.text, "means": dict(block.means)})


def key_of_split(
    competition: Competition, rows: Sequence[Row], references: Mapping[str, Sequence[str]]
) -> str:
    """Return a hash of what all blocks of a split depend on: its texts, the competition, the metrics and our code.

    Raises UserError when an analyser is not installed.
    """
    tokenizers = {get_profile(name).tokenizer for name in profiles(competition)} - {"sentences"}
    here = Path(__file__).parent
    code = [
        file
        for room in ("page", "rouge", "runs", "postprocess", "data")
        for file in here.parent.glob(f"{room}/*.py")
    ]
    return sha256_texts(
        [
            sha256_file(competition.folder / "competition.toml"),
            *(get_tokenizer(name).name for name in sorted(tokenizers)),
            *sha256_files(sorted(code)),
            *(part for row in rows for part in (row.id, row.dialogue, "\0".join(references[row.id]))),
        ]
    )


def key_of_run(split: str, folder: Path, split_key: str) -> str:
    """Return a hash of what the block of a run depends on."""
    files = [folder / split / "predictions.csv", folder / split / "candidates.jsonl", folder / "run.json"]
    return sha256_texts(
        [split_key, folder.name, *(sha256_file(file) if file.exists() else "" for file in files)]
    )


def metric_of(name: str) -> dict[str, Any]:
    """Return a profile's name and its metrics, each with its highest score and number of decimals; the headline comes first.

    Blocks hold scores as integers, in units of the last decimal: the page shows every decimal that it has, and no others.
    """
    profile = get_profile(name)
    top = profile.headline_scale * (3 if profile.summed else 1)
    keys = [profile.headline_key, *METRICS]
    return {
        "profile": name,
        "keys": keys,
        "tops": [top, *[profile.scale] * len(METRICS)],
        "digits": [digits(name), *[3 if profile.scale == 1 else 1] * len(METRICS)],
    }


def block_of(
    competition: Competition, one: Written, rows: Sequence[Row], references: Mapping[str, Sequence[str]]
) -> Block:
    """Return the block of a run: its texts by column, in the order of the rows, and their scores.

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
        metric = metric_of(name)
        of_all = example_scores(
            dict(enumerate_texts([*predictions, *proposed])),
            dict(enumerate_texts([*targets, *(targets[place] for place in owners)])),
            name,
            competition.leaderboard_references,
        )
        means[name] = float(of_all.per_example[of_all.headline_key][: len(rows)].mean())
        for key, decimals in zip(metric["keys"], metric["digits"], strict=True):
            units = (of_all.per_example[key] * 10**decimals).round().astype(int).tolist()
            scores.append(units[: len(rows)])
            if key == metric["keys"][0]:
                others.append(units[len(rows) :])
    places = iter(range(len(proposed)))
    content = {
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
    }
    return Block(packed(content), means)


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
