"""submissions/<name>.toml → Recipe: which runs are blended, how far each is trusted, by which method."""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from common import files
from common.errors import UserError
from common.rouge import PROFILES

METHODS = ("vote", "mbr", "mbr_searched", "stack", "stack_boosting", "rank")


@dataclass(frozen=True)
class Member:
    """One run of a blend and how far it is trusted."""

    run: str
    weight: float


@dataclass(frozen=True)
class Recipe:
    """What submissions/<name>.toml asks for."""

    name: str
    competition: str
    method: Literal["vote", "mbr", "mbr_searched", "stack", "stack_boosting", "rank"]
    members: tuple[Member, ...]
    candidates: int
    """How many candidates of each member take part (mbr); 1 uses the post-processed predictions."""
    utility: str
    """ROUGE profile that measures agreement (all but vote)."""

    @property
    def learns(self) -> bool:
        """Whether the method learns on dev how to choose; weights then say nothing."""
        return self.method not in ("vote", "mbr")


def read_recipe(path: Path) -> Recipe:
    """The recipe of a TOML file. Raises UserError naming the file and the key that is wrong."""
    where = files.shown(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.toml"))) or "none"
        raise UserError(f"{where}: not there; recipes here: {there}. Copy one and name it so.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{where}: not valid TOML ({error}).") from error
    known = {"competition", "method", "members", "candidates", "utility"}
    if unknown := sorted(set(content) - known):
        raise UserError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}.")
    members = content.get("members")
    if not isinstance(members, list) or not members:
        raise UserError(f'{where}: "members" wants a list such as [{{ run = "exp002", weight = 1.0 }}].')
    found = tuple(_member(entry, where) for entry in members)
    if len({m.run for m in found}) != len(found):
        raise UserError(f"{where}: a member is named twice; give it one entry with the summed weight.")
    if sum(m.weight for m in found) <= 0:
        raise UserError(f"{where}: all weights are 0; give at least one member a positive weight.")
    method = content.get("method", "mbr")
    if method not in METHODS:
        raise UserError(f"{where}: method {method!r} is unknown; wanted one of {', '.join(METHODS)}.")
    if method not in ("vote", "mbr") and any(m.weight != 1 for m in found):
        raise UserError(f"{where}: {method} learns on dev whom to trust; leave the weights out.")
    candidates = content.get("candidates", 1)
    if not isinstance(candidates, int) or isinstance(candidates, bool) or candidates < 1:
        raise UserError(f"{where}: candidates {candidates!r}; wanted a whole number from 1.")
    if candidates > 1 and method == "vote":
        raise UserError(
            f'{where}: an exact vote takes one text a member; drop "candidates" or use method = "mbr".'
        )
    utility = content.get("utility", "leaderboard")
    if utility not in PROFILES:
        raise UserError(f"{where}: utility {utility!r}; wanted a ROUGE profile: {', '.join(PROFILES)}.")
    if not isinstance(content.get("competition"), str):
        raise UserError(f'{where}: "competition" is missing; name the folder under competitions/.')
    return Recipe(path.stem, content["competition"], method, found, candidates, utility)


def _member(entry: Any, where: str) -> Member:
    if not isinstance(entry, dict) or not isinstance(entry.get("run"), str) or set(entry) - {"run", "weight"}:
        raise UserError(f'{where}: member {entry!r}; wanted {{ run = "exp002", weight = 1.0 }}.')
    weight = entry.get("weight", 1.0)
    if (
        isinstance(weight, bool)
        or not isinstance(weight, int | float)
        or not math.isfinite(weight)
        or weight < 0
    ):
        raise UserError(f"{where}: weight {weight!r} of {entry['run']}; wanted a number from 0.")
    return Member(entry["run"], float(weight))
