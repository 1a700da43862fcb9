"""submissions/<name>.toml → Recipe: which runs are blended, how far each is trusted, by which method."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from common import files
from common.ensemble.consensus import Consensus
from common.errors import UserError
from common.rouge import METRICS, PROFILES

ENOUGH = 4
"""Candidates of each member that a recipe with `fused` takes at least: of fewer texts, those that are put together agree
most with what they are made of."""
TOLD = ("vote", "mbr")
"""Methods that are told whom to trust; the others learn it on dev."""
METHODS = (*TOLD, "mbr_searched", "stack", "stack_boosting", "rank", "committee", "auto")
DEFAULT_MIX = {"rouge1": 1.0, "rouge2": 1.0, "rougeL": 1.0}


@dataclass(frozen=True)
class Member:
    """One run of a blend and how far it is trusted."""

    run: str
    weight: float
    choose: bool = True
    """Whether its candidates may be chosen; if not, they only tell how good others are (mbr), and lend their sentences
    where texts are put together."""


@dataclass(frozen=True)
class Recipe:
    """What submissions/<name>.toml asks for."""

    name: str
    competition: str
    method: Literal["vote", "mbr", "mbr_searched", "stack", "stack_boosting", "rank", "committee", "auto"]
    members: tuple[Member, ...]
    candidates: int
    """How many candidates of each member take part (mbr); 1 uses the post-processed predictions."""
    utility: str
    """ROUGE profile that measures agreement (all but vote)."""
    mix: tuple[float, ...] = (1.0, 1.0, 1.0)
    """Share of ROUGE-1, ROUGE-2 and ROUGE-L in agreement (vote when tied, mbr)."""
    length: float = 0.0
    """Utility added for the logarithm of a candidate's length over its dialogue's median (vote when tied, mbr)."""
    fused: int = 0
    """Texts of each dialogue, at most, that are put together of the candidates' sentences and may be chosen (all but
    vote): those that agree most with all candidates, whatever weights and mix say."""

    @property
    def learns(self) -> bool:
        """Whether the method learns on dev how to choose; weights then say nothing."""
        return self.method not in TOLD

    @property
    def consensus(self) -> Consensus:
        """What vote and mbr were told."""
        some = [place for place, member in enumerate(self.members) if member.choose]
        places = () if len(some) == len(self.members) else (*some, len(self.members))
        return Consensus(tuple(member.weight for member in self.members), self.mix, self.length, places)

    def without(self, copies: Mapping[str, str]) -> "Recipe":
        """The recipe without members that repeat another, which keeps the greatest weight of them, and may be chosen if one
        of them may."""
        weights = {member.run: member.weight for member in self.members}
        choose = {member.run: member.choose for member in self.members}
        for copy, original in copies.items():
            weights[original] = max(weights[original], weights[copy])
            choose[original] = choose[original] or choose[copy]
        kept = [
            replace(m, weight=weights[m.run], choose=choose[m.run])
            for m in self.members
            if m.run not in copies
        ]
        return replace(self, members=tuple(kept))


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
    known = {"competition", "method", "members", "candidates", "utility", "mix", "length", "fused"}
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
    if method not in TOLD and (
        {"mix", "length"} & set(content) or any(m.weight != 1 or not m.choose for m in found)
    ):
        raise UserError(
            f"{where}: {method} learns on dev whom to trust; leave out weight, choose, mix and length."
        )
    if not any(m.choose for m in found):
        raise UserError(f"{where}: no member may be chosen; leave choose = false out of one at least.")
    candidates = content.get("candidates", 1)
    if not isinstance(candidates, int) or isinstance(candidates, bool) or candidates < 1:
        raise UserError(f"{where}: candidates {candidates!r}; wanted a whole number from 1.")
    if candidates > 1 and method == "vote":
        raise UserError(
            f'{where}: an exact vote takes one text a member; drop "candidates" or use method = "mbr".'
        )
    fused = content.get("fused", 0)
    if not isinstance(fused, int) or isinstance(fused, bool) or fused < 0:
        raise UserError(f"{where}: fused {fused!r}; wanted a whole number from 0.")
    if fused and method == "vote":
        raise UserError(
            f'{where}: nobody votes for a text that no member wrote; drop "fused" or use method = "mbr".'
        )
    require_enough(fused, candidates, where)
    utility = content.get("utility", "leaderboard")
    if utility not in PROFILES:
        raise UserError(f"{where}: utility {utility!r}; wanted a ROUGE profile: {', '.join(PROFILES)}.")
    mix = content.get("mix", DEFAULT_MIX)
    if not isinstance(mix, dict) or set(mix) - set(METRICS) or not any(mix.values()):
        raise UserError(
            f"{where}: mix {mix!r}; wanted shares of {', '.join(METRICS)}: {{ rouge1 = 1, rougeL = 1 }}."
        )
    shares = tuple(_number(mix.get(name, 0.0), f"{where}: mix.{name}") for name in METRICS)
    length = _number(content.get("length", 0.0), f"{where}: length", low=-math.inf)
    if not isinstance(content.get("competition"), str):
        raise UserError(f'{where}: "competition" is missing; name the folder under competitions/.')
    return Recipe(
        path.stem,
        content["competition"],
        method,
        found,
        candidates,
        utility,
        shares,
        length,
        fused,
    )


def require_enough(fused: int, candidates: int, where: str) -> None:
    """Raises UserError when texts are to be put together of too few candidates."""
    if fused and candidates < ENOUGH:
        raise UserError(
            f"{where}: fused = {fused} wants candidates = {ENOUGH} or more (now {candidates}): of fewer texts, those put "
            "together agree most with what they are made of."
        )


def _number(value: Any, where: str, low: float = 0.0) -> float:
    """A number of a recipe. Raises UserError when it is none, not finite, or below `low`."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or value < low
    ):
        raise UserError(f"{where} is {value!r}; wanted a number{' from 0' if low == 0 else ''}.")
    return float(value)


def _member(entry: Any, where: str) -> Member:
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("run"), str)
        or not isinstance(entry.get("choose", True), bool)
        or set(entry) - {"run", "weight", "choose"}
    ):
        raise UserError(f'{where}: member {entry!r}; wanted {{ run = "exp002", weight = 1.0 }}.')
    weight = _number(entry.get("weight", 1.0), f"{where}: weight of {entry['run']}")
    return Member(entry["run"], weight, entry.get("choose", True))
