"""Mark where the metric's tokens begin, so that the page compares texts by the same tokens without an analyser."""

from collections.abc import Iterable, Sequence
from itertools import chain

from common.rouge import get_profile, get_tokenizer

RULES = {"sentences": "sentences", "whitespace": "whitespace", "alnum": "alnum"}
"""Tokenizer of a profile → the rule by which the page finds its tokens; every other tokenizer needs marks."""
MARKED = "marked"


def rule_of(profile: str) -> str:
    """Return how the page finds the tokens of a profile: "whitespace", "sentences", "alnum" or "marked"."""
    return RULES.get(get_profile(profile).tokenizer, MARKED)


def free_mark(texts: Iterable[str]) -> str:
    """Return a character that occurs in none of the texts: "|" when it can be, since it takes one byte."""
    used = set(chain.from_iterable(texts))
    places = (ord("|"), *range(0xE000, 0xF8FF), *range(0xF0000, 0x10FFFE))
    return next(mark for place in places if (mark := chr(place)) not in used)


def marked(texts: Sequence[str], profile: str, mark: str) -> list[str]:
    """Return the texts with the mark between two tokens that no space separates.

    A text that the tokens do not spell, as one with NUL, stays as it is: the page then takes its words as tokens.
    Raises UserError when the analyser is not installed.
    """
    if rule_of(profile) != MARKED:
        return list(texts)
    tokenizer = get_tokenizer(get_profile(profile).tokenizer)
    return [
        _marked(text, tokens, mark) for text, tokens in zip(texts, tokenizer.tokenize_all(texts), strict=True)
    ]


def _marked(text: str, tokens: Sequence[str], mark: str) -> str:
    parts: list[str] = []
    place = 0
    for token in tokens:
        start = text.find(token, place)
        gap = text[place:start] if start >= 0 else "?"
        if gap.strip():
            return text
        parts += [gap, token] if not place or gap.endswith(" ") else [gap, mark, token]
        place = start + len(token)
    rest = text[place:]
    return text if rest.strip() else "".join([*parts, rest])
