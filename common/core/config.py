"""Override the settings of a frozen dataclass config from the command line, and convert them to JSON values."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from common.core.errors import UserError

T = TypeVar("T")
RENAMED = {"drawn": "sampled", "drawn_temperature": "sampled_temperature"}
"""Last part of a setting's old name → that of its present name, for scripts that still use the old one."""
_TYPE_NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def _leaves(config: Any, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Return dotted name → (declared type, value) for every field that is not itself a dataclass."""
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
    """Return a readable name of a type: "whole number", "fast or slow", "numbers separated by commas"."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " or ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join("none" if a is type(None) else _type_name(a) for a in arguments)
    if origin is tuple:
        return f"{_type_name(arguments[0])}s separated by commas"
    return _TYPE_NAMES.get(hint, str(hint))


def _converted(text: str, hint: Any) -> Any:
    """Return the text converted to the declared type. Raises ValueError when that is impossible."""
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
    """Return the config with `--name value` and `--name=value` applied, and the changed values by dotted name.

    Hyphens and underscores are equivalent. `--name` alone sets a true-or-false setting to true. The last part of a
    dotted name is enough when it is unique.
    Raises UserError for an unknown setting (the message lists all of them), an ambiguous one, or an invalid value.
    """
    leaves = _leaves(config)
    changed: dict[str, Any] = {}
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        if not argument.startswith("--"):
            raise UserError(f"{argument!r} is not a setting; wanted --name value. {_existing(leaves)}")
        name, equals, text = argument[2:].partition("=")
        name = name.replace("-", "_")
        found = [key for key in leaves if key == name or key.rsplit(".", 1)[-1] == name]
        if not found:
            last_parts = {key.rsplit(".", 1)[-1] for key in leaves}
            old = name.rsplit(".", 1)[-1]
            if RENAMED.get(old) in last_parts:
                raise UserError(f"--{name} was renamed to --{RENAMED[old].replace('_', '-')}; use that name.")
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
                raise UserError(f"--{name}: no value; wanted --{name} VALUE.")
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
    """Return dotted name → JSON value of every setting; tuples become lists, float settings become floats."""

    def json_value(hint: Any, value: Any) -> Any:
        if hint is float:
            return float(value)  # a default of 10 and --epochs 10 must give the same value
        return list(value) if isinstance(value, tuple) else value

    return {name: json_value(hint, value) for name, (hint, value) in _leaves(config).items()}
