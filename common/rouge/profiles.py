"""Define the four ROUGE profiles by name. Scores of different profiles are not comparable: see docs/rouge.md."""

from dataclasses import dataclass
from types import MappingProxyType

from common.core.errors import UserError
from common.core.messages import brief

METRICS = ("rouge1", "rouge2", "rougeL")
"""The three F1 scores of every profile, in the order of every array in this package."""


@dataclass(frozen=True)
class Profile:
    """Settings of a profile: tokens, counting, several references, scale."""

    name: str
    tokenizer: str
    """Default tokenizer; "sentences" belongs to rouge101 and cannot be replaced."""
    several: str
    """How several references become one score by default: "max", "mean", or "" when the caller must choose."""
    scale: float
    """Factor applied to rouge1, rouge2 and rougeL."""
    headline_key: str
    headline_scale: float
    """Factor applied to the sum (rouge101) or the mean (others) of the three F1 in [0, 1] to give the headline."""
    summed: bool = False
    refuses_hangul: bool = False


PROFILES = MappingProxyType(
    {
        "korouge": Profile("korouge", "whitespace", "max", 1.0, "rouge_mean", 1.0),
        "rouge101": Profile("rouge101", "sentences", "", 1.0, "rouge_sum", 100.0, summed=True),
        "leaderboard": Profile("leaderboard", "mecab", "mean", 1.0, "leaderboard", 100.0),
        "google": Profile("google", "alnum", "max", 100.0, "rouge_mean", 100.0, refuses_hangul=True),
    }
)


def get_profile(name: str) -> Profile:
    """Return the profile of this name. Raises UserError, listing all names, when there is none."""
    if name not in PROFILES:
        raise UserError(f"unknown ROUGE profile {brief(name)}; choose one of: {', '.join(PROFILES)}.")
    return PROFILES[name]


def leaderboard_score(rouge1: float, rouge2: float, rouge_l: float) -> float:
    """Return the competition's leaderboard score in [0, 100]: the mean of three F1 scores in [0, 1], times 100.

    Source: the organisers' published rows, such as 0.5135, 0.3181, 0.4233 → 41.83.
    """
    return (rouge1 + rouge2 + rouge_l) / 3 * 100
