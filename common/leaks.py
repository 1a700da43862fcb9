"""Rows told twice: where train, dev, test and augmented rows hold copies of each other, and members that saw one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common import files, rules, runs
from common.augment import files as augmented
from common.competition import Competition
from common.errors import UserError
from common.folds import groups
from common.prompts.copies import CopyIndex, copy_index, grams, letters
from common.rows import Row, SplitName, read_split

EXAMPLES = 5
SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")
_ROWS = re.compile(rf"outputs/[^/]+/{augmented.FOLDER}/([^/]+)/{re.escape(augmented.ROWS)}")
_DONE = {"train": "trained", "infer": "inferred"}


@dataclass(frozen=True)
class Overlap:
    """Rows of one set that are told in another too."""

    first: str
    second: str
    rows: int
    """Of the second set."""
    exact: int
    """Rows of the second with the letters of one of the first, whatever their case, spaces and punctuation."""
    near: int
    """Rows of the second that are near-copies of one of the first, exact ones included."""
    examples: tuple[tuple[str, str, float], ...]
    """Ids of the most similar pairs, the first set's first, and their similarity."""


@dataclass(frozen=True)
class Groups:
    """Dialogues of one set told more than once in it."""

    name: str
    rows: int
    exact: int
    """Rows with the letters of an earlier one."""
    groups: int
    """Groups of near-copies, and of near-copies of those, with two dialogues or more."""
    grouped: int
    """Dialogues in these groups."""
    largest: int


@dataclass(frozen=True)
class Report:
    """What `make leaks` prints."""

    competition: str
    near_copy: float
    overlaps: tuple[Overlap, ...]
    groups: tuple[Groups, ...]


@dataclass(frozen=True, eq=False)
class Told:
    """Rows ready to be compared with."""

    rows: tuple[Row, ...]
    index: CopyIndex
    letters: tuple[str, ...]


def report(competition: Competition) -> Report:
    """Copies between the competition's splits and every augmented file, and inside train and dev.

    Of an augmented row its parent's group of near-copies does not count: it is meant to be like its parent.
    Raises UserError as `read_split` does, and for an augmented file that is no table of rows.
    """
    near_copy = competition.near_copy
    told: dict[str, Told] = {name: indexed(read_split(competition, name).rows) for name in SPLITS}
    pairs = (("train", "dev"), ("train", "test"), ("dev", "test"))
    overlaps = [overlap(a, told[a], b, told[b].rows, near_copy) for a, b in pairs]
    grouped = {name: groups(told[name].rows, near_copy, told[name].index) for name in ("train", "dev")}
    family = {name: group for group in grouped["train"] for name in group}
    for path in sorted(runs.outputs(competition.name).glob(f"{augmented.FOLDER}/*/{augmented.ROWS}")):
        made = augmented.parse(path)
        rows, name = [one.row for one in made], f"{augmented.FOLDER}/{path.parent.name}"
        kin = [family.get(one.parent, frozenset()) for one in made]
        overlaps += [overlap(other, told[other], name, rows, near_copy) for other in ("dev", "test")]
        overlaps.append(overlap("train", told["train"], name, rows, near_copy, kin))
    inside = tuple(_groups(name, told[name], found) for name, found in grouped.items())
    return Report(competition.name, near_copy, tuple(overlaps), inside)


def indexed(rows: Sequence[Row]) -> Told:
    """The rows, ready to be compared with."""
    texts = [row.dialogue for row in rows]
    return Told(tuple(rows), copy_index(texts), tuple(map(letters, texts)))


def overlap(
    first: str,
    told: Told,
    second: str,
    rows: Sequence[Row],
    near_copy: float,
    kin: Sequence[frozenset[str]] | None = None,
) -> Overlap:
    """How many of the second set's rows are told in the first; `kin`: for each the ids there that it may be like."""
    places = {row.id: place for place, row in enumerate(told.rows)}
    same: dict[str, set[int]] = {}
    for place, text in enumerate(told.letters):
        same.setdefault(text, set()).add(place)
    pairs: list[tuple[float, str, str]] = []
    exact = 0
    for row, excused in zip(rows, kin or [frozenset[str]()] * len(rows), strict=True):
        free = [places[name] for name in excused]
        alike = told.index.similarities(grams(row.dialogue))
        alike[free] = -1.0
        nearest = int(np.argmax(alike))
        exact += bool(same.get(letters(row.dialogue), set()) - set(free))
        if alike[nearest] >= near_copy:
            pairs.append((-float(alike[nearest]), told.rows[nearest].id, row.id))
    best = tuple((a, b, -negative) for negative, a, b in sorted(pairs)[:EXAMPLES])
    return Overlap(first, second, len(rows), exact, len(pairs), best)


