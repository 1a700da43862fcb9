"""Measure the members of each recipe for the page: scores, who wins where, agreement, and what blending them gains."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.core.errors import UserError
from common.core.files import cached, root, sha256_file, sha256_texts
from common.core.progress import brief_progress
from common.data.competition import Competition
from common.data.dialogue import clean, parse
from common.data.rows import Row, read_references, read_split
from common.ensemble import blend, report_file
from common.ensemble.recipe import Recipe, read_recipe
from common.page.blended import chosen_on_dev, key_of
from common.page.sentences import both
from common.rouge import bootstrap_interval
from common.runs.scoring import example_scores
from common.submission.candidates import member_candidates
from common.submission.dev_scores import gain_of

Gap = Callable[[str], None]
"""Takes a sentence about something that could not be read."""
Floats = NDArray[np.float64]
SMALLEST, MOST_TOPICS = 5, 12
"""Least number of dialogues of a topic that is shown, and most topics that are shown."""


def blend_rows(competition: Competition, only: str, gap: Gap) -> list[dict[str, Any]]:
    """Return what the page shows of each recipe of the competition, JSON-ready, in the order of their names.

    Of recipes with the member `only`, when it is not "". A recipe that cannot be measured has a `problem` instead.
    """
    found = []
    paths = sorted((root() / "submissions").glob("*.toml"))
    bar = brief_progress(len(paths), "measure blends", "recipe", even=False)
    for path in paths:
        try:
            recipe = read_recipe(path)
        except (UserError, OSError) as error:
            gap(str(error))
            continue
        finally:
            bar.update()
        if recipe.competition == competition.name and (not only or only in recipe.runs):
            found.append(_row(recipe, path, competition, gap))
    bar.close()
    return found


def _row(recipe: Recipe, path: Path, competition: Competition, gap: Gap) -> dict[str, Any]:
    row: dict[str, Any] = {"recipe": recipe.name, "method": recipe.method}
    try:
        row |= _kept(recipe, path, competition)
    except (UserError, OSError) as error:
        row["problem"] = both(str(error))
    try:
        saved = report_file.read(competition.name, recipe.name)
    except UserError as error:
        gap(str(error))
        saved = None
    if saved is not None:
        row["report"] = {
            **asdict(saved),
            "advice": both(saved.advice),
            "control_sentence": both(saved.control_sentence),
            "current": saved.texts == row.get("texts"),
        }
    return row


def _kept(recipe: Recipe, path: Path, competition: Competition) -> dict[str, Any]:
    """Return the measurements, from `.cache/blends` when nothing has changed since."""
    key = sha256_texts([key_of(recipe, path, competition), sha256_file(Path(__file__))])

    def read(content: Any) -> dict[str, Any]:
        if "members" not in content:
            raise KeyError
        return dict(content)

    return cached(
        root() / ".cache" / "blends" / f"{key[:24]}-row.json",
        read,
        lambda: _measured(recipe, path, competition),
        dict,
    )


def _measured(recipe: Recipe, path: Path, competition: Competition) -> dict[str, Any]:
    candidates = member_candidates(recipe, competition, "dev")
    _, different, copies = blend.without_copies(recipe, candidates)
    if not different:
        raise UserError(f"submissions/{path.name}: no member has dev predictions.")
    rows = read_split(competition, "dev").rows
    texts = {name: [by_id[row.id][0].text for row in rows] for name, by_id in different.items()}
    blended = chosen_on_dev(recipe, path, competition)
    scores = _scores(competition, rows, {**texts, "": [blended[row.id] for row in rows]})
    of_blend = scores.pop("")
    best = max(scores, key=lambda name: scores[name].mean())
    won, chosen = _won(scores), _chosen(different, rows, blended)
    gain = gain_of(scores[best], of_blend)
    return {
        "texts": report_file.texts_hash(candidates),
        "profile": competition.dev_profile,
        "dialogues": len(rows),
        "least": SMALLEST,
        "most": MOST_TOPICS,
        "copies": copies,
        "best": best,
        "blend": {
            **asdict(bootstrap_interval(of_blend)),
            "gain": gain.mean,
            "gain_low": gain.low,
            "gain_high": gain.high,
        },
        "members": [
            {
                "name": name,
                **asdict(bootstrap_interval(values)),
                "won": float(won[name].mean()),
                "chosen": float(chosen[name].mean()),
            }
            for name, values in scores.items()
        ],
        "recombined": float(1 - sum(chosen.values(), np.zeros(len(rows))).mean()),
        "agreement": _agreement(competition, texts),
        "groups": [
            {
                "kind": kind,
                "name": name,
                "rows": int(mask.sum()),
                "mean": {member: float(values[mask].mean()) for member, values in scores.items()},
                "won": {member: float(values[mask].mean()) for member, values in won.items()},
                "blend": float(of_blend[mask].mean()),
            }
            for kind, name, mask in _groups(rows)
        ],
    }


def _scores(
    competition: Competition, rows: Sequence[Row], texts: Mapping[str, Sequence[str]]
) -> dict[str, Floats]:
    """Return name → the dev profile's headline of each text, (dialogues,)."""
    references = read_references(competition, "dev")
    found = {}
    for name, own in texts.items():
        scored = example_scores(
            {row.id: text for row, text in zip(rows, own, strict=True)},
            {row.id: references[row.id] for row in rows},
            competition.dev_profile,
            competition.leaderboard_references,
        )
        found[name] = scored.per_example[scored.headline_key]
    return found


