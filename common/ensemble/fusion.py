"""Sentences of different candidates put together: texts that no member wrote, and that all may agree with more."""

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from common.postprocess import sentences
from common.rouge import cross, get_profile
from common.rouge.tokenizers import get_tokenizer

TRIED = 20
"""Sentences of a dialogue that are tried with each other: so many that begin a candidate, and that follow in one."""
ANALYSER = "mecab"
STOPS = (".", "?", "!")
Cut = dict[str, str]
"""Text → the same with spaces between the words that are counted."""


def fused(
    texts: Sequence[Sequence[str]],
    kept: int,
    longest: int,
    profile: str = "leaderboard",
    tried: int = TRIED,
) -> list[list[str]]:
    """Of every dialogue at most `kept` texts that none of its candidates is, those that agree most with these first.

    Tried are each sentence of a candidate alone, and each that begins one before each that follows in one, of up to
    `longest` characters; of sentences the `tried` that agree most by themselves. How far a text agrees is its mean score
    with the candidates as references. With few of them a text agrees most with what it is made of. What was cut off
    begins nothing.
    Raises UserError as `common.rouge.cross` does.
    Source: minimum Bayes risk (Kumar and Byrne 2004) over more hypotheses than there is evidence; that candidates hold
    more together than any of them alone: Ravaut et al. 2022, "Towards Summary Candidates Fusion".
    """
    split = [[sentences(text) for text in group] for group in texts]
    cut = _cut(
        {text for group, parts in zip(texts, split, strict=True) for text in chain(group, *parts)}, profile
    )
    first = [{some[0]: cut[some[0]] for some in parts if some} for parts in split]
    later = [{one: cut[one] for some in parts for one in some[1:]} for parts in split]
    begins, follows = (_ranked(options, texts, cut, profile) for options in (first, later))
    options = []
    for group, parts, ones, twos in zip(texts, split, begins, follows, strict=True):
        whole = {some[0] for some in parts if len(some) > 1}  # something followed it once already
        alone = {text: cut[text] for text in (*ones[:tried], *twos[:tried])}
        pairs = {
            f"{one} {two}": f"{cut[one]} {cut[two]}"
            for one in ones[:tried]
            for two in twos[:tried]
            if one != two and (one in whole or one.endswith(STOPS))
        }
        own = {_letters(text) for text in group}
        options.append(
            {
                text: words
                for text, words in (alone | pairs).items()
                if _letters(text) not in own and len(text) <= longest
            }
        )
    return [ranked[:kept] for ranked in _ranked(options, texts, cut, profile)]


def _letters(text: str) -> str:
    """A text without its spaces: what differs from a candidate by these alone is that candidate."""
    return "".join(text.split())


def _cut(texts: Iterable[str], profile: str) -> Cut:
    """An analyser's morphemes by number, so that what is put together of texts need not be analysed; others' words are
    cheap, and stay as they are."""
    given = list(texts)
    name = get_profile(profile).tokenizer
    if name != ANALYSER:
        return dict(zip(given, given, strict=True))
    numbers: dict[str, str] = {}
    return {
        text: " ".join(numbers.setdefault(token, str(len(numbers))) for token in tokens)
        for text, tokens in zip(given, get_tokenizer(name).tokenize_all(given), strict=True)
    }


def _ranked(
    options: Sequence[Cut], texts: Sequence[Sequence[str]], cut: Cut, profile: str
) -> list[list[str]]:
    """Each dialogue's options, those that agree most with its candidates first."""
    words = "whitespace" if get_profile(profile).tokenizer == ANALYSER else None
    tried = [list(some.values()) for some in options]
    given = [[cut[text] for text in group] for group in texts]
    matrices = cross(tried, given, profile, tokenizer=words)
    return [
        [list(some)[place] for place in np.argsort(-matrix.mean(axis=1), kind="stable")] if some else []
        for some, matrix in zip(options, matrices, strict=True)
    ]
