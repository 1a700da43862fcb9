"""Sentences of different candidates put together: texts that no member wrote, and that all of them agree with more."""

from collections.abc import Iterable, Sequence

import numpy as np

from common.ensemble.pool import Floats
from common.postprocess import sentences
from common.rouge import cross, get_profile
from common.rouge.tokenizers import get_tokenizer

TRIED = 20
"""Sentences of a dialogue that are tried with each other: so many that begin a candidate, and that follow in one."""
ANALYSERS = ("mecab", "kiwi")
Cut = dict[str, str]
"""Text → the same with spaces between the words that are counted."""


def fused(
    texts: Sequence[Sequence[str]], kept: int, profile: str = "leaderboard", tried: int = TRIED
) -> list[list[str]]:
    """Of every dialogue the text that agrees most with its candidates, then others that none of them is: `kept` in all.

    Tried are the candidates, each of their sentences alone, and each that begins a candidate before each that follows in
    one; of sentences the `tried` that agree most by themselves. How far a text agrees is its mean score with the
    candidates as references, itself left out once. None is longer than the longest candidate. A dialogue in which
    nothing else can be made has fewer.
    Raises UserError as `common.rouge.cross` does.
    Source: minimum Bayes risk (Kumar and Byrne 2004) over more hypotheses than there is evidence; that candidates hold
    more together than any of them alone: Ravaut et al. 2022, "Towards Summary Candidates Fusion".
    """
    split = [[sentences(text) for text in group] for group in texts]
    cut = _cut(
        {text for group in texts for text in group}.union(*(parts for some in split for parts in some)),
        profile,
    )
    first = [{some[0]: cut[some[0]] for some in parts if some} for parts in split]
    later = [{one: cut[one] for some in parts for one in some[1:]} for parts in split]
    begins, follows = (_ranked(options, texts, cut, profile) for options in (first, later))
    options = []
    for group, some, more in zip(texts, begins, follows, strict=True):
        ones, twos, longest = some[:tried], more[:tried], max(map(len, group))
        pairs = {f"{one} {two}": f"{cut[one]} {cut[two]}" for one in ones for two in twos if one != two}
        alone = {text: cut[text] for text in (*group, *ones, *twos)}
        options.append({text: words for text, words in pairs.items() if len(text) <= longest} | alone)
    return [
        [best, *(text for text in others if text not in group)][:kept]
        for group, (best, *others) in zip(texts, _ranked(options, texts, cut, profile), strict=True)
    ]


def _cut(texts: Iterable[str], profile: str) -> Cut:
    """An analyser's morphemes, so that what is put together of texts need not be analysed; others' words are cheap."""
    given = list(texts)
    name = get_profile(profile).tokenizer
    if name not in ANALYSERS:
        return dict(zip(given, given, strict=True))
    return {
        text: " ".join(tokens)
        for text, tokens in zip(given, get_tokenizer(name).tokenize_all(given), strict=True)
    }


def _ranked(
    options: Sequence[Cut], texts: Sequence[Sequence[str]], cut: Cut, profile: str
) -> list[list[str]]:
    """Each dialogue's options, those that agree most with its candidates first."""
    words = "whitespace" if get_profile(profile).tokenizer in ANALYSERS else None
    tried = [list(some.values()) for some in options]
    given = [[cut[text] for text in group] for group in texts]
    matrices = cross(tried, given, profile, tokenizer=words)
    return [
        _by_agreement(list(some), group, matrix)
        for some, group, matrix in zip(options, texts, matrices, strict=True)
    ]


def _by_agreement(options: Sequence[str], group: Sequence[str], matrix: Floats) -> list[str]:
    """The options by falling mean over a row of the matrix (options, candidates), without the option itself once."""
    own = {text: place for place, text in enumerate(group)}
    totals, counts = matrix.sum(axis=1), np.full(len(options), len(group))
    for place, text in enumerate(options):
        if text in own:
            totals[place] -= matrix[place, own[text]]
            counts[place] -= 1
    # A candidate alone in its dialogue is all there is to agree with.
    values = np.divide(totals, counts, out=np.full(len(options), np.inf), where=counts > 0)
    return [options[place] for place in np.argsort(-values, kind="stable")]
