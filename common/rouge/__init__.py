"""Score Korean summaries with exact ROUGE; usable without the other packages except `core`."""

from common.rouge.batch import CorpusScores, corpus
from common.rouge.checks import align
from common.rouge.matrices import cross, pairwise
from common.rouge.profiles import METRICS, PROFILES, Profile, get_profile, leaderboard_score
from common.rouge.rouge101 import Rouge101
from common.rouge.scorer import AggregateScore, BootstrapAggregator, RougeScorer, Score
from common.rouge.stats import (
    Comparison,
    Interval,
    bootstrap_interval,
    compare,
    paired_bootstrap,
    paired_permutation,
    verdict,
)
from common.rouge.tokenizers import TOKENIZERS, get_tokenizer

__all__ = [
    "METRICS",
    "PROFILES",
    "TOKENIZERS",
    "AggregateScore",
    "BootstrapAggregator",
    "Comparison",
    "CorpusScores",
    "Interval",
    "Profile",
    "Rouge101",
    "RougeScorer",
    "Score",
    "align",
    "bootstrap_interval",
    "compare",
    "corpus",
    "cross",
    "get_profile",
    "get_tokenizer",
    "leaderboard_score",
    "paired_bootstrap",
    "paired_permutation",
    "pairwise",
    "verdict",
]
