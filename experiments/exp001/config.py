"""Settings of exp001."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from common.core.ranges import Seed
from common.postprocess.rules import PostprocessConfig

TITLE = "extractive baseline, no training"
MODEL = "turns of the dialogue itself"
NEEDS = "cpu"


@dataclass(frozen=True)
class Config:
    """Settings of the extractive baseline."""

    seed: Seed = 0
    most_turns: Annotated[int, Ge(1), Le(100)] = 3
    """Largest number of turns in a summary; each strategy is tried with 1 to this many turns."""
    candidates: Annotated[int, Ge(1), Le(256)] = 4
    """Number of candidates for each dialogue, from the strategies with the best scores on train."""
    train_rows: Annotated[int, Ge(1), Le(1_000_000)] = 1000
    """Number of training rows, chosen by the seed, on which the strategies are compared."""
    postprocess: PostprocessConfig = PostprocessConfig()


SMOKE = Config(most_turns=1, candidates=2, train_rows=16)
