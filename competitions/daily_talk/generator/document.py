"""YAML files whose every fault is reported with file and line."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

_MASK = re.compile(r"#[A-Za-z]+#")


class DataError(ValueError):
    """A data file cannot be used; the message says where, what was found and what is wanted."""


@dataclass(frozen=True)
class Place:
    """A line of a data file, for messages."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"

    def error(self, message: str) -> DataError:
        """Return the error for a fault at this place."""
        return DataError(f"{self}: {message}")


def compose(path: Path) -> yaml.Node:
    """Return the root node of a YAML file.

    Raises DataError when the file is not YAML, is empty, or has a mask such as `#Address#`.
    """
    for number, written in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if mask := _MASK.search(written):  # YAML would drop the rest of the line as a comment
            raise Place(str(path), number).error(f"write {mask[0]} as <{mask[0].strip('#')}>.")
    try:
        with path.open(encoding="utf-8") as stream:
            node: yaml.Node | None = yaml.compose(stream, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Place(str(path), line).error(f"not YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise Place(str(path), 1).error(f"not YAML: {error}.") from error
    if node is None:
        raise Place(str(path), 1).error("the file is empty.")
    return node


def place(node: yaml.Node) -> Place:
    """Return where a node begins."""
    return Place(node.start_mark.name, node.start_mark.line + 1)


class Key(str):
    """A key of a mapping, which knows where it stands."""

    place: Place

    @classmethod
    def at(cls, node: yaml.ScalarNode) -> "Key":
        """Return the key that a node holds."""
        key = cls(node.value)
        key.place = place(node)
        return key


def pairs(node: yaml.Node) -> list[tuple[Key, yaml.Node]]:
    """Return the keys and values of a mapping in order.

    Raises DataError for another kind of node and for a key that is no text or occurs twice.
    """
    if not isinstance(node, yaml.MappingNode):
        raise place(node).error("a mapping (key: value) is wanted here.")
    found: dict[Key, yaml.Node] = {}
    for key_node, value in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise place(key_node).error("a key must be a text; put it in quotes.")
        key = Key.at(key_node)
        if key in found:
            raise key.place.error(f"the key {key!r} occurs twice.")
        found[key] = value
    return list(found.items())


def items(node: yaml.Node) -> list[yaml.Node]:
    """Return the items of a list.

    Raises DataError for another kind of node.
    """
    if not isinstance(node, yaml.SequenceNode):
        raise place(node).error("a list (lines that begin with '- ') is wanted here.")
    return list(node.value)


def text(node: yaml.Node) -> str:
    """Return the text of a scalar.

    Raises DataError for another kind of node.
    """
    if not isinstance(node, yaml.ScalarNode):
        raise place(node).error("a text is wanted here, not a list or a mapping.")
    return str(node.value)
