"""Values of a situation file: wordings, formulas, choices, branches and tables."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import yaml

from competitions.daily_talk.generator.document import Key, Place, items, pairs, place, text
from competitions.daily_talk.generator.expressions import SCENE, Names, Value, Vocabulary

Row = dict[str, Value]
Leaf = Callable[[yaml.Node], Value]

_INTEGER = re.compile(r"-?[0-9]+")
_TRUTH = {"true": True, "false": False}


def nothing(names: Names) -> list[Any]:
    """Return no options; where steps are wanted, do nothing."""
    return []


class TableRow:
    """A row of a table in one talk; `row.field` fills in the field's text when it is asked for."""

    def __init__(self, fields: Row, names: Names) -> None:
        self._fields, self._names = fields, names

    def __getattr__(self, field: str) -> Any:
        if field.startswith("_") or field not in self._fields:
            raise AttributeError(f"a row has no field {field!r}")
        return self._fields[field](self._names)

    def values(self) -> Names:
        """Return every field's value by its name."""
        return {field: value(self._names) for field, value in self._fields.items()}


def bind(rows: list[Row], names: Names) -> list[TableRow]:
    """Return the rows of a table for one talk."""
    return [TableRow(row, names) for row in rows]


class Values:
    """Turns YAML nodes into values; the names that they use are noted in the vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def value(self, node: yaml.Node) -> Value:
        """Return a text, number, truth value or formula; of a list one option, equally likely."""
        if isinstance(node, yaml.MappingNode):
            return self.branch(node, self.value)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        return self.one_of(self.options(node), place(node))

    def one_of(self, options: Callable[[Names], Iterable[Any]], where: Place) -> Value:
        """Return one of the options, equally likely; of none, evaluating it raises DataError."""

        def choose(names: Names) -> Any:
            found = list(options(names))
            if not found:
                raise where.error("there is nothing to choose from; add an option.")
            return names[SCENE].rng.choice(found)

        return choose

    def _scalar(self, node: yaml.ScalarNode) -> Value:
        source = node.value
        if not node.style and (source in _TRUTH or _INTEGER.fullmatch(source)):
            constant = _TRUTH[source] if source in _TRUTH else int(source)
            return lambda names: constant
        if source.startswith("= "):
            return self.vocabulary.formula(source[2:], place(node))
        return self.vocabulary.text(source, place(node))

    def options(self, node: yaml.Node) -> Callable[[Names], list[Any]]:
        """Return every option of a list; a list inside it adds its own options."""
        if isinstance(node, yaml.SequenceNode):
            parts = [self.options(item) for item in node.value]
            return lambda names: [option for part in parts for option in part(names)]
        if isinstance(node, yaml.MappingNode):
            return self.branch(node, self.options, nothing)
        value = self.value(node)

        def options(names: Names) -> list[Any]:
            found = value(names)
            return list(found) if isinstance(found, list | tuple) else [found]

        return options

    def branch(self, node: yaml.Node, leaf: Leaf, default: Value | None = None) -> Value:
        """Return the leaf that a condition, a case or the speech level selects.

        Raises DataError for other keys, and when `else` is missing and there is no default.
        """
        entries = pairs(node)
        if not entries:
            raise place(node).error("an empty mapping stands here; remove it.")
        keys = {str(key) for key, _ in entries}
        if keys in ({"polite"}, {"casual"}):
            raise place(node).error("polite and casual need each other; add the missing one.")
        if keys == {"polite", "casual"}:
            levels = {str(key): leaf(value) for key, value in entries}
            return lambda names: levels["polite" if names["polite"] else "casual"](names)
        if len(entries) == 1 and entries[0][0].startswith("case "):
            return self._case(*entries[0], leaf)
        if entries[-1][0] == "else":
            default = leaf(entries.pop()[1])
        tests: list[tuple[Value, Value]] = []
        for key, value in entries:
            word, _, condition = key.partition(" ")
            if word != ("elif" if tests else "if"):
                wanted = "wanted: if …, elif … and else; or case …; or polite and casual"
                raise key.place.error(f"unknown key {key!r}; {wanted}.")
            tests.append((self.vocabulary.formula(condition, key.place), leaf(value)))
        if default is None:
            raise place(node).error("the key 'else' is missing; a value needs it.")
        otherwise = default

        def select(names: Names) -> Any:
            return next((chosen for test, chosen in tests if test(names)), otherwise)(names)

        return select

    def _case(self, header: Key, node: yaml.Node, leaf: Leaf) -> Value:
        """Return the leaf under the formula's value; a key may list several values, `else` takes the others."""
        subject = self.vocabulary.formula(header.removeprefix("case "), header.place)
        cases: dict[str, Value] = {}
        for key, value in pairs(node):
            cases |= dict.fromkeys(key.split(", "), leaf(value))
        otherwise = cases.pop("else", None)

        def select(names: Names) -> Any:
            found = str(subject(names))
            chosen = cases.get(found, otherwise)
            if chosen is None:
                raise header.place.error(
                    f"no case for {found!r}, only for {', '.join(cases)}; add it, or else."
                )
            return chosen(names)

        return select

    def rows(self, node: yaml.Node) -> list[Row]:
        """Return the rows of a table, whose fields become names; a field may be a list.

        Raises DataError when a row has other fields than the first one.
        """
        rows: list[Row] = []
        for item in items(node):
            entries = dict(pairs(item))
            for key in entries:
                if rows and key not in rows[0]:
                    raise key.place.error(f"unknown field {key!r}; the first row has {', '.join(rows[0])}.")
                if not rows:
                    self.vocabulary.fields.add(self.vocabulary.define(key, key.place))
            row: Row = {str(key): self._field(value) for key, value in entries.items()}
            for field in rows[0] if rows else ():
                if field not in row:
                    raise place(item).error(f"field {field!r} is missing; the first row has it.")
            rows.append(row)
        return rows

    def table(self, node: yaml.Node) -> Value:
        """Return the rows of the table that a formula names or that stands here."""
        if not isinstance(node, yaml.SequenceNode):
            return self.vocabulary.formula(text(node), place(node))
        rows = self.rows(node)
        return lambda names: bind(rows, names)

    def _field(self, node: yaml.Node) -> Value:
        return self.options(node) if isinstance(node, yaml.SequenceNode) else self.value(node)
