"""A scene under construction: speakers, turns, and a summary in three wordings."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from competitions.daily_talk.generator.korean import agree

_MARK = re.compile("[\ue000-\ue00f]")  # private-use characters stand for speakers until their order is known


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
    """What a situation writes into. All chance comes from `rng`, so a seed fixes the text."""

    rng: random.Random
    polite: bool = True
    topic: str = ""
    turns: list[tuple[Speaker, str]] = field(default_factory=list)
    summaries: tuple[str, ...] = ()
    used_names: set[str] = field(default_factory=set)
    speakers: int = 0

    def pick(self, *options: str) -> str:
        """One of the options, equally likely."""
        return self.rng.choice(options)

    def some(self, options: list[str], n: int) -> list[str]:
        """n different options in random order."""
        return self.rng.sample(options, n)

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return self.rng.random() < p

    def speaker(self, names: list[str]) -> Speaker:
        """A new speaker whose name no other speaker of the scene has."""
        name = self.rng.choice([n for n in names if n not in self.used_names])
        self.used_names.add(name)
        self.speakers += 1
        return Speaker(self.speakers - 1, name)

    def say(self, who: Speaker, *wordings: str) -> None:
        """Add one turn, spoken in one of the wordings."""
        self.turns.append((who, self.rng.choice(wordings)))

    def level(self, polite: str, casual: str) -> str:
        """The wording that fits the scene's speech level."""
        return polite if self.polite else casual

    def summarize(self, first: str, second: str, third: str) -> None:
        """Set the three wordings of the summary."""
        self.summaries = (first, second, third)

    def finish(self, situation: str) -> Talk:
        """The finished talk. Raises ValueError when the scene breaks a rule of the format."""
        order: dict[str, int] = {}
        for who, _ in self.turns:
            order.setdefault(str(who), len(order) + 1)

        def text(raw: str) -> str:
            tagged = _MARK.sub(lambda m: f"#Person{order[m[0]]}#", raw)
            return re.sub(r"\s+", " ", agree(tagged)).strip()

        merged: list[tuple[Speaker, str]] = []
        for who, words in self.turns:
            if merged and merged[-1][0] == who:
                merged[-1] = (who, f"{merged[-1][1]} {words}")
            else:
                merged.append((who, words))
        if not 4 <= len(merged) <= 20 or not 2 <= len(order) <= 4 or not self.topic:
            raise ValueError(f"{situation}: {len(merged)} turns, {len(order)} speakers, topic {self.topic!r}")
        if len(self.summaries) != 3 or len(set(self.summaries)) != 3:
            raise ValueError(f"{situation}: three different summaries wanted, got {self.summaries}")
        dialogue = "\n".join(f"#Person{order[str(who)]}#: {text(words)}" for who, words in merged)
        a, b, c = (text(s) for s in self.summaries)
        left = re.search(r"[\[\]{}\ue000-\ue00f]|  ", dialogue + a + b + c)
        if left:
            raise ValueError(f"{situation}: unresolved marker near {left[0]!r}")
        return Talk(dialogue, (a, b, c), text(self.topic), situation)


Situation = Callable[[Scene], None]


def make(situation: Situation, seed: str) -> Talk:
    """The talk that a situation makes of a seed; the same seed gives the same talk on every machine."""
    scene = Scene(random.Random(seed))
    scene.polite = scene.chance(0.5)
    situation(scene)
    return scene.finish(situation.__name__)
