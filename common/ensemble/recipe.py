"""Read submissions/<name>.toml as a Recipe: which runs are blended, with which weights, by which method."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from common.core.errors import UserError
from common.core.files import shown
from common.core.messages import brief
from common.core.mistyped import did_you_mean
from common.core.ranges import described, fits
from common.core.toml_table import read_toml
from common.data.competition_file import require_competition
from common.ensemble.consensus import Consensus
from common.ensemble.recipe_members import Member, Weight, read_members
from common.rouge import METRICS, PROFILES

ENOUGH = 4
"""Minimum number of candidates per member for a recipe with `recombined`. With fewer, a recombined text agrees most with
the candidates that its sentences come from."""
WITH_GIVEN_WEIGHTS = ("vote", "mbr")
"""Methods with given weights; the others learn on dev how to choose."""
BLEND_METHODS = (*WITH_GIVEN_WEIGHTS, "mbr_searched", "stack", "stack_boosting", "rank", "committee", "auto")
Candidates = Annotated[int, Ge(1), Le(1000)]
Recombined = Annotated[int, Ge(0), Le(1000)]
Length = Annotated[float, Ge(-1000), Le(1000)]
DEFAULT_MIX = {"rouge1": 1.0, "rouge2": 1.0, "rougeL": 1.0}


@dataclass(frozen=True)
class Recipe:
    """The content of submissions/<name>.toml."""

    name: str
    competition: str
    method: Literal["vote", "mbr", "mbr_searched", "stack", "stack_boosting", "rank", "committee", "auto"]
    members: tuple[Member, ...]
    candidates: Candidates
    """Number of candidates per member that take part (mbr); 1 uses the post-processed predictions."""
    utility: str
    """ROUGE profile that measures agreement (all methods but vote)."""
    mix: tuple[Weight, ...] = (1.0, 1.0, 1.0)
    """Share of ROUGE-1, ROUGE-2 and ROUGE-L in agreement (mbr, and vote on ties)."""
    length: Length = 0.0
    """Utility added per unit of log(length / median length in the dialogue) (mbr, and vote on ties)."""
    recombined: Recombined = 0
    """Maximum number of recombined texts per dialogue that may be chosen (all methods but vote). These are the texts
    that agree most with all candidates, regardless of weights and mix."""

    @property
    def learns(self) -> bool:
        """Return whether the method learns on dev how to choose; weights then have no effect."""
        return self.method not in WITH_GIVEN_WEIGHTS

    @property
    def runs(self) -> tuple[str, ...]:
        """Return the names of the members that are runs of this repository."""
        return tuple(member.name for member in self.members if member.is_run)

    @property
    def test_only(self) -> tuple[str, ...]:
        """Return the names of the members without dev predictions: methods that learn leave them out."""
        return tuple(member.name for member in self.members if not member.measured)

    @property
    def consensus(self) -> Consensus:
        """Return the settings of vote and mbr."""
        some = [place for place, member in enumerate(self.members) if member.choose]
        places = () if len(some) == len(self.members) else (*some, len(self.members))
        return Consensus(tuple(member.weight for member in self.members), self.mix, self.length, places)

    def without(self, copies: Mapping[str, str]) -> "Recipe":
        """Return the recipe without members that repeat another.

        The remaining member of a group of copies keeps their highest weight, and may be chosen if any of them may.
        """
        weights = {member.name: member.weight for member in self.members}
        choose = {member.name: member.choose for member in self.members}
        for copy, original in copies.items():
            weights[original] = max(weights[original], weights[copy])
            choose[original] = choose[original] or choose[copy]
        kept = [
            replace(m, weight=weights[m.name], choose=choose[m.name])
            for m in self.members
            if m.name not in copies
        ]
        return replace(self, members=tuple(kept))

    def only(self, names: Collection[str]) -> "Recipe":
        """Return the recipe with these members only."""
        return replace(self, members=tuple(member for member in self.members if member.name in names))


def read_recipe(path: Path) -> Recipe:
    """Return the recipe of a TOML file. Raises UserError naming the file and the wrong key."""
    where = shown(path)
    try:
        content = read_toml(path)
    except FileNotFoundError as error:
        names = sorted(p.stem for p in path.parent.glob("*.toml"))
        raise UserError(
            f"{where}: file not found; recipes here: {', '.join(names) or 'none'}.{did_you_mean(path.stem, names)} Copy one of "
            "them to this name."
        ) from error
    known = {"competition", "method", "members", "candidates", "utility", "mix", "length", "recombined"}
    if "fused" in content:
        raise UserError(f'{where}: "fused" was renamed to "recombined"; rename that key.')
    if unknown := sorted(set(content) - known):
        raise UserError(f"{where}: unknown key {brief(unknown[0])}; known keys: {', '.join(sorted(known))}.")
    found = read_members(content.get("members"), where)
    method = content.get("method", "mbr")
    if method not in BLEND_METHODS:
        raise UserError(
            f"{where}: method {brief(method)} is unknown; choose one of {', '.join(BLEND_METHODS)}."
        )
    if method not in WITH_GIVEN_WEIGHTS and (
        {"mix", "length"} & set(content) or any(m.weight != 1 or not m.choose for m in found)
    ):
        raise UserError(
            f"{where}: {method} learns on dev how to choose; remove weight, choose, mix and length."
        )
    if not any(m.choose for m in found):
        raise UserError(f"{where}: every member has choose = false; remove it from at least one.")
    if not any(m.measured and m.weight and m.choose for m in found):
        raise UserError(
            f"{where}: no member with dev predictions has a weight above 0 and may be chosen, so dev cannot show what the blend "
            "is worth; add a run, or a dev file to a member."
        )
    candidates = content.get("candidates", 1)
    _require(Candidates, candidates, f"{where}: candidates")
    if candidates > 1 and method == "vote":
        raise UserError(
            f'{where}: an exact vote uses one text per member; remove "candidates" or use method = "mbr".'
        )
    recombined = content.get("recombined", 0)
    _require(Recombined, recombined, f"{where}: recombined")
    if recombined and method == "vote":
        raise UserError(
            f'{where}: a vote cannot choose a text that no member wrote; remove "recombined" or use method = "mbr".'
        )
    require_enough(recombined, candidates, where)
    utility = content.get("utility", "leaderboard")
    if utility not in tuple(PROFILES):  # it may be of any type
        raise UserError(
            f"{where}: utility {brief(utility)} is unknown; choose a ROUGE profile: {', '.join(PROFILES)}."
        )
    mix = content.get("mix", DEFAULT_MIX)
    if not isinstance(mix, dict) or set(mix) - set(METRICS) or not any(mix.values()):
        raise UserError(
            f"{where}: mix {brief(mix)}; wanted shares of {', '.join(METRICS)}: {{ rouge1 = 1, rougeL = 1 }}."
        )
    shares = tuple(_number(Weight, mix.get(name, 0.0), f"{where}: mix.{name}") for name in METRICS)
    length = _number(Length, content.get("length", 0.0), f"{where}: length")
    competition = content.get("competition")
    if competition is None:
        raise UserError(f'{where}: "competition" is missing; name the folder under competitions/.')
    if not isinstance(competition, str):
        raise UserError(
            f'{where}: "competition" is {brief(competition)}; name the folder under competitions/.'
        )
    require_competition(competition, f"{where}: ")
    return Recipe(
        path.stem,
        competition,
        method,
        found,
        candidates,
        utility,
        shares,
        length,
        recombined,
    )


def require_enough(recombined: int, candidates: int, where: str) -> None:
    """Raise UserError when texts are to be recombined from too few candidates."""
    if recombined and candidates < ENOUGH:
        raise UserError(
            f"{where}: recombined = {recombined} needs candidates = {ENOUGH} or more (now {candidates}): with fewer, a recombined text "
            "agrees most with the candidates that its sentences come from."
        )


def _require(hint: Any, value: Any, where: str) -> None:
    """Raise UserError unless the value is inside the range."""
    if not fits(hint, value):
        raise UserError(f"{where} is {brief(value, 40)}; wanted {described(hint)}.")


def _number(hint: Any, value: Any, where: str) -> float:
    """Return the value as a float; raise UserError unless it is inside the range."""
    _require(hint, value, where)
    return float(value)
