"""Tokenizers: text to tokens. The ``name`` of a tokenizer is part of every metric key computed with it."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from common.core.errors import UserError
from common.core.messages import brief
from common.rouge.porter import porter_stem

TOKENIZERS = ("whitespace", "mecab", "kiwi", "char", "alnum")
"""Names that ``get_tokenizer`` accepts. ``alnum`` is rouge_score's own tokenizer and drops Hangul."""

_NOT_ALNUM = re.compile(r"[^a-z0-9]+")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb\uffa1-\uffdc]")


class Tokenizer(Protocol):
    """Interface that the scorers need from a tokenizer."""

    @property
    def name(self) -> str:
        """Return analyser and version as they appear in metric keys."""

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of one text; may be empty."""

    def tokenize_all(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the tokens of many texts, in order. Prefer this: an analyser may save work."""


def split_keeping_edges(text: str) -> list[str]:
    """Return the tokens of ``text.lower()`` split on whitespace, with an empty token at each edge that has spaces.

    The list is never empty: ``''`` gives ``['']`` and ``'가 '`` gives ``['가', '']``, as in korouge-score 0.1.4.
    """
    text = text.lower()
    tokens = text.split()
    if not tokens:
        return ["", ""] if text else [""]
    if text[0].isspace():
        tokens.insert(0, "")
    if text[-1].isspace():
        tokens.append("")
    return tokens


def split_sentences_101(text: str) -> list[list[str]]:
    """Return the sentences of words as the ``rouge`` 1.0.1 package splits them; empty if the text is only full stops.

    Splits at every ".", even inside "3.5"; a sentence of only spaces is one empty word.
    """
    return [part.split() or [""] for part in text.split(".") if part]


class _PerText:
    """Tokenizer built from a function that handles one text."""

    def __init__(self, name: str, function: Callable[[str], list[str]]) -> None:
        self.name = name
        self.tokenize = function

    def tokenize_all(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the tokens of many texts, in order."""
        return [self.tokenize(text) for text in texts]


def _stem_tokens(tokens: list[str], stem: Callable[[str], str]) -> list[str]:
    # Words of up to three letters stay as they are: ROUGE-1.5.5 does not stem them.
    return [stem(token) if len(token) > 3 else token for token in tokens]


def whitespace_tokenizer(use_stemmer: bool = False) -> Tokenizer:
    """Return korouge-score's tokenizer: lower case, split on whitespace, empty tokens kept at the edges."""
    if not use_stemmer:
        return _PerText("whitespace", split_keeping_edges)
    stem = lru_cache(maxsize=100_000)(porter_stem)
    return _PerText("whitespace+stem", lambda text: _stem_tokens(split_keeping_edges(text), stem))


def alnum_tokenizer(use_stemmer: bool = False) -> Tokenizer:
    """Return rouge_score 0.1.2's tokenizer: runs of a-z and 0-9 in the lower-cased text, the rest dropped.

    It does not check for Hangul; the google profile does, with ``refuse_hangul``.
    """
    if not use_stemmer:
        return _PerText("alnum", lambda text: _NOT_ALNUM.sub(" ", text.lower()).split())
    stem = lru_cache(maxsize=100_000)(porter_stem)
    return _PerText("alnum+stem", lambda text: _stem_tokens(_NOT_ALNUM.sub(" ", text.lower()).split(), stem))


def char_tokenizer() -> Tokenizer:
    """Return a tokenizer of one token per code point except whitespace; case and normal form are kept."""
    return _PerText("char", lambda text: [character for character in text if not character.isspace()])


def refuse_hangul(text: str, where: str) -> None:
    """Raise UserError when the text contains Hangul.

    rouge_score's tokenizer deletes every Hangul letter, so only digits and tags are left to score: two unrelated
    Korean summaries that mention #Person1# score 1.0.
    """
    found = _HANGUL.search(text)
    if found:
        raise UserError(
            f"{where} contains Hangul ({brief(found.group())}), which the google profile deletes before scoring: "
            "unrelated Korean texts would score 1.0. "
            "Use --profile leaderboard (morphemes), korouge (whitespace) or rouge101 for Korean."
        )


def get_tokenizer(name: str, use_stemmer: bool = False, cache_dir: str | Path | None = None) -> Tokenizer:
    """Return the tokenizer of this name.

    ``cache_dir`` is where morphemes are cached (see ``morphemes.cache_path``); only ``mecab`` and ``kiwi`` use it.
    Raises UserError for an unknown name, for a stemmer with a tokenizer that supports none, and when the analyser is
    not installed: the analyser is part of the metric's name, so there is no fallback.
    """
    if use_stemmer and name not in ("whitespace", "alnum"):
        raise UserError(
            f"tokenizer {brief(name)} takes no stemmer, because the Porter stemmer is for English words. "
            "Turn use_stemmer off, or use tokenizer 'whitespace' or 'alnum'."
        )
    if name == "whitespace":
        return whitespace_tokenizer(use_stemmer)
    if name == "alnum":
        return alnum_tokenizer(use_stemmer)
    if name == "char":
        return char_tokenizer()
    if name in ("mecab", "kiwi"):
        from common.rouge.morphemes import Morphemes

        return Morphemes(name, cache_dir)
    raise UserError(f"unknown tokenizer {brief(name)}; choose one of: {', '.join(TOKENIZERS)}.")
