"""Define the results of trying post-processing rules on dev."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.data.competition import NEAR_COPY
from common.data.rows import Row
from common.postprocess.rules import PostprocessConfig
from common.rouge import Comparison

AT_MOST, AT_LEAST = "at most", "at least"
"""Ways of fitting a length: cut longer texts, or take a longer candidate instead of a short one."""


@dataclass(frozen=True, eq=False)
class Task:
    """A run's dev candidates and everything needed to score them."""

    rows: Sequence[Row]
    """The dialogues; near-copies are always in the same fold (`common.data.folds`)."""
    candidates: Sequence[Sequence[str]]
    """The raw texts of every row, best first."""
    references: Mapping[str, Sequence[str]]
    """By id."""
    profile: str
    """The profile that decides where profiles disagree: the competition's dev profile."""
    mode: str = "mean"
    """How several references are combined (`Competition.leaderboard_references`)."""
    near_copy: float = NEAR_COPY
    """Similarity from which two dialogues count as one."""
    others: tuple[str, ...] = ()
    """Further profiles to judge by; none of them is `profile`."""

    @property
    def profiles(self) -> tuple[str, ...]:
        """Return all profiles, the deciding one first."""
        return (self.profile, *self.others)


@dataclass(frozen=True)
class Effect:
    """One way of post-processing compared with another on the same dialogues."""

    score: float
    test: Comparison | None
    """Comparison with the other one; None when both give the same texts."""
    changed: float
    """Share of dialogues where both ways give different texts, 0 to 1."""

    @property
    def p(self) -> float:
        """Return the larger p of both paired tests, in (0, 1].

        For a rule that changes only a few texts the bootstrap alone is overconfident, because it only resamples what
        it has seen.
        """
        return max(self.test.bootstrap_p, self.test.permutation_p) if self.test else 1.0


@dataclass(frozen=True)
class RuleTrial:
    """A rule by itself, and as a part of the run's own pipeline."""

    name: str
    used: bool
    """Whether the run's own pipeline has it."""
    alone: Effect
    """The rule alone compared with the raw text."""
    inside: Effect
    """The run's pipeline with the rule compared with the same without it; the score is that of the pipeline with it."""
    adjusted_p: float
    """p of `inside` after Holm's correction, in (0, 1]."""


@dataclass(frozen=True)
class LengthTrial:
    """A way of fitting a target length, tested on dialogues that it was not fitted on."""

    name: str
    """`AT_MOST` or `AT_LEAST`."""
    fitted: PostprocessConfig
    """Config fitted on all of dev, which would be applied."""
    by_fold: tuple[PostprocessConfig, ...]
    """Config fitted on the other folds, for each fold; they show how stable `fitted` is."""
    flattered: float
    """Gain of `fitted` over the run's pipeline on the dialogues that it was fitted on; optimistic."""
    effect: Effect
    """Effect over the run's pipeline, where each dialogue uses the config fitted on the other folds."""
    adjusted_p: float
    """p of `effect` after Holm's correction, in (0, 1]."""


@dataclass(frozen=True)
class ProfileTrials:
    """All trials in one profile."""

    profile: str
    raw: float
    """Score of the first candidates without post-processing."""
    own_score: float
    """Score of the run's own post-processing."""
    rules: tuple[RuleTrial, ...]
    lengths: tuple[LengthTrial, ...]


@dataclass(frozen=True)
class SearchReport:
    """Everything that `make postprocess` prints."""

    dialogues: int
    own: PostprocessConfig
    trials: tuple[ProfileTrials, ...]
    """By profile; the deciding profile is the first."""
    tested: int
    """Number of differences that Holm's correction covers: those that change a text, in all profiles."""
    advised: PostprocessConfig
    """Equal to `own` when no change is advised."""
    effects: Mapping[str, Effect]
    """Profile → `advised` compared with `own`, on the dialogues it was chosen on."""

    @property
    def main(self) -> ProfileTrials:
        """Return the trials in the deciding profile."""
        return self.trials[0]

    @property
    def together(self) -> Effect:
        """Return `advised` compared with `own` in the deciding profile."""
        return self.effects[self.main.profile]
