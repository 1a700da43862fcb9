"""Back-translation turn by turn: what is sent to the translator never holds a tag, and every tag stays in its place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from common.augment.local import sentences
from common.augment.products import Product
from common.dialogue import TAG, Turn, clean, parse, render
from common.rows import Row

Language = Literal["ko", "en"]
Translator = Callable[[Sequence[str], Language, Language], list[str]]
"""(texts, from, to) → as many texts, in order."""

InnerTags = Literal["keep", "split", "reject"]


@dataclass(frozen=True)
class TranslatorConfig:
    """Which model translates, and how."""

    model: str = "facebook/m2m100_418M"
    """m2m100 (MIT), NLLB or mBART-50 many-to-many: hub id, local folder, or tiny:m2m100, tiny:nllb (random)."""
    revision: str | None = None
    """Commit on the hub; none takes the newest, which run.json records."""
    accept_noncommercial_licence: bool = False
    """NLLB is CC-BY-NC-4.0: its translations may not be used commercially. It is refused unless you accept that."""
    engine: Literal["hf", "ctranslate2"] = "hf"
    """hf: transformers; ctranslate2: faster on a CPU (extra ctranslate2)."""
    ct2_weights: Literal["float32", "int8"] = "float32"
    """What ctranslate2 keeps the weights in."""
    beams: int = 4
    """Beam width; 1 is greedy."""
    max_new_tokens: int = 256
    """Longest translation of one turn, in tokens; at most twice the longest turn of its batch."""
    tokens_at_once: int = 16384
    """Rows times (source + translation) times beams of one batch."""


@dataclass(frozen=True)
class BackTranslationConfig:
    """Korean to English and back, turn by turn."""

    translator: TranslatorConfig = TranslatorConfig()
    pivot: Language = "en"
    """The language between."""
    inner_tags: InnerTags = "keep"
    """A turn with a tag inside. keep: sentences with one stay as they are; split: what is between the tags is translated
    piece by piece; reject: the row is left out."""
    summaries: bool = False
    """Translate the summaries too, under the same rule; otherwise they are kept."""
    rows_at_once: int = 16
    """Dialogues translated between two saves: what a crash loses at most."""


def back_translate(
    rows: Sequence[Row], translate: Translator, config: BackTranslationConfig, language: Language = "ko"
) -> list[Product | str]:
    """Every row told again by way of the pivot language, or why it is left out; the translator is called twice.

    It gets words only: no speaker prefix, no tag. Blank pieces stay as they are. Nothing is checked here but the
    number of answers: that is the guards'. Raises ValueError when the translator answers with another number of texts.
    """
    plans = [_plan(row, config) for row in rows]
    wanted = sorted({piece for plan in plans for parts in plan for piece, sent in parts if sent})
    there = _asked(translate, wanted, language, config.pivot)
    back = _asked(translate, there, config.pivot, language)
    said = dict(zip(wanted, back, strict=True))
    made: list[Product | str] = []
    for row, plan in zip(rows, plans, strict=True):
        if not plan:
            made.append("inner_tags: a turn holds a tag")
            continue
        texts = [" ".join(said[piece] if sent else piece for piece, sent in parts) for parts in plan]
        turns = parse(clean(row.dialogue))
        dialogue = render(
            [Turn(turn.speaker, text) for turn, text in zip(turns, texts[: len(turns)], strict=True)]
        )
        summaries = tuple(texts[len(turns) :]) if config.summaries else tuple(map(clean, row.summaries))
        made.append(Product(dialogue, summaries))
    return made


def _asked(translate: Translator, texts: Sequence[str], source: Language, target: Language) -> list[str]:
    """The translations, each on one line."""
    found = translate(texts, source, target) if texts else []
    if len(found) != len(texts):
        raise ValueError(f"the translator answered {len(found)} texts to {len(texts)}, {source} to {target}")
    return [" ".join(text.split()) for text in found]


def _plan(row: Row, config: BackTranslationConfig) -> list[list[tuple[str, bool]]]:
    """For each turn, then each summary to be translated, its pieces and whether they are sent; [] to leave the row out."""
    texts = [turn.text for turn in parse(clean(row.dialogue))]
    if config.inner_tags == "reject" and any(TAG.search(text) for text in texts):
        return []
    if config.summaries:
        texts += [clean(text) for text in row.summaries]
    return [pieces(text, config.inner_tags) for text in texts]


def pieces(text: str, inner_tags: InnerTags) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is sent; joined by spaces they are the text.

    A piece that is sent holds a letter and no tag.
    """
    if not TAG.search(text):
        return [(text, _has_words(text))]
    if inner_tags == "split":
        parts = _runs(text.split(" "), lambda word: bool(TAG.search(word)))
    else:
        parts = _runs(sentences(text), lambda sentence: bool(TAG.search(sentence)))
    return [(part, not TAG.search(part) and _has_words(part)) for part in parts]


def _runs(parts: Sequence[str], apart: Callable[[str], bool]) -> list[str]:
    """Neighbouring parts joined by spaces, except that those which stand apart are alone."""
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
