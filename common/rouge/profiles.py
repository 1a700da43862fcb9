"""The four metrics, by name. Numbers of different profiles never share a column: see docs/rouge.md."""

from dataclasses import dataclass
from types import MappingProxyType

from common.errors import UserError

METRICS = ("rouge1", "rouge2", "rougeL")
"""The three F1 scores every profile has, in the order of every array in this package."""


@dataclass(frozen=True)
class Profile:
    """What a profile fixes: tokens, counting, several references, scale."""

    name: str
    tokenizer: str
    """Tokenizer used when none is asked for; "sentences" is rouge101's own and cannot be changed."""
    several: str
    """How several references become one number when the caller does not say: "max", "mean" or "" (must say)."""
    scale: float
    """Factor on rouge1, rouge2 and rougeL."""
    headline_key: str
    headline_scale: float
    """The headline is the sum (rouge101) or the mean (others) of the three F1 in [0, 1], times this."""
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
    """The profile of that name. Raises UserError listing the names when there is none."""
    if name not in PROFILES:
        raise UserError(f"unknown ROUGE profile {name!r}; there are: {', '.join(PROFILES)}.")
    return PROFILES[name]


def leaderboard_score(rouge1: float, rouge2: float, rouge_l: float) -> float:
    """The competition's leaderboard number in [0, 100]: the mean of three F1 scores in [0, 1], times 100.

    Source: the organisers' published rows, such as 0.5135, 0.3181, 0.4233 → 41.83.
    """
    return (rouge1 + rouge2 + rouge_l) / 3 * 100
