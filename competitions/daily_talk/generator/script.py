"""Reads situation files, whose steps say, choose and branch. The README describes the format."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from competitions.daily_talk.generator.document import (
    DataError,
    Key,
    Place,
    compose,
    items,
    pairs,
    place,
    text,
)
from competitions.daily_talk.generator.engine import Scene, Speaker
from competitions.daily_talk.generator.expressions import SCENE, Names, Vocabulary
from competitions.daily_talk.generator.functions import FUNCTIONS, functions
from competitions.daily_talk.generator.values import Row, Values, bind, nothing
from competitions.daily_talk.generator.words import shared_lists

FOLDER = Path(__file__).parent / "situations"
Step = Callable[[Names], Any]


class _StopError(Exception):
    """The scene ends before its last step."""


class Situation:
    """What one file describes; `play` writes a talk into a scene.

    Raises DataError when the file breaks a rule of the format.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem.partition("_")[2]
        self._vocabulary = Vocabulary(frozenset({*FUNCTIONS, *shared_lists(), "polite", "summaries"}))
        self._values = Values(self._vocabulary)
        self._lists: dict[str, list[Any]] = {}
        self._tables: dict[str, list[Row]] = {}
        self._parts: dict[str, Step] = {}
        self._called: list[tuple[str, Place]] = []
        self._speakers: set[str] = set()
        root = compose(path)
        entries = dict(pairs(root))
        for key in entries:
            if key not in ("about", "lists", "scene", "parts"):
                raise key.place.error(f"unknown key {key!r}; a file has about, lists, scene and parts.")
        for wanted in ("about", "scene"):
            if wanted not in entries:
                raise place(root).error(f"key {wanted!r} is missing; every file has about and scene.")
        self.about = text(entries["about"])
        for name, node in pairs(entries["lists"]) if "lists" in entries else []:
            self._list(self._vocabulary.define(name, name.place), node)
        for name, node in pairs(entries["parts"]) if "parts" in entries else []:
            self._parts[name] = self._steps(node)
        self._scene = self._steps(entries["scene"])
        for part, where in self._called:
            if part not in self._parts:
                raise where.error(
                    f"unknown part {part!r}; the parts are: {', '.join(self._parts) or 'none'}."
                )
        self._vocabulary.check()

    def play(self, scene: Scene) -> None:
        """Write one talk into the scene.

        Raises DataError when a step fails, and `TooCommonError` as `Scene.say` does.
        """
        names: Names = {**shared_lists(), **functions(scene), **self._lists, **dict.fromkeys(self._speakers)}
        names |= {SCENE: scene, "polite": scene.polite, "summaries": (), "__builtins__": {}}
        names |= {table: bind(rows, names) for table, rows in self._tables.items()}
        try:
            self._scene(names)
        except _StopError:
            return

    def _list(self, name: str, node: yaml.Node) -> None:
        entries = items(node)
        if entries and isinstance(entries[0], yaml.MappingNode):
            self._tables[name] = self._values.rows(node)
        else:
            self._lists[name] = [self._values.value(entry)({}) for entry in entries]

    def _steps(self, node: yaml.Node) -> Step:
        steps = [self._step(item) for item in items(node)]

        def run(names: Names) -> None:
            for step in steps:
                step(names)

        return run

    def _step(self, node: yaml.Node) -> Step:
        if isinstance(node, yaml.ScalarNode):
            return _bare_step(node)
        key, value = pairs(node)[0]
        word = key.partition(" ")[0]
        if word in ("if", "case"):
            return self._values.branch(node, self._steps, nothing)
        if len(node.value) > 1:
            raise place(node).error(
                f"a step has one key, this one has {', '.join(key for key, _ in pairs(node))}."
            )
        if word == "for":
            return self._for(key, value)
        steps = {
            "set": self._set,
            "take": self._take,
            "speakers": self._new_speakers,
            "topic": self._topic,
            "summary": self._summary,
            "do": self._do,
        }
        return steps[key](value) if key in steps else self._say(key, value)

    def _say(self, key: Key, node: yaml.Node) -> Step:
        """Say a turn of the speaker that the key names, in one of the wordings."""
        speaker = self._vocabulary.formula(key, key.place)
        wordings = self._values.options(node)

        def say(names: Names) -> None:
            found = speaker(names)
            if not isinstance(found, Speaker):
                raise key.place.error(
                    f"{key} is {found!r}, not a speaker; add the step 'speakers: {key}' before."
                )
            spoken = wordings(names)
            if not spoken:
                raise key.place.error("there is nothing to say; add a wording.")
            try:
                names[SCENE].say(found, *map(str, spoken))
            except DataError:
                raise
            except ValueError as error:  # a particle after something that has no known reading
                raise key.place.error(f"{error}.") from error

        return say

    def _set(self, node: yaml.Node) -> Step:
        """Give names their values; several names before one colon share out the items of a list."""
        assignments = [
            (
                key,
                [self._vocabulary.define(name, key.place) for name in key.split(", ")],
                self._values.value(value),
            )
            for key, value in pairs(node)
        ]

        def assign(names: Names) -> None:
            for key, targets, value in assignments:
                found = value(names)
                if len(targets) == 1:
                    names[targets[0]] = found
                elif isinstance(found, list | tuple) and len(found) == len(targets):
                    names.update(zip(targets, found, strict=True))
                else:
                    raise key.place.error(f"{len(targets)} values wanted for {key}, found {found!r}.")

        return assign

    def _take(self, node: yaml.Node) -> Step:
        """Choose a row of a table, which a formula names or which stands here; its fields become names."""
        row = self._values.one_of(self._values.table(node), place(node))

        def take(names: Names) -> None:
            names.update(row(names).values())

        return take

    def _new_speakers(self, node: yaml.Node) -> Step:
        """Add speakers with names from `GIVEN`, or from the list after each one's colon."""
        where = place(node)
        if isinstance(node, yaml.ScalarNode):
            sources = dict.fromkeys(node.value.split(", "), "GIVEN")
        else:
            sources = {str(name): text(value) for name, value in pairs(node)}
        lists = {
            self._vocabulary.define(name, where): self._vocabulary.formula(source, where)
            for name, source in sources.items()
        }
        self._speakers |= set(lists)

        def introduce(names: Names) -> None:
            names.update((name, names[SCENE].speaker(given(names))) for name, given in lists.items())

        return introduce

    def _topic(self, node: yaml.Node) -> Step:
        topic = self._values.one_of(self._values.options(node), place(node))

        def choose(names: Names) -> None:
            names[SCENE].topic = topic(names)

        return choose

    def _summary(self, node: yaml.Node) -> Step:
        summaries = self._values.options(node)
        if len(items(node)) != 3:
            raise place(node).error(f"a summary has three wordings, this one has {len(items(node))}.")

        def summarize(names: Names) -> None:
            names["summaries"] = names[SCENE].summaries = tuple(summaries(names))

        return summarize

    def _do(self, node: yaml.Node) -> Step:
        where = place(node)
        part = self._vocabulary.text(text(node), where)
        if "$" not in text(node):
            self._called.append((text(node), where))

        def do(names: Names) -> None:
            name = part(names)
            if name not in self._parts:
                raise where.error(f"unknown part {name!r}; the parts are: {', '.join(self._parts)}.")
            self._parts[name](names)

        return do

    def _for(self, key: Key, node: yaml.Node) -> Step:
        """Do the steps once for each value of `for NAME in FORMULA`."""
        name, _, source = key.removeprefix("for ").partition(" in ")
        self._vocabulary.define(name, key.place)
        values, steps = self._vocabulary.formula(source, key.place), self._steps(node)

        def loop(names: Names) -> None:
            for value in values(names):
                names[name] = value
                steps(names)

        return loop


def _bare_step(node: yaml.ScalarNode) -> Step:
    """Return a step without a value: `stop` ends the scene, `start over` forgets every turn so far."""

    def stop(names: Names) -> None:
        raise _StopError

    def start_over(names: Names) -> None:
        names[SCENE].turns.clear()

    steps = {"stop": stop, "start over": start_over}
    if node.value not in steps:
        raise place(node).error(f"unknown step {node.value!r}; did you forget the colon after a speaker?")
    return steps[node.value]


def all_situations() -> list[Situation]:
    """Return every situation in the order of the file names.

    Raises DataError when a file breaks a rule of the format.
    """
    return [Situation(path) for path in sorted(FOLDER.glob("*.yaml"))]
