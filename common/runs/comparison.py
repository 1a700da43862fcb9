"""Compare two sets of predictions by id, and say how many rows each side lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.core.errors import UserError
from common.data.competition import Competition
from common.data.rows import SplitName, read_references
from common.rouge import Comparison, compare
from common.runs.scoring import example_scores, profiles


@dataclass(frozen=True)
class Lacking:
    """The rows of a split for which a set of predictions has no text; each of them scores 0."""

    missing: tuple[str, ...]
    """Ids without a prediction."""
    empty: tuple[str, ...]
    """Ids with a blank prediction."""

    def __str__(self) -> str:
        """Return the numbers of both kinds with the first id of each; "" when nothing is lacking."""
        kinds = (("missing", self.missing), ("empty", self.empty))
        return " and ".join(f"{len(ids)} {what} (first {ids[0][:40]!r})" for what, ids in kinds if ids)


@dataclass(frozen=True)
class Compared:
    """Two prediction files compared in one profile: is b better than a?"""

    profile: str
    headline_key: str
    a: float
    b: float
    test: Comparison


def lacking(predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> Lacking:
    """Return the ids of the references for which there is no prediction or only a blank one."""
    return Lacking(
        tuple(name for name in references if name not in predictions),
        tuple(name for name in references if name in predictions and not predictions[name].strip()),
    )


def compare_predictions(
    competition: Competition,
    split: SplitName,
    a: Mapping[str, str],
    b: Mapping[str, str],
    only: Sequence[str] | None,
    *,
    stemmer: bool = False,
) -> list[Compared]:
    """Return both paired tests of b against a, per profile headline. A row that one side lacks scores 0 there.

    Raises UserError as `example_scores` does, naming the side.
    """
    references = read_references(competition, split)
    for side, predictions in (("a", a), ("b", b)):
        unknown = [name for name in predictions if name not in references]
        if unknown:
            raise UserError(
                f"{side}: {len(unknown)} of {len(predictions)} predicted ids are not in {competition.name} {split}, first "
                f"{unknown[0][:40]!r}. Compare predictions of this split, or name another one with split=."
            )
    found = []
    for name in only or profiles(competition):
        first, second = (
            example_scores(p, references, name, competition.leaderboard_references, stemmer=stemmer)
            for p in (a, b)
        )
        key = first.headline_key
        test = compare(first.per_example[key], second.per_example[key])
        found.append(Compared(name, key, float(first.headline), float(second.headline), test))
    return found
