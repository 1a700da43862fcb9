"""Describe every setting of a config: its value, what it may be, and what the docstring under its field says."""

import ast
import dataclasses
import functools
import re
import sys
import typing
from pathlib import Path
from typing import Any

from common.core.config import plain
from common.core.ranges import described

_SENTENCE = re.compile(r"(?<=[a-z0-9)`\"])\. (?=[A-Z(`\[])")


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting of a config."""

    name: str
    """Dotted name: "training.epochs"."""
    value: Any
    """Value as JSON has it."""
    wanted: str
    """Range or choices, in words."""
    meaning: str
    """The docstring under the field on one line, else that of its type; "" when neither has one."""


@dataclasses.dataclass(frozen=True)
class Group:
    """The settings of one dataclass."""

    name: str
    """Dotted name of the field that holds the dataclass; "" for the config itself."""
    about: str
    """First sentence of the docstring of the dataclass."""
    settings: tuple[Setting, ...]


def groups(config: Any) -> list[Group]:
    """Return the settings of a config by dataclass: first its own, then those of each field, in the order of the source."""
    return _groups(config, "", plain(config))


def _groups(config: Any, prefix: str, values: dict[str, Any]) -> list[Group]:
    kind = type(config)
    hints = typing.get_type_hints(kind, include_extras=True)
    own, below = [], []
    for field in dataclasses.fields(config):
        name = f"{prefix}{field.name}"
        if dataclasses.is_dataclass(getattr(config, field.name)):
            below += _groups(getattr(config, field.name), f"{name}.", values)
        else:
            meaning = _meanings(kind.__module__, kind.__qualname__).get(field.name, "")
            own.append(Setting(name, values[name], described(hints[field.name]), meaning))
    text = " ".join((kind.__doc__ or "").split())
    about = (
        "" if text.startswith(f"{kind.__name__}(") else first_sentence(text)
    )  # dataclass writes one itself
    return [*([Group(prefix.rstrip("."), about, tuple(own))] if own else []), *below]


def first_sentence(text: str) -> str:
    """Return a text up to the end of its first sentence, without the full stop."""
    return _SENTENCE.split(text, maxsplit=1)[0].removesuffix(".")


@functools.cache
def _tree(module: str) -> ast.Module:
    """Return the syntax tree of an imported module; an empty one when it has no source."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return ast.parse(Path(file).read_bytes()) if file and file.endswith(".py") else ast.Module([], [])


@functools.cache
def _meanings(module: str, name: str) -> dict[str, str]:
    """Return the docstring of each field of a class, or of the field's type; fields without either are left out."""
    body = next(
        (n.body for n in _tree(module).body if isinstance(n, ast.ClassDef) and n.name == name),
        list[ast.stmt](),
    )
    found = {}
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            kind = node.annotation.id if isinstance(node.annotation, ast.Name) else ""
            if text := _text(after) or (kind and _of_type(module, kind)):
                found[node.target.id] = text
    return found


def _of_type(module: str, name: str) -> str:
    """Return the docstring under a type that a module defines or imports (`Seed = …`); "" when there is none."""
    body = _tree(module).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == name for t in node.targets
        ):
            return _text(after)
        if isinstance(node, ast.ImportFrom) and node.module and any(a.name == name for a in node.names):
            return _of_type(node.module, name)
    return ""


def _text(node: ast.stmt | None) -> str:
    """Return a string that stands alone, on one line; "" for any other statement."""
    value = node.value if isinstance(node, ast.Expr) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return " ".join(value.value.split())
    return ""
