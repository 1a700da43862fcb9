"""Read and check a competition's competition.toml; remember which competition is active."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from common.core.errors import UserError
from common.core.files import read_regular, root, shown, write_text
from common.core.messages import brief
from common.core.toml_table import TomlTable, read_toml
from common.data.competition import (
    KINDS,
    NEAR_COPY,
    PROFILE_NAMES,
    Columns,
    Competition,
    FileSpec,
    IdSpec,
    SubmissionSpec,
)

DEFAULT = "daily_talk"
ACTIVE = ".active-competition"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SHARE = "a number above 0 and at most 1"


def _file(table: TomlTable) -> FileSpec:
    path = table.text("path")
    parts = PurePosixPath(path).parts
    if len(parts) < 2 or parts[0] != "data" or ".." in parts or not path.endswith((".csv", ".jsonl")):
        raise table.wrong("path", brief(path), 'a .csv or .jsonl path under "data/"')
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
            raise given.wrong(
                "columns", brief(list(spec.columns)), "also " + ", ".join(f'"{c}"' for c in missing)
            )
        if kind in ("train", "dev", "solution") and not columns.answers(spec):
            names = ", ".join((columns.summary, *columns.references))
            raise given.wrong("columns", brief(list(spec.columns)), f"at least one summary column ({names})")
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
                key, brief(getattr(spec, key)), f"one of submission.columns {brief(list(spec.columns))}"
            )
    if len(spec.columns) != 2 + (spec.index is not None):
        raise table.wrong(
            "columns",
            brief(list(spec.columns)),
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
        raise metric.wrong("goals", brief(list(goals)), "ascending numbers")
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
        dev_profile=metric.choice("dev_profile", PROFILE_NAMES),
        leaderboard_profile=metric.choice("leaderboard_profile", PROFILE_NAMES),
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
            raise rules.wrong("forbidden_sources", brief(source), "names with letters or digits")
    if not competition.speakers:
        raise tags.wrong("speakers", [], "at least one speaker tag")
    for tag in competition.tags:
        if not re.fullmatch(r"#\w+#", tag):
            raise tags.wrong(
                "speakers" if tag in competition.speakers else "masked", brief(tag), "tags like #Name#"
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


def require_competition(name: str, where: str = "") -> None:
    """Raise UserError, starting with `where`, when no competition has this name."""
    existing = competition_names()
    if not _NAME.fullmatch(name) or name not in existing:
        close = difflib.get_close_matches(name, existing, 1)
        hint = f" Did you mean {close[0]}?" if close else ""
        listed = ", ".join(existing) or f"none (is {root()} the repository?)"
        raise UserError(f"{where}no competition {brief(name)}; there are: {listed}.{hint}")


def load_competition(name: str) -> Competition:
    """Return the competition with this name.

    Raises UserError for an unknown name, and for an invalid competition.toml (the message names the key).
    """
    require_competition(name)
    path = root() / "competitions" / name / "competition.toml"
    try:
        value = read_toml(path)
    except FileNotFoundError as error:
        raise UserError(f"{shown(path)}: not there; restore that file.") from error
    return _parse(name, path, value)


def active_competition() -> str:
    """Return the name of the competition that commands use by default.

    Raises UserError when the marker file cannot be read or names no competition.
    """
    marker = root() / ACTIVE
    try:
        name = read_regular(marker).decode("utf-8").strip()
    except FileNotFoundError:
        return DEFAULT
    except OSError as error:
        raise UserError(f"{shown(marker)}: cannot be read ({error.strerror}); delete it.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{shown(marker)}: cannot be read ({error}); delete it.") from error
    require_competition(name, f"{shown(marker)}: names ")
    return name


def set_active_competition(name: str) -> None:
    """Make this competition the default of all commands. Raises UserError when it does not exist."""
    require_competition(name)
    write_text(root() / ACTIVE, name + "\n")
