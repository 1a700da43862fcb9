"""Make rows without a model: exchange speakers, drop small talk. Pure functions of a row, settings and a seed."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from annotated_types import Ge, Gt, Le

from common.augment.particles import fix_particles
from common.augment.products import FIRST, SECOND, Product, exchange
from common.core.files import sha256_texts
from common.data.dialogue import TAG, Turn, clean, parse, render, tags
from common.data.rows import Row

T = TypeVar("T")
_WORD = re.compile(r"[0-9]+|[A-Za-z]+|[가-힣]+")
_SENTENCE = re.compile(r"(?<=[.!?…~])\s+")
_QUESTION = re.compile(r"[?？]")


@dataclass(frozen=True)
class SpeakerSwapConfig:
    """Settings of `speaker_swap`: none."""


@dataclass(frozen=True)
class TurnDropConfig:
    """Settings of `turn_drop`."""

    share: Annotated[float, Gt(0), Le(1)] = 0.5
    """Share of the droppable turns to drop, more than 0 and at most 1; at least one turn is dropped."""
    longest: Annotated[int, Ge(1), Le(10_000)] = 20
    """Maximum number of letters and digits of a droppable turn."""
    join: bool = True
    """Whether to join the turns of one speaker that become adjacent; real dialogues have almost none of these."""


@dataclass(frozen=True)
class SentenceDropConfig:
    """Settings of `sentence_drop`."""

    share: Annotated[float, Gt(0), Le(1)] = 0.5
    """Share of the droppable sentences to drop, more than 0 and at most 1; at least one sentence is dropped."""
    longest: Annotated[int, Ge(1), Le(10_000)] = 30
    """Maximum number of letters and digits of a droppable sentence."""


def speaker_swap(row: Row) -> Product | str:
    """Return the row with the first two speakers exchanged in dialogue and summaries, or why that is impossible.

    All other tags stay. Particles after a speaker tag are adapted to its number: 91 % of the corpus's summaries write
    #Person1#은, 이, 을, 과 (일) and 95 % #Person2#는, 가, 를, 와 (이), so unchanged particles would almost always be
    wrong. Caveat: #Person1# speaks first in all 2,500 + 499 + 499 real dialogues, and #Person2# does in the products.
    """
    dialogue = clean(row.dialogue)
    if not {FIRST, SECOND} <= {turn.speaker for turn in parse(dialogue)}:
        return f"not_applicable: the dialogue is not one of {FIRST} with {SECOND}"
    swapped = fix_particles(exchange(render(parse(dialogue))))
    return Product(
        swapped, tuple(fix_particles(exchange(clean(text))) for text in row.summaries), (), exchanged=True
    )


def turn_drop(row: Row, config: TurnDropConfig, seed: int) -> Product | str:
    """Return the row without a share of its small talk, or why no turn can be dropped.

    A turn is droppable if it is short, neither first nor last, neither a question nor the turn after one, and contains
    no tag, no digit and no word of a summary.
    """
    turns = parse(clean(row.dialogue))
    summary_words = _summary_words(row.summaries)
    droppable = [
        place
        for place in range(1, len(turns) - 1)
        if _irrelevant(turns[place].text, summary_words, config.longest)
        and turns[place].speaker
        and not _QUESTION.search(turns[place - 1].text)
    ]
    if not droppable:
        return "not_applicable: no turn may be dropped"
    gone = set(_sample(droppable, config.share, row, seed, "turn_drop"))
    kept: list[Turn] = []
    removed: list[str] = []
    for place, turn in enumerate(turns):
        if place in gone:
            removed.append(turn.speaker)
        elif config.join and place - 1 in gone and kept[-1].speaker == turn.speaker:
            kept[-1] = Turn(turn.speaker, f"{kept[-1].text} {turn.text}".strip())
            removed.append(turn.speaker)
        else:
            kept.append(turn)
    return Product(render(kept), tuple(map(clean, row.summaries)), tuple(removed))


def sentence_drop(row: Row, config: SentenceDropConfig, seed: int) -> Product | str:
    """Return the row without a share of the sentences that are irrelevant to the summary, or why none can be dropped.

    Every turn keeps its last sentence, and the first and the last turn keep all; the other rules are those of `turn_drop`.
    """
    turns = parse(clean(row.dialogue))
    summary_words = _summary_words(row.summaries)
    parts = [turn_sentences(turn.text) for turn in turns]
    droppable = [
        (place, number)
        for place in range(1, len(turns) - 1)
        for number, sentence in enumerate(parts[place][:-1])
        if _irrelevant(sentence, summary_words, config.longest)
        and not _QUESTION.search(parts[place][number - 1] if number else turns[place - 1].text)
    ]
    if not droppable:
        return "not_applicable: no sentence may be dropped"
    gone = set(_sample(droppable, config.share, row, seed, "sentence_drop"))
    kept = [
        Turn(
            turn.speaker, " ".join(s for number, s in enumerate(parts[place]) if (place, number) not in gone)
        )
        for place, turn in enumerate(turns)
    ]
    return Product(render(kept), tuple(map(clean, row.summaries)))


def turn_sentences(text: str) -> list[str]:
    """Return the sentences of a turn, split after . ! ? … ~ and spaces."""
    return _SENTENCE.split(text)


def _sample(droppable: Sequence[T], share: float, row: Row, seed: int, method: str) -> list[T]:
    """Return a random share of the items, at least one; the sample of a row does not depend on other rows."""
    rng = random.Random(sha256_texts([method, str(seed), row.id]))
    return rng.sample(droppable, max(1, round(share * len(droppable))))


def _pairs(text: str) -> set[str]:
    """Return the bigrams of Hangul words, which survive changes of endings, and all other words whole."""
    found: set[str] = set()
    for word in _WORD.findall(TAG.sub(" ", text).lower()):
        hangul = "가" <= word[0] <= "힣"
        found |= {word[i : i + 2] for i in range(len(word) - 1)} if hangul and len(word) > 1 else {word}
    return found


def _summary_words(summaries: Sequence[str]) -> set[str]:
    return set().union(*map(_pairs, map(clean, summaries))) if summaries else set()


def _irrelevant(text: str, summary_words: set[str], longest: int) -> bool:
    """Return whether a text is short and has no question, tag, digit or word of a summary."""
    letters = sum(letter.isalnum() for letter in text)
    if not 0 < letters <= longest or tags(text) or _QUESTION.search(text):
        return False
    return not any(letter.isdigit() for letter in text) and not _pairs(text) & summary_words
