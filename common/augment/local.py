"""Methods that need no model: speakers exchanged, small talk dropped. Pure functions of a row, settings and a seed."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from common.augment.particles import agree
from common.augment.products import FIRST, SECOND, Product, exchange
from common.dialogue import TAG, Turn, clean, parse, render, tags
from common.files import sha256_texts
from common.rows import Row

T = TypeVar("T")
_WORD = re.compile(r"[0-9]+|[A-Za-z]+|[가-힣]+")
_SENTENCE = re.compile(r"(?<=[.!?…~])\s+")
_QUESTION = re.compile(r"[?？]")


@dataclass(frozen=True)
class SpeakerSwapConfig:
    """Exchange of the first two speakers: nothing to set."""


@dataclass(frozen=True)
class TurnDropConfig:
    """Dropping turns that carry nothing of the summary."""

    share: float = 0.5
    """Of the turns that may go, how many do, more than 0 and at most 1; always one at least."""
    longest: int = 20
    """Letters of the longest turn that may go."""
    join: bool = True
    """Make one turn of two by the same speaker that now meet: real dialogues have next to none of those."""


@dataclass(frozen=True)
class SentenceDropConfig:
    """Dropping sentences inside turns that carry nothing of the summary."""

    share: float = 0.5
    """Of the sentences that may go, how many do, more than 0 and at most 1; always one at least."""
    longest: int = 30
    """Letters of the longest sentence that may go."""


def speaker_swap(row: Row) -> Product | str:
    """The row with the first two speakers exchanged in dialogue and summaries, or why it cannot be done.

    All other tags stay. Particles behind a speaker tag take the form that the tag's number wants: of the corpus's
    summaries 91 % write #Person1#은, 이, 을, 과 (일) and 95 % #Person2#는, 가, 를, 와 (이), so left alone they would
    be wrong nearly everywhere. A caveat: in all 2,500 + 499 + 499 real dialogues #Person1# speaks first, and in what comes
    of this #Person2# does.
    """
    dialogue = clean(row.dialogue)
    if not {FIRST, SECOND} <= {turn.speaker for turn in parse(dialogue)}:
        return f"not_applicable: the dialogue is not one of {FIRST} with {SECOND}"
    swapped = agree(exchange(render(parse(dialogue))))
    return Product(swapped, tuple(agree(exchange(clean(text))) for text in row.summaries), (), exchanged=True)


def turn_drop(row: Row, config: TurnDropConfig, seed: int) -> Product | str:
    """The row without a share of its small talk, or why there is none to drop.

    A turn may go when it is short, neither first nor last, no question nor what follows one, and holds no tag, no
    digit and no word of a summary.
    """
    turns = parse(clean(row.dialogue))
    told = _told(row.summaries)
    free = [
        place
        for place in range(1, len(turns) - 1)
        if _idle(turns[place].text, told, config.longest)
        and turns[place].speaker
        and not _QUESTION.search(turns[place - 1].text)
    ]
    if not free:
        return "not_applicable: no turn may be dropped"
    gone = set(_draw(free, config.share, row, seed, "turn_drop"))
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
    """The row without a share of the sentences that carry nothing of the summary, or why there is none to drop.

    Every turn keeps its last sentence, the first and the last turn keep all; otherwise as `turn_drop`.
    """
    turns = parse(clean(row.dialogue))
    told = _told(row.summaries)
    parts = [sentences(turn.text) for turn in turns]
    free = [
        (place, number)
        for place in range(1, len(turns) - 1)
        for number, sentence in enumerate(parts[place][:-1])
        if _idle(sentence, told, config.longest)
        and not _QUESTION.search(parts[place][number - 1] if number else turns[place - 1].text)
    ]
    if not free:
        return "not_applicable: no sentence may be dropped"
    gone = set(_draw(free, config.share, row, seed, "sentence_drop"))
    kept = [
        Turn(
            turn.speaker, " ".join(s for number, s in enumerate(parts[place]) if (place, number) not in gone)
        )
        for place, turn in enumerate(turns)
    ]
    return Product(render(kept), tuple(map(clean, row.summaries)))


def sentences(text: str) -> list[str]:
    """The sentences of a turn, cut behind . ! ? … ~ and a space; joined by spaces they are the turn again."""
    return _SENTENCE.split(text)


def _draw(free: Sequence[T], share: float, row: Row, seed: int, method: str) -> list[T]:
    """A share of what is free, one at least; what one row draws does not depend on the rows around it."""
    rng = random.Random(sha256_texts([method, str(seed), row.id]))
    return rng.sample(free, max(1, round(share * len(free))))


def _pairs(text: str) -> set[str]:
    """What makes words recognisable in spite of their endings: runs of two Hangul letters, whole other words."""
    found: set[str] = set()
    for word in _WORD.findall(TAG.sub(" ", text).lower()):
        hangul = "가" <= word[0] <= "힣"
        found |= {word[i : i + 2] for i in range(len(word) - 1)} if hangul and len(word) > 1 else {word}
    return found


def _told(summaries: Sequence[str]) -> set[str]:
    return set().union(*map(_pairs, map(clean, summaries))) if summaries else set()


def _idle(text: str, told: set[str], longest: int) -> bool:
    """Whether a text is short and says nothing that a summary tells, asks or names."""
    letters = sum(letter.isalnum() for letter in text)
    if not 0 < letters <= longest or tags(text) or _QUESTION.search(text):
        return False
    return not any(letter.isdigit() for letter in text) and not _pairs(text) & told