def _won(scores: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return member → its part of each dialogue's win, (dialogues,): members with equal best scores share one."""
    values = np.array(list(scores.values()))
    wins = values >= values.max(axis=0) - 1e-9
    return dict(zip(scores, wins / wins.sum(axis=0), strict=True))


def _chosen(members: blend.Members, rows: Sequence[Row], blended: Mapping[str, str]) -> dict[str, Floats]:
    """Return member → its part of each dialogue's chosen text, (dialogues,): members that wrote the same text share it.

    A text that no member wrote, because it was recombined, belongs to none.
    """
    offers = np.array(
        [[any(one.text == blended[row.id] for one in by_id[row.id]) for row in rows] for by_id in members.values()],
        dtype=float,
    )  # fmt: skip
    return dict(zip(members, offers / np.maximum(1, offers.sum(axis=0)), strict=True))


def _agreement(competition: Competition, texts: Mapping[str, Sequence[str]]) -> list[list[float | None]]:
    """Return the mean score of each member's texts with each other member's as the only reference.

    It is symmetrical; None for a member with itself.
    """
    names = list(texts)
    found: list[list[float | None]] = [[None] * len(names) for _ in names]
    for a, b in combinations(range(len(names)), 2):
        scored = example_scores(
            {str(i): text for i, text in enumerate(texts[names[a]])},
            {str(i): [text] for i, text in enumerate(texts[names[b]])},
            competition.dev_profile,
        )
        found[a][b] = found[b][a] = float(scored.headline)
    return found


def _groups(rows: Sequence[Row]) -> list[tuple[str, str, NDArray[np.bool_]]]:
    """Return kind, name and dialogues of each group: thirds by number of turns, and the frequent topics."""
    turns = np.array([len(parse(clean(row.dialogue))) for row in rows])
    low, high = (int(end) for end in np.quantile(turns, [1 / 3, 2 / 3]))
    thirds = [(int(turns.min()), low), (low + 1, high), (high + 1, int(turns.max()))]
    found = [
        ("turns", f"{first}–{last}" if first < last else str(last), (turns >= first) & (turns <= last))
        for first, last in thirds
        if first <= last
    ]
    topics = np.array([" ".join(row.topic.split()) for row in rows])
    names, counts = np.unique(topics[topics != ""], return_counts=True)
    frequent = sorted(zip(counts.tolist(), names.tolist(), strict=True), key=lambda one: (-one[0], one[1]))
    return found + [
        ("topic", name, topics == name) for count, name in frequent[:MOST_TOPICS] if count >= SMALLEST
    ]
