"""Frozen dataclass configs: scalars overridden from the command line, plain values for the run folder."""

import dataclasses
import difflib
import math
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


WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def _type_name(hint: Any) -> str:
    """The declared type in a reader's words: "whole number", "fast or slow", "numbers with commas between"."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " or ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join("none" if a is type(None) else _type_name(a) for a in arguments)
    if origin is tuple:
        return f"{_type_name(arguments[0])}s with commas between"
    return WORDS.get(hint, str(hint))


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
            raise ValueError(text)
        return text
    if origin is tuple:
        return tuple(_converted(part.strip(), arguments[0]) for part in text.split(",") if part.strip())
    if hint is bool:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ValueError(text)
        return text.lower() in ("true", "1", "yes")
    if hint in (int, float, str):
        value = hint(text)
        if hint is float and not math.isfinite(value):
            raise ValueError(text)
        return value
    raise ValueError(f"the command line cannot set a {hint}")


def _replaced(config: Any, path: list[str], value: Any) -> Any:
    if len(path) > 1:
        value = _replaced(getattr(config, path[0]), path[1:], value)
    return dataclasses.replace(config, **{path[0]: value})


def override(config: T, arguments: Sequence[str]) -> tuple[T, dict[str, Any]]:
    """The config with `--name value` or `--name=value` applied, and the changed values by dotted name.

    Hyphens and underscores are alike; --name alone switches a true-or-false setting on; the last part of a dotted name suffices while it is unique.
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
            last_parts = {key.rsplit(".", 1)[-1] for key in leaves}
            close = difflib.get_close_matches(name, [*leaves, *last_parts], 1)
            hint = f" Did you mean --{close[0]}?" if close else ""
            raise UserError(f"--{name}: no such setting.{hint} {_existing(leaves)}")
        if len(found) > 1:
            raise UserError(f"--{name} is ambiguous; write one of {', '.join('--' + key for key in found)}.")
        hint, _ = leaves[found[0]]
        if not equals and hint is bool and (not queue or queue[0].startswith("--")):
            text = "true"
        elif not equals:
            if not queue:
                raise UserError(f"--{name} wants a value after it.")
            text = queue.pop(0)
        try:
            value = _converted(text, hint)
        except ValueError as error:
            article = "a " if hint in (int, float) else ""
            raise UserError(f"--{name}: found {text!r}, wanted {article}{_type_name(hint)}.") from error
        config = _replaced(config, found[0].split("."), value)
        changed[found[0]] = value
    return config, changed


def _existing(leaves: dict[str, tuple[Any, Any]]) -> str:
    rows = [f"  --{name} {_type_name(hint)} = {value!r}" for name, (hint, value) in leaves.items()]
    return "Settings:\n" + "\n".join(rows)


def plain(config: Any) -> dict[str, Any]:
    """Dotted name -> JSON-ready value of every setting; tuples become lists, numbers what they are declared as."""

    def made(hint: Any, value: Any) -> Any:
        if hint is float:
            return float(value)  # a default of 10 and --epochs 10 are one setting
        return list(value) if isinstance(value, tuple) else value

    return {name: made(hint, value) for name, (hint, value) in _leaves(config).items()}
