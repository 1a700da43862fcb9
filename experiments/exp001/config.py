"""exp001's settings."""

from dataclasses import dataclass

from common.postprocess import PostprocessConfig

TITLE = "extractive baseline, no training"
MODEL = "turns of the dialogue itself"
NEEDS = "cpu"


@dataclass(frozen=True)
class Config:
    """Which turns a summary may be made of."""

    seed: int = 0
    most_turns: int = 3
    """Each strategy is tried with one turn up to this many."""
    candidates: int = 4
    """Texts kept a dialogue: those of the strategies that did best on train."""
    train_rows: int = 1000
    """Training rows on which the strategies compete."""
    postprocess: PostprocessConfig = PostprocessConfig()


SMOKE = Config(most_turns=1, candidates=2, train_rows=16)
