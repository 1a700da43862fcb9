"""Load `competitions/<name>/competition.toml` as a checked, frozen `Competition`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.core.errors import UserError
from common.core.files import shown
from common.data.site import Site

PROFILE_NAMES = ("korouge", "rouge101", "leaderboard", "google")
NEAR_COPY = 0.15
"""Default similarity from which two dialogues count as near-copies; `[rules] near_copy` overrides it.

In the real corpus a near-copy is one English dialogue that was translated into Korean twice, so the two texts share
few character sequences: Jaccard 0.5 over 5-grams of letters finds none of the dialogues that dev shares with train.
We sampled pairs and read them: 18 of 22 pairs with a similarity of 0.15 to 0.18 were such copies, but only 4 of 16
pairs with 0.12 to 0.15; the other pairs only share a situation. Dialogues made from templates are more similar than
this, so their competition needs a higher value.
"""
FileKind = Literal["train", "dev", "test", "sample", "solution"]
KINDS: tuple[FileKind, ...] = ("train", "dev", "test", "sample", "solution")


@dataclass(frozen=True)
class IdSpec:
    """The ids that a file may contain: a prefix and a number from `first` to `last` (None: no limit), except `gaps`."""

    prefix: str
    first: int
    last: int | None
    gaps: tuple[int, ...]

    def __contains__(self, value: object) -> bool:
        """Return whether the id belongs to the file; only the exact spelling counts ("dev_7", not "dev_07" or " dev_7")."""
        digits = value[len(self.prefix) :] if isinstance(value, str) and value.startswith(self.prefix) else ""
        if not re.fullmatch("0|[1-9][0-9]{0,17}", digits):
            return False
        number = int(digits)
        return number >= self.first and (self.last is None or number <= self.last) and number not in self.gaps

    def __str__(self) -> str:
        """Return the ids as messages print them: "dev_0 to dev_499 without dev_475"."""
        end = f" to {self.prefix}{self.last}" if self.last is not None else " upwards"
        gaps = " without " + ", ".join(f"{self.prefix}{gap}" for gap in self.gaps) if self.gaps else ""
        return f"{self.prefix}{self.first}{end}{gaps}"

    def expected(self) -> list[str] | None:
        """Return every id in numeric order, or None when `last` is None."""
        if self.last is None:
            return None
        gaps = set(self.gaps)
        return [f"{self.prefix}{n}" for n in range(self.first, self.last + 1) if n not in gaps]


@dataclass(frozen=True)
class FileSpec:
    """The required format of one data file."""

    path: str
    """Path of a .csv or .jsonl file, relative to the competition's folder; always under data/."""
    columns: tuple[str, ...]
    """Exactly the columns of the header (or the keys of each JSON line), in any order."""
    rows: int | None
    """Number of rows in the organisers' file; None when it is unknown."""
    exact_rows: bool
    """Whether a different number of rows (or a missing id) is an error; otherwise it is only a warning."""
    ids: IdSpec | None
    """The allowed ids; None when any id is allowed."""


@dataclass(frozen=True)
class Columns:
    """The names of the columns that we read from the competition's files."""

    id: str
    dialogue: str
    summary: str
    topic: str
    references: tuple[str, ...]
    """Columns of files with several reference summaries; () when there are no such files."""

    def answers(self, spec: FileSpec) -> tuple[str, ...]:
        """Return the summary columns of a file: its reference columns, else its one summary column, else ()."""
        several = tuple(column for column in self.references if column in spec.columns)
        return several or ((self.summary,) if self.summary in spec.columns else ())


@dataclass(frozen=True)
class SubmissionSpec:
    """The required format of the CSV that is uploaded to the site."""

    columns: tuple[str, ...]
    """The columns that we write, in order; "" is the unnamed index column of some organisers' samples."""
    index: str | None
    """Name of the column that numbers the rows from 0 ("" is a valid name); None when `columns` has no such column."""
    id: str
    summary: str
    max_characters: int
    accepted: tuple[tuple[str, ...], ...] = ()
    """Other headers that the site accepts, each with the id, the summary and at most one index column."""

    @property
    def headers(self) -> tuple[tuple[str, ...], ...]:
        """Return every valid header; the first one is written.

        A header without the index column is always valid: sites join the rows by id.
        """
        bare = tuple(column for column in self.columns if column != self.index)
        return tuple(dict.fromkeys((self.columns, *self.accepted, bare)))

    def index_in(self, header: Iterable[str]) -> str | None:
        """Return the column of this header that numbers the rows from 0; None when it has no such column."""
        return next((column for column in header if column not in (self.id, self.summary)), None)


@dataclass(frozen=True)
class Competition:
    """One competition, as declared in its competition.toml."""

    name: str
    title: str
    language: Literal["ko", "en"]
    folder: Path
    licence: str
    obtain: str
    """The command that restores the data files; error messages about them end with it."""
    files: Mapping[str, FileSpec]
    """File specifications by kind: train, dev, test and, if the competition has them, sample and solution."""
    columns: Columns
    speakers: tuple[str, ...]
    """Speaker tags, starting with "#Person1#"."""
    masked: tuple[str, ...]
    """Tags that stand for personal data, such as "#PhoneNumber#"."""
    submission: SubmissionSpec
    dev_profile: str
    leaderboard_profile: str
    leaderboard_references: Literal["mean", "max"]
    goals: tuple[float, ...]
    """Target scores in ascending order; () when the competition has none."""
    goals_metric: str
    rules: tuple[str, ...]
    forbidden_sources: tuple[str, ...]
    """Data that must not be used for an entry; `competition_rules` rejects models and files that name one of them."""
    near_copy: float
    """Similarity (`near_copies.similarity`, greater than 0, at most 1) from which two dialogues count as near-copies:
    for shots, augmented rows, folds and the leaks report."""
    site: Site = Site()
    """What the competition's site allows."""

    @property
    def tags(self) -> tuple[str, ...]:
        """Every declared tag as it is written: first the speaker tags, then the masked ones."""
        return self.speakers + self.masked

    def path(self, kind: str) -> Path:
        """Return the path of a declared file, which need not exist. Raises UserError when the kind is not declared."""
        if kind not in self.files:
            raise UserError(
                f"{shown(self.folder / 'competition.toml')}: declares no {kind} file; "
                f"declared are {', '.join(self.files)}. Add [files.{kind}] if the competition has one."
            )
        return self.folder / self.files[kind].path
