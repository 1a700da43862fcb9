"""Read the predictions of a member that was made elsewhere: a CSV or JSON Lines file, joined by id.

A file has one text for each dialogue, or several: rows with the same id and a column `candidate` or `score`, or JSON lines
with a list of `candidates`. The competition's own columns for the id and the summary are read; other columns are ignored.
"""

import hashlib
import logging
import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import root, sha256_file, shown
from common.core.messages import brief, cut, listed, quoted
from common.core.paths import run_folder
from common.data import tables
from common.data.competition import KINDS, Competition
from common.data.rows import SplitName
from common.data.tables import json_objects, source_of, text_cell
from common.data.text_files import FileOrigin, decode, read_bytes
from common.ensemble.recipe import Recipe
from common.ensemble.recipe_members import Member
from common.runs import candidates
from common.runs.candidates import Candidate
from common.submission import csv_file
from common.submission.other_ids import require_ids

log = logging.getLogger(__name__)
MOST_BYTES = 64_000_000
"""Maximum size of a member's file: 1,000 dialogues with 100 candidates each take about 30 MB."""
RANK, SCORE = "candidate", "score"
"""Columns for several texts of one dialogue: its place from 1, the best first; a number that is higher for better texts."""
_BIGGEST_SCORE = 1e9


@dataclass(frozen=True)
class _Text:
    """One text of a file."""

    line: int
    id: str
    candidate: Candidate
    rank: float | None


def read(member: Member, competition: Competition, split: SplitName) -> dict[str, list[Candidate]]:
    """Return id → candidates of a member's file for a split, as `read_file` does."""
    return read_file(root() / member.files[split], competition, split, f"member {quoted(member.name)}")


def read_file(
    path: Path, competition: Competition, split: SplitName, whose: str
) -> dict[str, list[Candidate]]:
    """Return id → candidates of a file, best first, in NFC; every dialogue of the split has one or more.

    Texts that no submission may contain are left out with a warning when the dialogue has others. `whose`: what the file
    belongs to, for messages. Raises UserError as reading predictions does, for a file that is too large or is one of the
    organisers', for ids that are not those of the split, and for a dialogue without any valid text.
    """
    source = source_of(path, None)
    _require_small(path, source, whose)
    sha256 = hashlib.sha256(data := read_bytes(path, source, MOST_BYTES)).hexdigest()
    for kind in KINDS:
        own = competition.path(kind) if kind in competition.files else None
        if own is not None and own.is_file() and sha256_file(own) == sha256:
            problem = f"is the organisers' {shown(own)} itself, no predictions of {whose}"
            raise source.error(None, problem, "Name the file with the predictions")
    dialogues: dict[str, str] = {}
    texts = list(
        _of_json(decode(data, source), source, competition)
        if path.suffix == ".jsonl"
        else _of_csv(path, source, competition, dialogues)
    )
    grouped: dict[str, list[_Text]] = {}
    for text in texts:
        grouped.setdefault(text.id, []).append(text)
    require_ids(list(grouped), competition, split, f"{source.label}: {whose}", dialogues)
    return _valid(grouped, competition, source, whose)


def require_readable(recipe: Recipe, competition: Competition) -> None:
    """Raise UserError when a member's file is missing or invalid, or two members are one file.

    A submit asks this before it trains other members for hours.
    """
    for member in recipe.members:
        for split in ("test", "dev"):
            if split in member.files:
                read(member, competition, "dev" if split == "dev" else "test")
    require_different(recipe, competition)


def require_different(recipe: Recipe, competition: Competition) -> None:
    """Raise UserError when a member's file has the same bytes as another member's predictions or candidates."""
    seen: dict[str, str] = {}
    for run in recipe.runs:
        for split in ("dev", "test"):
            for name in ("predictions.csv", "candidates.jsonl"):
                path = run_folder(competition.name, run) / split / name
                if path.is_file():
                    seen[sha256_file(path)] = f"run {run}"
    for member in recipe.members:
        for split, name in member.files.items():
            path = root() / name
            if not path.is_file():
                continue  # reading it says so
            other = seen.get(sha256_file(path))
            if other is not None:
                raise UserError(
                    f"submissions/{recipe.name}.toml: member {brief(member.name)}: {split} = {brief(name)} is the same file as the "
                    f"{split} predictions of {other}; a member that takes part twice only supports itself. Remove one of the two."
                )
        seen |= {
            sha256_file(root() / name): f"member {member.name}"
            for name in member.files.values()
            if (root() / name).is_file()
        }


