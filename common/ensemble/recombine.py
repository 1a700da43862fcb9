"""Recombine sentences of different candidates into texts that no member wrote but that may agree more with all."""

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from common.postprocess.sentences import sentences
from common.rouge import cross, get_profile
from common.rouge.tokenizers import get_tokenizer

TRIED = 20
"""Number of sentences combined per dialogue: this many that begin a candidate, with as many later ones."""
ANALYSER = "mecab"
STOPS = (".", "?", "!")
TokenStrings = dict[str, str]
"""Text → the same text with spaces between the tokens that are counted."""


def recombine(
    texts: Sequence[Sequence[str]],
    kept: int,
    longest: int,
    profile: str = "leaderboard",
    tried: int = TRIED,
) -> list[list[str]]:
    """Return at most `kept` new texts per dialogue, in descending order of agreement with its candidates.

    The options are single sentences of candidates, and pairs of a sentence that begins a candidate and one that comes
    later in a candidate. Only the `tried` sentences of either kind with the highest agreement are used. An unfinished
    sentence (no final stop, and nothing after it in its candidate) begins no pair. Texts longer than `longest`
    characters and texts equal to a candidate are left out. Agreement is the mean score with the candidates as
    references. With few candidates, a new text agrees most with the candidates that its sentences come from.
    Raises UserError as `common.rouge.cross` does.
    Source: minimum Bayes risk (Kumar and Byrne 2004) with more hypotheses than references; Ravaut et al. 2022,
    "Towards Summary Candidates Fusion", for the finding that candidates together contain more than any one of them.
    """
    split = [[sentences(text) for text in group] for group in texts]
    cut = _token_strings(
        {text for group, parts in zip(texts, split, strict=True) for text in chain(group, *parts)}, profile
    )
    first = [{some[0]: cut[some[0]] for some in parts if some} for parts in split]
    later = [{one: cut[one] for some in parts for one in some[1:]} for parts in split]
    ranked_first, ranked_later = (_ranked(options, texts, cut, profile) for options in (first, later))
    options = []
    for group, parts, firsts, laters in zip(texts, split, ranked_first, ranked_later, strict=True):
        continued = {some[0] for some in parts if len(some) > 1}  # complete, because a sentence follows it
        single = {text: cut[text] for text in (*firsts[:tried], *laters[:tried])}
        pairs = {
            f"{one} {two}": f"{cut[one]} {cut[two]}"
            for one in firsts[:tried]
            for two in laters[:tried]
            if one != two and (one in continued or one.endswith(STOPS))
        }
        existing = {_without_spaces(text) for text in group}
        options.append(
            {
                text: tokens
                for text, tokens in (single | pairs).items()
                if _without_spaces(text) not in existing and len(text) <= longest
            }
        )
    return [ranked[:kept] for ranked in _ranked(options, texts, cut, profile)]


def _without_spaces(text: str) -> str:
    """Return a text without its spaces, because a text that differs from a candidate only in spaces is not new."""
    return "".join(text.split())


def _token_strings(texts: Iterable[str], profile: str) -> TokenStrings:
    """Return each text with its morphemes replaced by numbers, so that recombined texts need no new analysis.

    With any other tokenizer the texts stay as they are, because splitting them is cheap.
    """
    listed = list(texts)
    name = get_profile(profile).tokenizer
    if name != ANALYSER:
        return dict(zip(listed, listed, strict=True))
    numbers: dict[str, str] = {}
    return {
        text: " ".join(numbers.setdefault(token, str(len(numbers))) for token in tokens)
        for text, tokens in zip(listed, get_tokenizer(name).tokenize_all(listed), strict=True)
    }


def _ranked(
    options: Sequence[TokenStrings], texts: Sequence[Sequence[str]], cut: TokenStrings, profile: str
) -> list[list[str]]:
    """Return the options of each dialogue in descending order of agreement with its candidates."""
    numbered = "whitespace" if get_profile(profile).tokenizer == ANALYSER else None
    hypotheses = [list(some.values()) for some in options]
    references = [[cut[text] for text in group] for group in texts]
    matrices = cross(hypotheses, references, profile, tokenizer=numbered)
    return [
        [list(some)[place] for place in np.argsort(-matrix.mean(axis=1), kind="stable")] if some else []
        for some, matrix in zip(options, matrices, strict=True)
    ]
