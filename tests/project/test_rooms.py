"""The map of common/ holds: rooms in order, no circle, no long file, no import of a room's own facade."""

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import REPOSITORY

COMMON = REPOSITORY / "common"
LONGEST = 300
FILES = sorted(COMMON.rglob("*.py"))


def module(path: Path) -> str:
    """Dotted name of a file under common/; of a package for its __init__."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): path for path in FILES}


def imported(source: str, known: set[str], inside: str) -> Iterator[str]:
    """Modules of `known` that the source imports anywhere, function-level imports included.

    `from package import name` is the module package.name where there is one, else the package itself.
    """
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [
                f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in known else node.module
                for alias in node.names
            ]
        yield from (name for name in names if name in known and name != inside)


def circle(ties: dict[str, set[str]]) -> list[str]:
    """A circle of imports, first module repeated at the end; [] when there is none."""
    finished: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in finished:
            return []
        for other in sorted(ties[name]):
            if found := visit(other, [*way, name]):
                return found
        finished.add(name)
        return []

    return next((found for name in sorted(ties) if (found := visit(name, []))), [])


def rooms() -> list[str]:
    """The rooms from the ground up, as setup.cfg's layers contract orders them."""
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    layers = parser["importlinter:contract:rooms"]["layers"].split()
    return [layer.removeprefix("common.") for layer in reversed(layers)]


def test_no_circle_of_imports() -> None:
    ties = {
        name: set(imported(path.read_text(encoding="utf-8"), set(MODULES), name))
        for name, path in MODULES.items()
    }
    assert circle(ties) == []


def test_a_circle_is_found_inside_functions_too() -> None:
    sources = {
        "a": "import b",
        "b": "def f():\n    if True:\n        from c import x",
        "c": "from a import y",
        "d": "import a",
    }
    ties = {name: set(imported(source, set(sources), name)) for name, source in sources.items()}
    assert circle(ties) == ["a", "b", "c", "a"]
    assert circle({**ties, "c": set()}) == []


def test_every_room_has_its_place_in_the_order() -> None:
    folders = {path.parent.name for path in COMMON.glob("*/__init__.py")}
    assert folders == set(rooms())
    assert {path.name for path in COMMON.glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("room", rooms())
def test_no_module_imports_the_facade_of_its_own_room(room: str) -> None:
    inside = [path for path in (COMMON / room).rglob("*.py") if path.name != "__init__.py"]
    guilty = [
        str(path.relative_to(REPOSITORY))
        for path in inside
        if f"common.{room}" in imported(path.read_text(encoding="utf-8"), set(MODULES), module(path))
    ]
    assert guilty == []


def test_no_file_is_longer_than_a_person_can_hold_in_mind() -> None:
    lengths = {
        str(path.relative_to(REPOSITORY)): len(path.read_text(encoding="utf-8").splitlines())
        for path in FILES
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_the_map_in_the_documentation_says_what_the_rooms_say() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    places = []
    for room in rooms():
        sentence = ast.get_docstring(ast.parse((COMMON / room / "__init__.py").read_text(encoding="utf-8")))
        assert sentence, room
        found = re.search(rf"`(common/)?{room}/?`.*{re.escape(sentence.splitlines()[0])}", text)
        assert found, f"docs/architecture.md lacks {room}: {sentence}"
        places.append(found.start())
    assert places == sorted(places)
