"""The functions that a formula of a situation file may call."""

from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Any

from competitions.daily_talk.generator import words
from competitions.daily_talk.generator.engine import Scene, Speaker
from competitions.daily_talk.generator.everyday import Everyday
from competitions.daily_talk.generator.korean import final_sound


def nick(name: str) -> str:
    """Return a given name as friends say it before a particle: 하늘이, 지호."""
    return name + "이" if final_sound(name) else name


def functions(scene: Scene) -> dict[str, Callable[..., Any]]:
    """Return every function by its name; all chance comes from the scene's generator."""
    rng = scene.rng

    def choice(options: Iterable[Any]) -> Any:
        return rng.choice(list(options))

    def shuffled(options: Iterable[Any]) -> list[Any]:
        found = list(options)
        rng.shuffle(found)
        return found

    def chance(p: float) -> bool:
        return rng.random() < p

    def called(who: Speaker) -> str:
        return f"{who.name} 씨" if scene.polite else f"{who.name}[아/야]"

    def unused(names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in scene.used_names]

    def spoken(turn: int) -> str:
        return scene.turns[turn][1]

    def speaker_of(turn: int) -> Speaker:
        return scene.turns[turn][0]

    def has_spoken(who: Speaker) -> bool:
        return any(speaker == who for speaker, _ in scene.turns)

    named: tuple[Callable[..., Any], ...] = (choice, shuffled, chance, called, nick, unused, spoken,
                                             speaker_of, has_spoken, any, len, max)  # fmt: skip
    of_words = (words.clock, words.won, words.month_day, words.work_hours)
    found: dict[str, Callable[..., Any]] = {function.__name__: function for function in named}
    found |= {function.__name__: partial(function, rng) for function in of_words}
    return found | {"sample": rng.sample, "randint": rng.randint, "randrange": rng.randrange, "range": range}


FUNCTIONS = frozenset(functions(Scene(Random(0), Everyday(frozenset()))))
"""The functions' names."""
