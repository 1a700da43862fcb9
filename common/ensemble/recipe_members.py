"""Read the members of a recipe: runs of this repository, and files with predictions that were made elsewhere."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any

from annotated_types import Ge, Le

from common.core.errors import UserError
from common.core.files import root
from common.core.messages import brief
from common.core.paths import RUN_NAME
from common.core.ranges import described, fits
from common.runs.named import run_of

Weight = Annotated[float, Ge(0), Le(1_000_000)]
PLACE = "submissions/members/"
"""Where messages advise to keep the files of members: git does not ignore this folder."""
SUFFIXES = (".csv", ".jsonl")
_NAME = re.compile(r"[^\W_][\w.-]{0,59}")
_RESERVED = ("blend", "floor", "oracle")
"""Names of other rows in the tables of scores."""


@dataclass(frozen=True)
class Member:
    """One member of a blend and its weight: a run of this repository, or files with predictions."""

    name: str
    """Name of the run, or the name that the recipe gives to the files."""
    weight: Weight
    choose: bool = True
    """Whether its candidates may be chosen. If not, they serve only as references (mbr) and as sentences for
    recombined texts."""
    dev: str | None = None
    """File with its dev predictions, relative to the repository; None for a run, and for a member with test only."""
    test: str | None = None
    """File with its test predictions, relative to the repository; None for a run."""

    @property
    def is_run(self) -> bool:
        """Return whether it is a run of this repository."""
        return self.test is None

    @property
    def measured(self) -> bool:
        """Return whether it has dev predictions; without them it can vote, but no method can learn from it."""
        return self.is_run or self.dev is not None

    @property
    def files(self) -> dict[str, str]:
        """Return split → path of its file; {} for a run."""
        given = {"dev": self.dev, "test": self.test}
        return {split: path for split, path in given.items() if path is not None}


def read_members(value: Any, where: str) -> tuple[Member, ...]:
    """Return the members that a recipe lists.

    Raises UserError, starting with `where`, for a wrong key or value, a name that occurs twice or means something else,
    a file outside the repository, and weights that are all 0.
    """
    if not isinstance(value, list) or not value:
        raise UserError(f'{where}: "members" must be a list such as [{{ run = "exp002", weight = 1.0 }}].')
    found = tuple(_member(entry, where) for entry in value)
    name, count = Counter(member.name for member in found).most_common(1)[0]
    if count > 1 and RUN_NAME.fullmatch(name):
        raise UserError(
            f"{where}: run {name} is listed twice; give it one entry with the sum of its weights."
        )
    if count > 1:
        raise UserError(f"{where}: {count} members are named {brief(name)}; give each of them another name.")
    if sum(m.weight for m in found) <= 0:
        raise UserError(f"{where}: all weights are 0; give at least one member a positive weight.")
    return found


def require_name(name: str, where: str) -> str:
    """Return a name for predictions made elsewhere, in NFC.

    Raises UserError, starting with `where`, for a name that runs or rows of tables have, or with other signs than letters,
    digits, "_", "." and "-".
    """
    name = unicodedata.normalize("NFC", name)
    if RUN_NAME.fullmatch(name) or name in _RESERVED:
        what = "the name of a run" if RUN_NAME.fullmatch(name) else "the name of a row in tables of scores"
        raise UserError(f"{where}: {brief(name)} is {what}; give predictions made elsewhere another name.")
    if not _NAME.fullmatch(name):
        raise UserError(
            f'{where}: {brief(name)} is not a valid name; wanted at most 60 letters, digits, "_", "." and "-", beginning with '
            "a letter or digit."
        )
    return name


def _member(entry: Any, where: str) -> Member:
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("choose", True), bool)
        or set(entry) - {"run", "name", "dev", "test", "weight", "choose"}
        or not isinstance(entry.get("run", entry.get("name")), str)
    ):
        raise UserError(
            f'{where}: member {brief(entry)} is not valid; wanted {{ run = "exp002", weight = 1.0 }} or {{ name = "theirs", '
            f'dev = "{PLACE}theirs-dev.csv", test = "{PLACE}theirs-test.csv" }}.'
        )
    if "run" in entry and (others := sorted({"name", "dev", "test"} & set(entry))):
        raise UserError(
            f'{where}: member {brief(entry["run"])} has both "run" and "{others[0]}"; a run of this repository has "run" alone, '
            'predictions made elsewhere have "name", "dev" and "test".'
        )
    name: str = entry["run"] if "run" in entry else entry["name"]
    weight = entry.get("weight", 1.0)
    if not fits(Weight, weight):
        raise UserError(f"{where}: weight of {name} is {brief(weight, 40)}; wanted {described(Weight)}.")
    if "run" in entry:
        return Member(name, float(weight), entry.get("choose", True))
    name = require_name(name, f"{where}: member name")
    if "test" not in entry:
        raise UserError(
            f'{where}: member {brief(name)} has no "test"; a submission needs its test predictions: a .csv or .jsonl file.'
        )
    paths = {split: _path(entry[split], name, split, where) for split in ("dev", "test") if split in entry}
    return Member(name, float(weight), entry.get("choose", True), paths.get("dev"), paths["test"])


def _path(value: Any, name: str, split: str, where: str) -> str:
    """Return the path of a member's file, relative to the repository. Raises UserError when it cannot be shared by git."""
    what = f"{where}: member {brief(name)}: {split} = {brief(value)}"
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise UserError(f'{what}; wanted the path of a .csv or .jsonl file, such as "{PLACE}theirs.csv".')
    path = Path(value)
    try:
        inside = not (
            path.is_absolute() or PureWindowsPath(value).is_absolute() or value.startswith("~")
        ) and (root() / path).resolve().is_relative_to(root())
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{what} is a loop of links, or a name that no file can have; copy the file itself."
        ) from error
    if not inside:
        raise UserError(
            f"{what} is outside the repository, and recipes are shared by git; copy the file to {PLACE} and write that path, "
            "relative to the repository."
        )
    if path.suffix not in SUFFIXES:
        raise UserError(f"{what}; wanted a .csv file, or a .jsonl file with one JSON object on each line.")
    if (folder := run_of(root() / path)) is not None:
        raise UserError(
            f'{what} belongs to run {folder.name}; write {{ run = "{folder.name}" }}, so that its candidates take part and '
            "what it was made with is checked."
        )
    return path.as_posix()
