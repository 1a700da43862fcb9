"""Settings of exp001."""

from dataclasses import dataclass

from common.postprocess.rules import PostprocessConfig

TITLE = "extractive baseline, no training"
MODEL = "turns of the dialogue itself"
NEEDS = "cpu"


@dataclass(frozen=True)
class Config:
    """Settings of the extractive baseline."""

    seed: int = 0
    most_turns: int = 3
    """Largest number of turns in a summary; each strategy is tried with 1 to this many turns."""
    candidates: int = 4
    """Number of candidates for each dialogue, from the strategies with the best scores on train."""
    train_rows: int = 1000
    """Number of training rows on which the strategies are compared."""
    postprocess: PostprocessConfig = PostprocessConfig()


SMOKE = Config(most_turns=1, candidates=2, train_rows=16)