def _groups(name: str, told: Told, found: Sequence[frozenset[str]]) -> Groups:
    sizes = [len(group) for group in found if len(group) > 1]
    repeated = len(told.letters) - len(set(told.letters))
    return Groups(name, len(told.rows), repeated, len(sizes), sum(sizes), max(sizes, default=1))


def tables(found: Report) -> tuple[list[list[str]], list[list[str]]]:
    """Copies between sets, then groups inside them; each a header and its rows. Ids only, never a text."""
    between = [["of the rows of", "rows", "told in", "exactly", "nearly", "most alike"]]
    for one in found.overlaps:
        pairs = ", ".join(f"{b} ~ {a} {alike:.2f}" for a, b, alike in one.examples)
        between.append([one.second, f"{one.rows}", one.first, f"{one.exact}", f"{one.near}", pairs or "–"])
    inside = [["inside", "rows", "repeated exactly", "groups of near-copies", "rows in them", "largest"]]
    for group in found.groups:
        inside.append(
            [group.name, f"{group.rows}", f"{group.exact}", f"{group.groups}", f"{group.grouped}", f"{group.largest}"]
        )  # fmt: skip
    return between, inside


def advice(found: Report) -> list[str]:
    """What each kind of copy means and what is done about it, a line each."""
    by_pair = {(one.first, one.second): one for one in found.overlaps}
    dev, test = by_pair["train", "dev"], by_pair["train", "test"]
    made = [one for one in found.overlaps if one.second.startswith(augmented.FOLDER)]
    near = sum(one.near for one in made if one.first != "train")
    lines = [
        f"train ~ dev: {dev.near} of {dev.rows} dev dialogues have a near-copy in train, so dev scores flatter a little, "
        f"as test's do where it has them ({test.near} of {test.rows}). The data are the organisers': nothing is removed.",
        "shots: a dialogue's own group of near-copies is never shown to it (make exp=exp005, exp006, exp012).",
        "folds: a group of near-copies is never split (make blend-report, submit, augment).",
        "augmented: a parent or new row near dev or test, or near train rows of another fold, is rejected when it is made; "
        "near dev or test it is refused again when it is trained on and by make submit.",
    ]
    if near:
        names = sorted({one.second for one in made if one.near and one.first != "train"})
        lines.append(
            f"to do: {', '.join(names)}: near-copies of dev or test; make these rows again with restart=1."
        )
    return lines


def require_clean(members: Sequence[str], competition: Competition) -> None:
    """Nothing when what the runs recorded is within the competition's rules and they saw nothing of dev and test.

    Augmented rows that a run was trained on are compared with dev and test once more. Raises UserError naming the
    run: as `rules.require_stage` and `augment.read` do, and when its augmented rows are no longer those it saw.
    """
    used: dict[str, tuple[str, str]] = {}
    for run in members:
        folder = runs.run_folder(competition.name, run)
        for name, stage in runs.record(folder).items():
            rules.require_stage(competition, f"{files.shown(folder)}, {_DONE.get(name, name)}", stage)
            for path, entry in stage["data"].items():
                if match := _ROWS.fullmatch(path):
                    used[match[1]] = (files.shown(folder), entry["sha256"])
    if used:
        closed = [row for name in ("dev", "test") for row in read_split(competition, name).rows]
    for name, (where, sha256) in used.items():
        path = augmented.rows_path(competition.name, name)
        if not path.exists() or files.sha256_file(path) != sha256:
            raise UserError(
                f"{where}: was trained on {files.shown(path)}, which is gone or has changed, so nobody can tell what it "
                "saw of dev and test. Put the file back, or train the run anew."
            )
        augmented.read(competition, name, closed)