def hashes(member: Member) -> dict[str, str | None]:
    """Return path → SHA-256 of a member's files, None for a file that is not there."""
    return {
        name: sha256_file(root() / name) if (root() / name).is_file() else None
        for name in member.files.values()
    }


def _require_small(path: Path, source: FileOrigin, whose: str) -> None:
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise UserError(
            f"{source.label}: not there; {whose} needs it, and paths are relative to the repository. Copy the file there, or get "
            "it with git pull."
        ) from error
    except OSError:
        return  # reading says what is wrong
    if size > MOST_BYTES:
        problem = f"has {size:,} bytes; wanted at most {MOST_BYTES:,} for the file of a member"
        raise source.error(None, problem, "Keep id, summary and the best candidates of each dialogue only")


def _of_csv(
    path: Path, source: FileOrigin, competition: Competition, dialogues: dict[str, str]
) -> Iterator[_Text]:
    """Yield the texts of a CSV; fill `dialogues` when it has the competition's column of dialogues."""
    spec = competition.submission
    table, _ = tables.load(path, source, (spec.id, spec.summary), others=True, most_bytes=MOST_BYTES)
    several = bool({RANK, SCORE} & set(table.header))
    seen: dict[str, int] = {}
    for record in table.records:
        cells = record.cells
        name = _id(cells[spec.id], spec.id, record.line, source)
        if name in seen and not several:
            raise source.error(*_repeated(name, spec.id, record.line, seen[name]))
        seen[name] = record.line
        if competition.columns.dialogue in cells:
            dialogues[name] = cells[competition.columns.dialogue]
        score, rank = (
            _number(cells[column], column, record.line, source) if column in cells else None
            for column in (SCORE, RANK)
        )
        yield _Text(record.line, name, _scored(cells[spec.summary], score), rank)


def _of_json(text: str, source: FileOrigin, competition: Competition) -> Iterator[_Text]:
    """Yield the texts of a JSON Lines file: each line has a summary, or a list of candidates."""
    spec = competition.submission
    seen: dict[str, int] = {}
    for line, value in json_objects(text, source, (spec.id, spec.summary)):
        key = spec.id if spec.id in value or "id" not in value else "id"
        if key not in value or (spec.summary not in value and "candidates" not in value):
            missing = f'"{spec.summary}" or "candidates"' if key in value else f'"{spec.id}"'
            raise source.error(
                line,
                f"key {missing} is missing; the line has {listed(value)}",
                f'Write {{"{spec.id}": …, "{spec.summary}": …}} or {{"{spec.id}": …, "candidates": […]}}',
            )
        name = _id(text_cell(value[key], key, line, source), key, line, source)
        group = value.get("candidates")
        if name in seen and (group is not None or not {RANK, SCORE} & set(value)):
            raise source.error(*_repeated(name, key, line, seen[name]))
        seen[name] = line
        if group is None:
            score, rank = (_number(value[k], k, line, source) if k in value else None for k in (SCORE, RANK))
            yield _Text(
                line, name, _scored(text_cell(value[spec.summary], spec.summary, line, source), score), rank
            )
            continue
        if not isinstance(group, list) or not group:
            raise source.error(
                line, f'key "candidates" is {cut(brief(group), 40)}; wanted a list of texts', "Fix the line"
            )
        found = [_candidate(entry, line, source) for entry in group]
        if candidates.is_record(value) and not candidates.is_unchanged(
            value, [Candidate(**c) for c in group]
        ):
            problem = 'has changed since it was written: its "check" does not belong to its candidates'
            raise source.error(line, problem, "Copy the file again, or remove the key")
        yield from (_Text(line, name, one, place) for place, one in enumerate(found))


