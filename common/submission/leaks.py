"""Find copies between train, dev, test and augmented rows, and reject runs that were trained on such copies."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from common.augment import augmented_rows
from common.augment.augmented_rows import FOLDER, ROWS, rows_path
from common.core import paths
from common.core.errors import UserError
from common.core.files import sha256_file, shown
from common.core.messages import cut
from common.core.paths import run_folder
from common.core.progress import brief_progress
from common.data import folds, near_copies, releases
from common.data.competition import Competition
from common.data.competition_rules import require_stage
from common.data.near_copies import CopyIndex, copy_index, grams
from common.data.rows import Row, SplitName, read_split
from common.runs.imported import is_imported
from common.runs.record import read_record

EXAMPLES = 5
SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")
_ROWS = re.compile(rf"outputs/[^/]+/{FOLDER}/([^/]+)/{re.escape(ROWS)}")
_DONE = {"train": "trained", "infer": "inferred"}


@dataclass(frozen=True)
class Overlap:
    """The rows of one set that have a copy in another set."""

    first: str
    second: str
    rows: int
    """Number of rows of the second set."""
    exact: int
    """Number of rows of the second set that equal a row of the first, ignoring case, spaces and punctuation."""
    near: int
    """Number of rows of the second set that are near-copies of a row of the first, including exact copies."""
    examples: tuple[tuple[str, str, float], ...]
    """The most similar pairs: the id in the first set, the id in the second set, and their similarity."""


@dataclass(frozen=True)
class Groups:
    """The dialogues of one set that have copies in the same set."""

    name: str
    rows: int
    exact: int
    """Number of rows that equal an earlier row, ignoring case, spaces and punctuation."""
    groups: int
    """Number of groups of near-copies, grouped transitively, with two or more dialogues."""
    grouped: int
    """Number of dialogues in these groups."""
    largest: int
    """Number of dialogues in the largest group."""


@dataclass(frozen=True)
class LeaksReport:
    """The content of the report that `make leaks` prints."""

    competition: str
    near_copy: float
    overlaps: tuple[Overlap, ...]
    groups: tuple[Groups, ...]
    releases: tuple[str, ...]
    """A sentence for each pair of splits that may be of different releases of the data."""


@dataclass(frozen=True, eq=False)
class IndexedRows:
    """Indexed rows, ready for comparison with other rows."""

    rows: tuple[Row, ...]
    index: CopyIndex
    letters: tuple[str, ...]


def report(competition: Competition) -> LeaksReport:
    """Return the copies between the competition's splits, in every augmented file, and inside train and dev.

    An augmented row is not compared with the group of near-copies of its parent: it is meant to resemble its parent.
    Raises UserError as `read_split` does, and for an augmented file that cannot be parsed.
    """
    near_copy = competition.near_copy
    splits: dict[str, IndexedRows] = {name: indexed(read_split(competition, name).rows) for name in SPLITS}
    pairs = (("train", "dev"), ("train", "test"), ("dev", "test"))
    overlaps = [overlap(a, splits[a], b, splits[b].rows, near_copy) for a, b in pairs]
    grouped = {name: _grouped(name, splits[name], near_copy) for name in ("train", "dev")}
    family = {name: group for group in grouped["train"] for name in group}
    for path in sorted(paths.outputs(competition.name).glob(f"{FOLDER}/*/{ROWS}")):
        made = augmented_rows.parse(path)
        rows, name = [one.row for one in made], f"{FOLDER}/{path.parent.name}"
        related = [family.get(one.parent, frozenset()) for one in made]
        overlaps += [overlap(other, splits[other], name, rows, near_copy) for other in ("dev", "test")]
        overlaps.append(overlap("train", splits["train"], name, rows, near_copy, related))
    inside = tuple(_groups(name, splits[name], found) for name, found in grouped.items())
    found = {
        name: releases.texts_of(
            [(r.id, r.dialogue, r.summaries[0] if r.summaries else None) for r in split.rows]
        )
        for name, split in splits.items()
    }
    return LeaksReport(competition.name, near_copy, tuple(overlaps), inside, tuple(releases.signs(found)))


def _grouped(name: str, split: IndexedRows, near_copy: float) -> list[frozenset[str]]:
    bar = brief_progress(len(split.rows), f"group {name}", "row")
    found = folds.groups(split.rows, near_copy, split.index, bar.update)
    bar.close()
    return found


def indexed(rows: Sequence[Row]) -> IndexedRows:
    """Return the rows with the index that `overlap` needs."""
    texts = [row.dialogue for row in rows]
    return IndexedRows(tuple(rows), copy_index(texts), tuple(map(near_copies.letters, texts)))


def overlap(
    first: str,
    known: IndexedRows,
    second: str,
    rows: Sequence[Row],
    near_copy: float,
    related: Sequence[frozenset[str]] | None = None,
) -> Overlap:
    """Return how many rows of the second set have a copy in the first set.

    `related` holds, for each row, the ids in the first set that it may resemble.
    """
    positions = {row.id: position for position, row in enumerate(known.rows)}
    same: dict[str, set[int]] = {}
    for position, text in enumerate(known.letters):
        same.setdefault(text, set()).add(position)
    pairs: list[tuple[float, str, str]] = []
    exact = 0
    bar = brief_progress(len(rows), f"compare {second} with {first}", "row")
    for row, related_ids in zip(rows, related or [frozenset[str]()] * len(rows), strict=True):
        ignored = [positions[name] for name in related_ids]
        similarities = known.index.similarities(grams(row.dialogue))
        similarities[ignored] = -1.0
        nearest = int(similarities.argmax())
        exact += bool(same.get(near_copies.letters(row.dialogue), set()) - set(ignored))
        if similarities[nearest] >= near_copy:
            pairs.append((-float(similarities[nearest]), known.rows[nearest].id, row.id))
        bar.update()
    bar.close()
    best = tuple((a, b, -negative) for negative, a, b in sorted(pairs)[:EXAMPLES])
    return Overlap(first, second, len(rows), exact, len(pairs), best)


def _groups(name: str, indexed_rows: IndexedRows, found: Sequence[frozenset[str]]) -> Groups:
    sizes = [len(group) for group in found if len(group) > 1]
    repeated = len(indexed_rows.letters) - len(set(indexed_rows.letters))
    return Groups(name, len(indexed_rows.rows), repeated, len(sizes), sum(sizes), max(sizes, default=1))


def tables(found: LeaksReport) -> tuple[list[list[str]], list[list[str]]]:
    """Return two tables, each a header and its rows: copies between sets, and groups inside them; ids only, no text."""
    between = [["set", "rows", "compared with", "exact copies", "near-copies", "most similar pairs"]]
    for one in found.overlaps:
        pairs = ", ".join(
            f"{cut(b, 40)} ~ {cut(a, 40)} {similarity:.2f}" for a, b, similarity in one.examples
        )
        between.append([one.second, f"{one.rows}", one.first, f"{one.exact}", f"{one.near}", pairs or "–"])
    inside = [["set", "rows", "exact copies", "groups of near-copies", "rows in them", "largest group"]]
    for group in found.groups:
        inside.append(
            [group.name, f"{group.rows}", f"{group.exact}", f"{group.groups}", f"{group.grouped}", f"{group.largest}"]
        )  # fmt: skip
    return between, inside


def advice(found: LeaksReport) -> list[str]:
    """Return one line for each kind of copy: its meaning and the remedy."""
    by_pair = {(one.first, one.second): one for one in found.overlaps}
    dev, test = by_pair["train", "dev"], by_pair["train", "test"]
    made = [one for one in found.overlaps if one.second.startswith(FOLDER)]
    near = sum(one.near for one in made if one.first != "train")
    lines = [
        f"train ~ dev: {dev.near} of {dev.rows} dev dialogues have a near-copy in train, and {test.near} of {test.rows} "
        "test dialogues, so scores may be slightly too high. These are the organisers' files: nothing is removed.",
        "shots: the prompt for a dialogue never shows its own near-copies (exp005, exp006, exp012).",
        "folds: a group of near-copies is never split (make blend-report, submit, augment).",
        "augmented: a parent or new row near dev or test, or near train rows of another fold, is rejected when it is made; "
        "rows near dev or test are rejected again before training and by make submit.",
    ]
    lines += [f"releases: {line}" for line in found.releases]
    if near:
        names = sorted({one.second for one in made if one.near and one.first != "train"})
        lines.append(
            f"to do: {', '.join(names)}: near-copies of dev or test; make these rows again with restart=1."
        )
    return lines


def require_clean(members: Sequence[str], competition: Competition) -> None:
    """Raise UserError when a run breaks the competition's rules or was trained on copies of dev or test rows.

    The augmented rows that a run was trained on are compared with dev and test again. Raises UserError as
    `competition_rules.require_stage` and `augmented_rows.read` do, and when a run's augmented rows have changed since
    its training.
    """
    used: dict[str, tuple[str, str]] = {}
    for run in members:
        folder = run_folder(competition.name, run)
        for name, stage in read_record(folder).items():
            require_stage(competition, f"{shown(folder)}, {_DONE.get(name, name)}", stage)
            for path, entry in stage["data"].items():
                # Of an imported run, the augmented rows were checked when it was exported, and stay on that machine.
                if (match := _ROWS.fullmatch(path)) and not is_imported(folder):
                    used[match[1]] = (shown(folder), entry["sha256"])
    if used:
        closed = [row for name in ("dev", "test") for row in read_split(competition, name).rows]
    for name, (where, sha256) in used.items():
        path = rows_path(competition.name, name)
        if not path.exists() or sha256_file(path) != sha256:
            raise UserError(
                f"{where}: was trained on {shown(path)}, which is gone or has changed, so it cannot be checked for "
                "copies of dev and test. Restore the file, or train the run again."
            )
        augmented_rows.read(competition, name, closed)
