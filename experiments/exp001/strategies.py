"""Ways to pick turns; each gives the turns' positions, best first."""

from collections.abc import Callable, Sequence

import numpy as np

from common.dialogue import Turn, clean, parse
from common.rouge import pairwise

Strategy = Callable[[Sequence[Turn]], list[int]]


def lead(turns: Sequence[Turn]) -> list[int]:
    """From the beginning on."""
    return list(range(len(turns)))


def longest(turns: Sequence[Turn]) -> list[int]:
    """By length, longest first."""
    return sorted(range(len(turns)), key=lambda i: -len(turns[i].text))


def consensus(turns: Sequence[Turn]) -> list[int]:
    """By mean ROUGE-1 (morphemes) with the other turns, highest first: what the dialogue keeps coming back to."""
    utility = pairwise([[turn.text for turn in turns]], "leaderboard")[0]["rouge1"].copy()
    np.fill_diagonal(utility, 0.0)
    return [int(i) for i in np.argsort(-utility.mean(axis=1), kind="stable")]


STRATEGIES: dict[str, Strategy] = {"lead": lead, "longest": longest, "consensus": consensus}


def extract(strategy: str, count: int, dialogue: str) -> str:
    """The chosen turns in their order, as one line with their speakers."""
    turns = parse(clean(dialogue))
    chosen = sorted(STRATEGIES[strategy](turns)[:count])
    return " ".join(f"{turns[i].speaker}: {turns[i].text}".strip(": ") for i in chosen)
