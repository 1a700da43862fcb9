"""Load `competitions/<name>/competition.toml` as a checked, frozen `Competition`."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from common.core.errors import UserError
from common.core.files import root, shown, write_text
from common.core.toml_table import TomlTable

PROFILES = ("korouge", "rouge101", "leaderboard", "google")
DEFAULT = "daily_talk"
ACTIVE = ".active-competition"
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
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SHARE = "a number above 0 and at most 1"


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
    """The columns in order; "" is the unnamed index column of some organisers' samples."""
    index: str | None
    """Name of the column that numbers the rows from 0 ("" is a valid name); None when there is no such column."""
    id: str
    summary: str
    max_characters: int


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
    """Data that must not be used for an entry; `common.rules` rejects models and files that name one of them."""
    near_copy: float
    """Similarity (`prompts.copies`, greater than 0, at most 1) from which two dialogues count as near-copies: for
    shots, augmented rows, folds and the leaks report."""

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


def _file(table: TomlTable) -> FileSpec:
    path = table.text("path")
    parts = PurePosixPath(path).parts
    if len(parts) < 2 or parts[0] != "data" or ".." in parts or not path.endswith((".csv", ".jsonl")):
        raise table.wrong("path", repr(path), 'a .csv or .jsonl path under "data/"')
    ids = None
    if (given := table.table("ids", optional=True)) is not None:
        ids = IdSpec(
            given.text("prefix"),
            given.whole("first"),
            given.whole("last", default=None),
            given.several("gaps", int, "whole numbers", []),
        )
        given.done()
    spec = FileSpec(
        path=path,
        columns=table.several("columns", str, "column names"),
        rows=table.whole("rows", 1, default=None),
        exact_rows=table.take("exact_rows", bool, "true or false", False),
        ids=ids,
    )
    expected = ids.expected() if ids else None
    if spec.exact_rows and (spec.rows is None or (expected is not None and len(expected) != spec.rows)):
        wanted = (
            "a row count, because exact_rows is true"
            if expected is None
            else f"{len(expected)}, the number of ids"
        )
        raise table.wrong("rows", spec.rows or "missing", wanted)
    table.done()
    return spec


def _files(table: TomlTable, columns: Columns, submission: SubmissionSpec) -> dict[str, FileSpec]:
    """Return the declared files; each has at least the columns that we read from a file of its kind."""
    specs: dict[str, FileSpec] = {}
    for kind in KINDS:
        given = table.table(kind, optional=kind in ("sample", "solution"))
        if given is None:
            continue
        spec = specs[kind] = _file(given)
        needed = {columns.id} | ({columns.dialogue} if kind in ("train", "dev", "test") else set())
        if kind == "sample":
            needed = set(submission.columns)
        if missing := sorted(needed - set(spec.columns)):
            raise given.wrong("columns", list(spec.columns), "also " + ", ".join(f'"{c}"' for c in missing))
        if kind in ("train", "dev", "solution") and not columns.answers(spec):
            names = ", ".join((columns.summary, *columns.references))
            raise given.wrong("columns", list(spec.columns), f"at least one summary column ({names})")
    table.done()
    return specs


def _submission(table: TomlTable) -> SubmissionSpec:
    spec = SubmissionSpec(
        columns=table.several("columns", str, "column names"),
        index=table.take("index", str, "a column name, or no such key", None),
        id=table.text("id"),
        summary=table.text("summary"),
        max_characters=table.whole("max_characters", 1),
    )
    for key in ("index", "id", "summary"):
        if getattr(spec, key) not in (None, *spec.columns):
            raise table.wrong(
                key, repr(getattr(spec, key)), f"one of submission.columns {list(spec.columns)}"
            )
    if len(spec.columns) != 2 + (spec.index is not None):
        raise table.wrong(
            "columns",
            list(spec.columns),
            "only the id column, the summary column and the index column, if there is one",
        )
    table.done()
    return spec


