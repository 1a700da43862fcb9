"""Frozen dataclass configs: scalars overridden from the command line, plain values for the run folder."""

import dataclasses
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from common.errors import UserError

T = TypeVar("T")


def _leaves(config: Any, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Dotted name -> (declared type, value) of every field that is not itself a dataclass."""
    hints = typing.get_type_hints(type(config))
    leaves: dict[str, tuple[Any, Any]] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            leaves |= _leaves(value, f"{prefix}{field.name}.")
        else:
            leaves[f"{prefix}{field.name}"] = (hints[field.name], value)
    return leaves


def _type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def _converted(text: str, hint: Any) -> Any:
    """The text as a value of the declared type. Raises ValueError when it is not one."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if type(None) in arguments and text.lower() == "none":
            return None
        for argument in arguments:
            if argument is not type(None):
                return _converted(text, argument)
    if origin is typing.Literal:
        if text not in arguments:
            raise ValueError(f"one of {', '.join(map(str, arguments))}")
        return text
    if origin is tuple:
        return tuple(_converted(part.strip(), arguments[0]) for part in text.split(",") if part.strip())
    if hint is bool:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ValueError("true or false")
        return text.lower() in ("true", "1", "yes")
    if hint in (int, float, str):
        return hint(text)
    raise ValueError(f"a {_type_name(hint)}, which the command line cannot set")


def _replaced(config: Any, path: list[str], value: Any) -> Any:
    if len(path) > 1:
        value = _replaced(getattr(config, path[0]), path[1:], value)
    return dataclasses.replace(config, **{path[0]: value})


def override(config: T, arguments: Sequence[str]) -> tuple[T, dict[str, Any]]:
    """The config with `--name value` or `--name=value` applied, and the changed values by dotted name.

    Hyphens and underscores are alike; the last part of a dotted name suffices while it is unique.
    Raises UserError for an unknown, ambiguous or badly typed setting, listing what exists.
    """
    leaves = _leaves(config)
    changed: dict[str, Any] = {}
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        if not word.startswith("--"):
            raise UserError(f"{word!r} is not a setting; wanted --name value. {_existing(leaves)}")
        name, equals, text = word[2:].partition("=")
        name = name.replace("-", "_")
        found = [key for key in leaves if key == name or key.rsplit(".", 1)[-1] == name]
        if not found:
            raise UserError(f"--{name}: no such setting. {_existing(leaves)}")
        if len(found) > 1:
            raise UserError(f"--{name} is ambiguous; write one of {', '.join('--' + key for key in found)}.")
        if not equals:
            if not queue:
                raise UserError(f"--{name} wants a value after it.")
            text = queue.pop(0)
        hint, _ = leaves[found[0]]
        try:
            value = _converted(text, hint)
        except ValueError as error:
            raise UserError(f"--{name}: {text!r} is not a {_type_name(hint)} ({error}).") from error
        config = _replaced(config, found[0].split("."), value)
        changed[found[0]] = value
    return config, changed


def _existing(leaves: dict[str, tuple[Any, Any]]) -> str:
    rows = [f"  --{name} {_type_name(hint)} = {value!r}" for name, (hint, value) in leaves.items()]
    return "Settings:\n" + "\n".join(rows)


def plain(config: Any) -> dict[str, Any]:
    """Dotted name -> JSON-ready value of every setting; tuples become lists."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, (_, value) in _leaves(config).items()
    }
