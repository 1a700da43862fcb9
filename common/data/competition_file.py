"""Read and check a competition's competition.toml; remember which competition is active."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

from common.core.errors import UserError
from common.core.files import read_regular, root, shown, write_text
from common.core.messages import brief
from common.core.ranges import fits
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
from common.data.competition_rules import nearest
from common.data.repairs import repair_tags
from common.data.replace_files import IMPORTED, finish_import
from common.data.site import read_site

DEFAULT = "daily_talk"
ACTIVE = ".active-competition"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
Count = Annotated[int, Ge(1), Le(10_000_000)]
IdNumber = Annotated[int, Ge(0), Le(10**15)]
Characters = Annotated[int, Ge(1), Le(1_000_000)]
NearCopy = Annotated[float, Gt(0), Le(1)]
Goal = Annotated[float, Ge(0), Le(300)]


def _file(table: TomlTable) -> FileSpec:
    path = table.text("path")
    parts = PurePosixPath(path).parts
    if len(parts) < 2 or parts[0] != "data" or ".." in parts or not path.endswith((".csv", ".jsonl")):
        raise table.wrong("path", brief(path), 'a .csv or .jsonl path under "data/"')
    ids = None
    if (given := table.table("ids", optional=True)) is not None:
        ids = IdSpec(
            given.text("prefix"),
            given.number("first", IdNumber),
            given.number("last", IdNumber, default=None),
            given.several("gaps", int, "whole numbers", []),
        )
        _require_range(given, ids)
        given.done()
    spec = FileSpec(
        path=path,
        columns=table.several("columns", str, "column names"),
        rows=table.number("rows", Count, default=None),
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


def _require_range(table: TomlTable, ids: IdSpec) -> None:
    """Raise UserError for an empty range of ids, one that is too long, and a gap outside it."""
    if ids.last is not None and not fits(Count, ids.last - ids.first + 1):
        raise table.wrong("last", ids.last, f"a number from first ({ids.first}), for at most 10,000,000 ids")
    for gap in ids.gaps:
        if gap < ids.first or (ids.last is not None and gap > ids.last):
            raise table.wrong("gaps", f"a list with {brief(gap, 40)}", "numbers between first and last")


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
            needed |= {submission.id}
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
        max_characters=table.number("max_characters", Characters),
        accepted=_headers(table),
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
    for header in spec.accepted:
        if not {spec.id, spec.summary} <= set(header) or len(header) > 3:
            wanted = f'headers with "{spec.id}", "{spec.summary}" and at most one index column'
            raise table.wrong("accepted", f"a list with {list(header)}", wanted)
    table.done()
    return spec


def _headers(table: TomlTable) -> tuple[tuple[str, ...], ...]:
    wanted = 'a list of headers, each a list of different column names, such as [["fname", "summary"]]'
    found = table.take("accepted", list, wanted, [])
    for header in found:
        if not isinstance(header, list) or not all(isinstance(name, str) for name in header):
            raise table.wrong("accepted", f"a list with {header!r} ({type(header).__name__})", wanted)
        if len(set(header)) != len(header):
            raise table.wrong("accepted", f"a list with {header}", wanted)
    return tuple(map(tuple, found))


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
    if list(goals) != sorted(goals) or not all(fits(Goal, goal) for goal in goals):
        raise metric.wrong("goals", brief(list(goals)), "ascending numbers from 0 to 300")
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
        near_copy=float(rules.number("near_copy", NearCopy, NEAR_COPY)),
        site=read_site(top.table("site", optional=True)),
    )
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
        if repair_tags(tag) != tag:
            raise tags.wrong(
                "speakers" if tag in competition.speakers else "masked",
                repr(tag),
                f"{repair_tags(tag)!r}, because texts are read with this tag in its place",
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
        close = nearest(name, existing, load_competition)
        hint = f" Did you mean {close}?" if close else ""
        listed = ", ".join(existing) or f"none (is {root()} the repository?)"
        raise UserError(f"{where}no competition {brief(name)}; there are: {listed}.{hint}")


def load_competition(name: str) -> Competition:
    """Return the competition with this name.

    Raises UserError for an unknown name, and for an invalid competition.toml (the message names the key).
    """
    require_competition(name)
    path = root() / "competitions" / name / "competition.toml"
    finish_import(path.parent)
    try:
        value = read_toml(path)
    except FileNotFoundError as error:
        raise UserError(f"{shown(path)}: not there; restore that file.") from error
    return _parse(name, path, value)


def active_competition() -> str:
    """Return the name of the competition that commands use by default.

    That is the one whose import was killed after its files were put in place, else the one that the marker file names.
    Raises UserError when the marker file cannot be read or names no competition.
    """
    for name in competition_names():
        finish_import(root() / "competitions" / name)
    if imported := _just_imported():
        return max(imported, key=lambda path: path.stat().st_mtime_ns).parents[1].name
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


def comp_setting(name: str) -> str:
    """Return what a make command needs to concern this competition: " comp=NAME", or "" when it is the active one."""
    return "" if active_competition() == name else f" comp={name}"


def set_active_competition(name: str) -> None:
    """Make this competition the default of all commands. Raises UserError when it does not exist."""
    require_competition(name)
    write_text(root() / ACTIVE, name + "\n")
    for path in _just_imported():
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"{shown(path)}: cannot be removed ({error.strerror}); remove it.") from error


def _just_imported() -> list[Path]:
    """Return the markers of imports that have put their files in place but have not yet ended."""
    return [
        path
        for name in competition_names()
        if (path := root() / "competitions" / name / "data" / IMPORTED).is_file()
    ]