def _candidate(entry: Any, line: int, source: FileOrigin) -> Candidate:
    """Return a candidate of a list: a text, or an object with a text and a score, or with logprob and tokens as ours."""
    if isinstance(entry, str):
        return Candidate(text_cell(entry, "candidates", line, source), None, 0)
    if not isinstance(entry, dict) or "text" not in entry:
        problem = f'a candidate is {cut(brief(entry), 40)}; wanted a text, or an object with "text" and, if known, "{SCORE}"'
        raise source.error(line, problem, "Fix the line")
    text = text_cell(entry["text"], "text", line, source)
    if "logprob" not in entry:
        return _scored(text, _number(entry[SCORE], SCORE, line, source) if SCORE in entry else None)
    tokens = entry.get("tokens", 1)
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0:
        raise source.error(
            line, f'key "tokens" is {cut(brief(tokens), 40)}; wanted a whole number', "Fix the line"
        )
    logprob = None if entry["logprob"] is None else _number(entry["logprob"], "logprob", line, source)
    return Candidate(text, logprob, tokens, entry.get("cut") is True)


def _scored(text: str, score: float | None) -> Candidate:
    """Return a candidate whose mean log-probability is its score."""
    return Candidate(text, score, 0 if score is None else 1)


def _id(value: str, column: str, line: int, source: FileOrigin) -> str:
    if not value.strip():
        raise source.error(line, f'column "{column}" is empty; every row needs an id', "Fix the row")
    return value


def _repeated(name: str, column: str, line: int, first: int) -> tuple[int, str, str]:
    return (
        line,
        f"{column} {quoted(name)} is a duplicate (first on line {first}); ids must be unique, unless a column "
        f'"{RANK}" (1, 2, …, the best first) or "{SCORE}" orders several texts of one dialogue',
        "Remove one of the two rows, or add such a column",
    )


def _number(value: Any, column: str, line: int, source: FileOrigin) -> float:
    """Return a finite number. Raises UserError for anything else, and for a number that no score can be."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= _BIGGEST_SCORE:
        problem = f'column "{column}" is {cut(brief(value), 40)}; wanted a finite number on every row'
        raise source.error(line, problem, f'Fix the row, or give the file no "{column}"')
    return number


def _valid(
    grouped: Mapping[str, Sequence[_Text]], competition: Competition, source: FileOrigin, whose: str
) -> dict[str, list[Candidate]]:
    """Return the valid candidates of each dialogue, best first."""
    limit = competition.submission.max_characters
    found: dict[str, list[Candidate]] = {}
    left_out: list[tuple[int, str]] = []
    for name, group in grouped.items():
        kept = []
        wrong = []
        for one in sorted(group, key=_order):
            text = unicodedata.normalize("NFC", one.candidate.text)  # as they are submitted
            if fault := csv_file.text_fault(text, limit):
                wrong.append((one.line, fault))
            else:
                c = one.candidate
                kept.append(Candidate(text, c.logprob, c.tokens, c.cut))
        if not kept:
            line, fault = wrong[0]
            others = sum(all(csv_file.text_fault(unicodedata.normalize("NFC", t.candidate.text), limit) for t in g)
                         for g in grouped.values()) - 1  # fmt: skip
            more = f" (and {others} other dialogues have no valid text)" if others else ""
            problem = f"the summary of {quoted(name, 60)} {fault}{more}"
            raise source.error(line, problem, f"Fix the file of {whose}")
        left_out += wrong
        found[name] = kept
    if left_out:
        line, fault = min(left_out)
        log.warning(
            "%s: %d of %d candidates of %s are left out, because no submission may have such a text; the first is on line %d: it %s.",
            source.label, len(left_out), sum(map(len, grouped.values())), whose, line, fault,
        )  # fmt: skip
    return found


def _order(text: _Text) -> tuple[float, float]:
    """Return the sorting key: by rank where there is one, then in descending order of the score; the file's order for ties."""
    score = text.candidate.logprob
    return (
        text.rank if text.rank is not None else 0.0,
        -score if text.rank is None and score is not None else 0.0,
    )
