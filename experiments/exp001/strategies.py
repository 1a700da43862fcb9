"""Strategies that rank the turns of a dialogue; each returns positions, best first."""

from collections.abc import Callable, Sequence

import numpy as np

from common.data.dialogue import Turn, clean, parse
from common.rouge import pairwise

Strategy = Callable[[Sequence[Turn]], list[int]]


def lead(turns: Sequence[Turn]) -> list[int]:
    """Rank the turns in their order, first turn first."""
    return list(range(len(turns)))


def longest(turns: Sequence[Turn]) -> list[int]:
    """Rank the turns by length in characters, longest first."""
    return sorted(range(len(turns)), key=lambda i: -len(turns[i].text))


def consensus(turns: Sequence[Turn]) -> list[int]:
    """Rank the turns by mean ROUGE-1 (morphemes) with the other turns, in descending order.

    A high mean marks what the dialogue repeats.
    """
    utility = pairwise([[turn.text for turn in turns]], "leaderboard")[0]["rouge1"].copy()
    np.fill_diagonal(utility, 0.0)
    return [int(i) for i in np.argsort(-utility.mean(axis=1), kind="stable")]


STRATEGIES: dict[str, Strategy] = {"lead": lead, "longest": longest, "consensus": consensus}


def extract(strategy: str, count: int, dialogue: str) -> str:
    """Return the `count` best turns in dialogue order, as one line with their speakers."""
    turns = parse(clean(dialogue))
    chosen = sorted(STRATEGIES[strategy](turns)[:count])
    return " ".join(f"{turns[i].speaker}: {turns[i].text}".strip(": ") for i in chosen)