def _parse(name: str, path: Path, value: Mapping[str, Any]) -> Competition:
    top = TomlTable(path, "", value)
    columns_table, tags, metric, rules = (
        top.sub("columns"),
        top.sub("tags"),
        top.sub("metric"),
        top.sub("rules"),
    )
    columns = Columns(
        **{key: columns_table.text(key) for key in ("id", "dialogue", "summary", "topic")},
        references=columns_table.several("references", str, "column names", []),
    )
    submission = _submission(top.sub("submission"))
    goals = metric.several("goals", (int, float), "numbers", [])
    if list(goals) != sorted(goals):
        raise metric.wrong("goals", list(goals), "ascending numbers")
    competition = Competition(
        name=name,
        title=top.text("title"),
        language=top.choice("language", ("ko", "en")),
        folder=path.parent,
        licence=top.text("licence"),
        obtain=top.text("obtain"),
        files=_files(top.sub("files"), columns, submission),
        columns=columns,
        speakers=tags.several("speakers", str, "strings"),
        masked=tags.several("masked", str, "strings", []),
        submission=submission,
        dev_profile=metric.choice("dev_profile", PROFILES),
        leaderboard_profile=metric.choice("leaderboard_profile", PROFILES),
        leaderboard_references=metric.choice("leaderboard_references", ("mean", "max")),
        goals=tuple(float(goal) for goal in goals),
        goals_metric=metric.choice("goals_metric", ("rouge_sum",)),
        rules=rules.several("text", str, "strings"),
        forbidden_sources=rules.several("forbidden_sources", str, "strings", []),
        near_copy=float(rules.take("near_copy", (int, float), _SHARE, NEAR_COPY)),
    )
    if not 0 < competition.near_copy <= 1:
        raise rules.wrong("near_copy", competition.near_copy, _SHARE)
    for source in competition.forbidden_sources:
        if not any(letter.isalnum() for letter in source):
            raise rules.wrong("forbidden_sources", repr(source), "names with letters or digits")
    if not competition.speakers:
        raise tags.wrong("speakers", [], "at least one speaker tag")
    for tag in competition.tags:
        if not re.fullmatch(r"#\w+#", tag):
            raise tags.wrong(
                "speakers" if tag in competition.speakers else "masked", repr(tag), "tags like #Name#"
            )
    for key in ("dev_profile", "leaderboard_profile"):
        if competition.language == "ko" and getattr(competition, key) == "google":
            raise metric.wrong(
                key, "'google'", "a Korean profile; google removes Hangul, so a wrong summary can score 1.0"
            )
    for table in (columns_table, tags, metric, rules, top):
        table.done()
    return competition


def competition_names() -> list[str]:
    """Return the sorted names of the competitions: the folders of competitions/ with a competition.toml."""
    return sorted(path.parent.name for path in (root() / "competitions").glob("*/competition.toml"))


def _known(name: str, where: str) -> None:
    """Raise UserError, starting with `where`, when no competition has this name."""
    existing = competition_names()
    if not _NAME.fullmatch(name) or name not in existing:
        close = difflib.get_close_matches(name, existing, 1)
        hint = f" Did you mean {close[0]}?" if close else ""
        listed = ", ".join(existing) or f"none (is {root()} the repository?)"
        raise UserError(f"{where}no competition {name!r}; there are: {listed}.{hint}")


def load_competition(name: str) -> Competition:
    """Return the competition with this name.

    Raises UserError for an unknown name, and for an invalid competition.toml (the message names the key).
    """
    _known(name, "")
    path = root() / "competitions" / name / "competition.toml"
    try:
        value = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{shown(path)}: is not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{shown(path)}: is not valid TOML: {error}. Fix that file.") from error
    return _parse(name, path, value)


def active_competition() -> str:
    """Return the name of the competition that commands use by default.

    Raises UserError when the marker file cannot be read or names no competition.
    """
    marker = root() / ACTIVE
    try:
        name = marker.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return DEFAULT
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{shown(marker)}: cannot be read ({error}); delete it.") from error
    _known(name, f"{shown(marker)}: names ")
    return name


def set_active_competition(name: str) -> None:
    """Make this competition the default of all commands. Raises UserError when it does not exist."""
    _known(name, "")
    write_text(root() / ACTIVE, name + "\n")
