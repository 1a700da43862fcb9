"""A dialogue in the making: speakers, turns, and a summary in three wordings."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Protocol

from competitions.daily_talk.generator.everyday import WINDOW, Everyday
from competitions.daily_talk.generator.korean import agree, plain, two_sentences

PLAIN = 0.25
"""Share of the summaries in plain style (한다); the others are in formal style (합니다), as in the field's data."""
TWO_SENTENCES = 0.9
"""Share of the summaries that become two sentences, of those that can; in the field's data half have one sentence."""
_MARK = re.compile("[\ue000-\ue00f]")  # private-use characters stand for speakers until their order is known


class TooCommonError(Exception):
    """A talk has a run of characters that another corpus has."""


@dataclass(frozen=True)
class Talk:
    """One finished dialogue: turns joined by newlines, three summaries, a topic and its situation."""

    dialogue: str
    summaries: tuple[str, str, str]
    topic: str
    situation: str


@dataclass(frozen=True)
class Speaker:
    """A speaker; inside an f-string it becomes `#PersonN#`, N being the order of first speech."""

    index: int
    name: str

    def __str__(self) -> str:
        return chr(0xE000 + self.index)


@dataclass
class Scene:
    """A dialogue in the making. All chance comes from `rng`, so a seed fixes the text."""

    rng: random.Random
    everyday: Everyday
    polite: bool = True
    topic: str = ""
    turns: list[tuple[Speaker, str]] = field(default_factory=list)
    summaries: tuple[str, ...] = ()
    used_names: set[str] = field(default_factory=set)
    speakers: int = 0

    def speaker(self, names: list[str]) -> Speaker:
        """Return a new speaker whose name no other speaker of the scene has."""
        name = self.rng.choice([n for n in names if n not in self.used_names])
        self.used_names.add(name)
        self.speakers += 1
        return Speaker(self.speakers - 1, name)

    def say(self, who: Speaker, *wordings: str) -> None:
        """Add one turn in one of the wordings, equally likely unless some have a run that is in the list.

        Raises `TooCommonError` when every wording has one, together with the turns before.
        """
        before = self.turns[-3:]
        heard = max(0, len("\n".join(self._lines(before))) - WINDOW + 1)  # looked at when it was said
        order = self._order(who)
        tags = [f"\n#Person{n}#: " for n in range(1, len(order) + 2) if n != order[str(who)]]
        found = None
        for wording in self.rng.sample(wordings, len(wordings)):
            spoken = "\n".join(self._lines([*before, (who, wording)]))[heard:]
            if self.everyday.holds(spoken):
                continue
            found = found or wording
            # Who speaks next is not known yet, and their tag may complete what the list has.
            if not any(self.everyday.holds(spoken[1 - WINDOW :] + tag) for tag in tags):
                found = wording
                break
        if found is None:
            raise TooCommonError
        self.turns.append((who, found))

    def _order(self, *also: Speaker) -> dict[str, int]:
        """Return each speaker's number, in the order of first speech."""
        order: dict[str, int] = {}
        for who in [*(who for who, _ in self.turns), *also]:
            order.setdefault(str(who), len(order) + 1)
        return order

    def _lines(self, turns: list[tuple[Speaker, str]]) -> list[str]:
        """Return a line for each turn; successive turns of one speaker are one."""
        order = self._order(*(who for who, _ in turns))
        runs = [(who, " ".join(words for _, words in run)) for who, run in groupby(turns, key=itemgetter(0))]
        return [f"#Person{order[str(who)]}#: {self._text(words, order)}" for who, words in runs]

    def _text(self, raw: str, order: dict[str, int]) -> str:
        # Somebody who is spoken of before they speak would get the next number.
        tagged = _MARK.sub(lambda m: f"#Person{order.get(m[0], len(order) + 1)}#", raw)
        return re.sub(r"\s+", " ", agree(tagged)).strip()

    def _sometimes(self, share: float, change: Callable[[str], str], text: str) -> str:
        return change(text) if self.rng.random() < share else text

    def finish(self, situation: str) -> Talk:
        """Return the finished talk.

        Raises ValueError when the scene breaks a rule of the format, and `TooCommonError` when a run of it is in the list.
        """
        order = self._order()
        lines = self._lines(self.turns)
        if not 4 <= len(lines) <= 20 or not 2 <= len(order) <= 4 or not self.topic:
            raise ValueError(
                f"{situation}: a talk with {len(lines)} turns, {len(order)} speakers and topic {self.topic!r}; "
                "wanted are 4 to 20 turns, 2 to 4 speakers and a topic."
            )
        if len(self.summaries) != 3 or len(set(self.summaries)) != 3:
            raise ValueError(f"{situation}: three different summaries are wanted, found {self.summaries}.")
        dialogue = "\n".join(lines)
        written = [self._text(summary, order) for summary in self.summaries]
        cut = [
            self._sometimes(TWO_SENTENCES, partial(two_sentences, names=self.used_names), text)
            for text in written
        ]
        a, b, c = (self._sometimes(PLAIN, plain, text) for text in cut)
        left = re.search(r"[\[\]{}\ue000-\ue00f]|  ", dialogue + a + b + c)
        if left:
            raise ValueError(
                f"{situation}: {left[0]!r} is left in a talk; write every marker as README.md says."
            )
        if any(self.everyday.holds(summary) for summary in (a, b, c)):
            raise TooCommonError
        return Talk(dialogue, (a, b, c), self._text(self.topic, order), situation)


class Situation(Protocol):
    """What makes talks; its name is part of their seeds."""

    name: str

    def play(self, scene: Scene) -> None:
        """Write one talk into the scene."""


def make(situation: Situation, seed: str, everyday: Everyday) -> Talk:
    """Return the talk that a situation makes of a seed; the same seed gives the same talk on every machine.

    Raises `TooCommonError` when it has a run that is in the list.
    """
    rng = random.Random(seed)
    scene = Scene(rng, everyday, polite=rng.random() < 0.5)
    situation.play(scene)
    return scene.finish(situation.name)
