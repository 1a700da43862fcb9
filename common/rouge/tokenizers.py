"""Tokenizers: text to tokens. Each one's ``name`` is part of every metric key made with it."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from common.errors import UserError
from common.rouge.porter import porter_stem

TOKENIZERS = ("whitespace", "mecab", "kiwi", "char", "alnum")
"""Names that ``get_tokenizer`` knows. ``alnum`` is rouge_score's own tokenizer and refuses Hangul."""

_NOT_ALNUM = re.compile(r"[^a-z0-9]+")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb\uffa1-\uffdc]")


class Tokenizer(Protocol):
    """What the scorers need of a tokenizer."""

    @property
    def name(self) -> str:
        """Analyser and version, as it appears in metric keys."""

    def tokenize(self, text: str) -> list[str]:
        """Tokens of one text; may be empty."""

    def tokenize_all(self, texts: Sequence[str]) -> list[list[str]]:
        """Tokens of many texts, in order: where an analyser can save work, this is the call to make."""


def split_keeping_edges(text: str) -> list[str]:
    """Tokens of ``text.lower()`` split on runs of whitespace, with the empty token at an edge that has spaces.

    Never an empty list: ``''`` gives ``['']`` and ``'가 '`` gives ``['가', '']``, as korouge-score 0.1.4 has it.
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
    """Sentences of words as the ``rouge`` 1.0.1 package splits them; empty when the text holds only full stops.

    Cut at every ".", even inside "3.5"; a sentence of spaces alone is one empty word.
    """
    return [part.split() or [""] for part in text.split(".") if part]


class _PerText:
    """Gives a tokenizer that has no batch form one."""

    def __init__(self, name: str, function: Callable[[str], list[str]]) -> None:
        self.name = name
        self.tokenize = function

    def tokenize_all(self, texts: Sequence[str]) -> list[list[str]]:
        """Tokens of many texts, in order."""
        return [self.tokenize(text) for text in texts]


def _stem_tokens(tokens: list[str], stem: Callable[[str], str]) -> list[str]:
    # Words of up to three letters stay as they are: ROUGE-1.5.5 does not stem them.
    return [stem(token) if len(token) > 3 else token for token in tokens]


def whitespace_tokenizer(use_stemmer: bool = False) -> Tokenizer:
    """korouge-score's tokenizer: lower case, split on whitespace, empty tokens kept at the edges."""
    if not use_stemmer:
        return _PerText("whitespace", split_keeping_edges)
    stem = lru_cache(maxsize=100_000)(porter_stem)
    return _PerText("whitespace+stem", lambda text: _stem_tokens(split_keeping_edges(text), stem))


def alnum_tokenizer(use_stemmer: bool = False) -> Tokenizer:
    """rouge_score 0.1.2's tokenizer: runs of a-z and 0-9 of the lower-cased text, everything else dropped.

    It does not check for Hangul; the profile does (``refuse_hangul``).
    """
    if not use_stemmer:
        return _PerText("alnum", lambda text: _NOT_ALNUM.sub(" ", text.lower()).split())
    stem = lru_cache(maxsize=100_000)(porter_stem)
    return _PerText("alnum+stem", lambda text: _stem_tokens(_NOT_ALNUM.sub(" ", text.lower()).split(), stem))


def char_tokenizer() -> Tokenizer:
    """One token for every code point that is not whitespace; case and normal form stay as they are."""
    return _PerText("char", lambda text: [character for character in text if not character.isspace()])


def refuse_hangul(text: str, where: str) -> None:
    """Nothing; raises UserError when the text holds Hangul.

    rouge_score's tokenizer deletes every Hangul letter, so what it would score is only the digits and tags left over:
    two unrelated Korean summaries that mention #Person1# come out as 1.0.
    """
    found = _HANGUL.search(text)
    if found:
        raise UserError(
            f"{where} holds Hangul ({found.group()!r}), which the google profile would delete before scoring: "
            "unrelated Korean texts would score 1.0. "
            "Use --profile leaderboard (morphemes), korouge (whitespace) or rouge101 for Korean."
        )


def get_tokenizer(name: str, use_stemmer: bool = False, cache_dir: str | Path | None = None) -> Tokenizer:
    """The tokenizer of that name.

    ``cache_dir`` is where morphemes are remembered (see ``morphemes.cache_path``); only ``mecab`` and ``kiwi`` use it.
    Raises UserError for an unknown name, for a stemmer on a tokenizer that has none, and when the analyser is not
    installed: an analyser is part of the metric's name, so there is no fallback.
    """
    if use_stemmer and name not in ("whitespace", "alnum"):
        raise UserError(
            f"tokenizer {name!r} takes no stemmer; the Porter stemmer is for English words. "
            "Leave use_stemmer off, or use tokenizer 'whitespace' or 'alnum'."
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
    raise UserError(f"unknown tokenizer {name!r}; there are: {', '.join(TOKENIZERS)}.")
