"""Translate dialogues to another language and back, turn by turn; tags are never sent and keep their places."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from common.augment.local import turn_sentences
from common.augment.products import Product
from common.core.errors import UserError
from common.core.ranges import Text
from common.data.dialogue import TAG, Turn, clean, parse, render
from common.data.rows import Row

Language = Literal["ko", "en"]
Translator = Callable[[Sequence[str], Language, Language], list[str]]
"""(texts, source language, target language) → the translations, in order."""

NONCOMMERCIAL = re.compile(r"nllb", re.IGNORECASE)
InnerTags = Literal["keep", "split", "reject"]


@dataclass(frozen=True)
class TranslatorConfig:
    """Settings of the translation model."""

    model: Text = "facebook/m2m100_418M"
    """An m2m100 (MIT), NLLB or mBART-50 many-to-many model: hub id, local folder, or a random tiny:m2m100, tiny:nllb."""
    revision: Text | None = None
    """Commit on the hub; None uses the newest, which run.json records."""
    accept_noncommercial_licence: bool = False
    """Whether you accept NLLB's licence CC-BY-NC-4.0, which forbids commercial use of its translations; required for NLLB."""
    engine: Literal["hf", "ctranslate2"] = "hf"
    """hf: transformers; ctranslate2: faster on a CPU (needs the extra ctranslate2)."""
    ct2_weights: Literal["float32", "int8"] = "float32"
    """Data type of the weights in ctranslate2."""
    beams: Annotated[int, Ge(1), Le(64)] = 4
    """Beam width; 1 is greedy."""
    max_new_tokens: Annotated[int, Ge(1), Le(32_768)] = 256
    """Maximum number of tokens of a translation; also limited to 10 plus twice the longest source of its batch."""
    tokens_at_once: Annotated[int, Ge(1), Le(2**31)] = 16384
    """Maximum size of a batch: the sum over its texts of (source + translation tokens) × beams."""


def require_accepted(config: TranslatorConfig, names: Sequence[str]) -> bool:
    """Return whether one of the model's names is that of NLLB. Raises UserError if its licence was not accepted."""
    if not any(map(NONCOMMERCIAL.search, names)):
        return False
    if not config.accept_noncommercial_licence:
        raise UserError(
            f"{config.model} is an NLLB model, licensed CC-BY-NC-4.0: no commercial use, also of its translations. "
            "Accept that with --accept-noncommercial-licence true, or use facebook/m2m100_418M (MIT)."
        )
    return True


@dataclass(frozen=True)
class BackTranslationConfig:
    """Settings of `back_translate`."""

    translator: TranslatorConfig = TranslatorConfig()
    pivot: Literal["en"] = "en"
    """The intermediate language."""
    inner_tags: InnerTags = "keep"
    """How to treat a turn with a tag inside. keep: do not translate sentences with a tag; split: translate the pieces
    between tags; reject: leave out the row."""
    summaries: bool = False
    """Whether to translate the summaries too, with the same rule for tags; otherwise they are kept."""
    rows_at_once: Annotated[int, Ge(1), Le(100_000)] = 16
    """Number of dialogues per save: the most that a crash can lose."""


def back_translate(
    rows: Sequence[Row], translate: Translator, config: BackTranslationConfig, language: Language = "ko"
) -> list[Product | str]:
    """Return every row translated to the pivot language and back, or why it is left out.

    The translator is called twice, with texts without speaker prefixes and tags. Pieces without letters are not
    translated. The guards check the result later. Raises ValueError if the translator returns another number of texts.
    """
    plans = [_plan(row, config) for row in rows]
    wanted = sorted({piece for plan in plans for parts in plan for piece, sent in parts if sent})
    pivots = _translated(translate, wanted, language, config.pivot)
    back = _translated(translate, pivots, config.pivot, language)
    translations = dict(zip(wanted, back, strict=True))
    made: list[Product | str] = []
    for row, plan in zip(rows, plans, strict=True):
        if not plan:
            made.append("inner_tags: a turn holds a tag")
            continue
        texts = [" ".join(translations[piece] if sent else piece for piece, sent in parts) for parts in plan]
        turns = parse(clean(row.dialogue))
        dialogue = render(
            [Turn(turn.speaker, text) for turn, text in zip(turns, texts[: len(turns)], strict=True)]
        )
        summaries = tuple(texts[len(turns) :]) if config.summaries else tuple(map(clean, row.summaries))
        made.append(Product(dialogue, summaries))
    return made


def _translated(translate: Translator, texts: Sequence[str], source: Language, target: Language) -> list[str]:
    """Return the translations, each on one line."""
    found = translate(texts, source, target) if texts else []
    if len(found) != len(texts):
        raise ValueError(f"the translator returned {len(found)} texts for {len(texts)}, {source} to {target}")
    return [" ".join(text.split()) for text in found]


def _plan(row: Row, config: BackTranslationConfig) -> list[list[tuple[str, bool]]]:
    """Return the pieces of each turn, then of each summary to translate, as `pieces` does; [] to leave out the row."""
    texts = [turn.text for turn in parse(clean(row.dialogue))]
    if config.inner_tags == "reject" and any(TAG.search(text) for text in texts):
        return []
    if config.summaries:
        texts += [clean(text) for text in row.summaries]
    return [pieces(text, config.inner_tags) for text in texts]


def pieces(text: str, inner_tags: InnerTags) -> list[tuple[str, bool]]:
    """Return the text as (piece, whether to translate it) pairs; joined by spaces the pieces are the text.

    A piece to translate contains a letter and no tag.
    """
    if not TAG.search(text):
        return [(text, _has_words(text))]
    if inner_tags == "split":
        parts = _runs(text.split(" "), lambda word: bool(TAG.search(word)))
    else:
        parts = _runs(turn_sentences(text), lambda sentence: bool(TAG.search(sentence)))
    return [(part, not TAG.search(part) and _has_words(part)) for part in parts]


def _runs(parts: Sequence[str], apart: Callable[[str], bool]) -> list[str]:
    """Return the parts with neighbours joined by spaces, except those for which `apart` is true."""
    found: list[str] = []
    joins = False
    for part in parts:
        alone = apart(part)
        if joins and not alone:
            found[-1] = f"{found[-1]} {part}"
        else:
            found.append(part)
        joins = not alone
    return found


def _has_words(text: str) -> bool:
    return any(letter.isalpha() for letter in text)
