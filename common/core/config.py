"""Override the settings of a frozen dataclass config from the command line, check them, and convert them to JSON values."""

import dataclasses
import re
import typing
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar

from common.core.errors import UserError
from common.core.messages import brief, cut
from common.core.ranges import LONGEST_TEXT, described, fits, is_union, parts
from common.core.secrets import COMMITS, refusal, require_no_secrets, secret_in
from common.core.suggestions import nearest

T = TypeVar("T")
RENAMED = {"drawn": "sampled", "drawn_temperature": "sampled_temperature"}
"""Last part of a setting's old name → that of its present name, for scripts that still use the old one."""
_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,9})?")
_SHOWN = 40
"""Most characters of a value that a message shows."""


def leaves(config: Any, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Return dotted name → (declared type, value) for every field that is not itself a dataclass."""
    hints = typing.get_type_hints(type(config), include_extras=True)
    found: dict[str, tuple[Any, Any]] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found |= leaves(value, f"{prefix}{field.name}.")
        else:
            found[f"{prefix}{field.name}"] = (hints[field.name], value)
    return found


def declared_defaults(config: Any, prefix: str = "") -> dict[str, Any]:
    """Return dotted name → default in the class that declares the setting, for the settings that have one.

    A config that contains another one may set other values; these are no declared defaults.
    """
    found: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found |= declared_defaults(value, f"{prefix}{field.name}.")
        elif field.default is not dataclasses.MISSING:
            found[f"{prefix}{field.name}"] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            found[f"{prefix}{field.name}"] = field.default_factory()
    return found


def converted(text: str, hint: Any) -> Any:
    """Return the text converted to the declared type, whatever its range. Raises ValueError when that is impossible."""
    kind, _ = parts(hint)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_union(kind):
        if type(None) in arguments and text.strip().lower() == "none":
            return None
        *first, last = (a for a in arguments if a is not type(None))
        for choice in first:
            with suppress(ValueError):
                return converted(text, choice)
        return converted(text, last)
    if origin is typing.Literal:
        if text.strip() not in arguments:
            raise ValueError(text)
        return text.strip()
    if origin is tuple:
        return tuple(converted(item, arguments[0]) for item in _items(text))
    if kind is bool:
        if text.strip().lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ValueError(text)
        return text.strip().lower() in ("true", "1", "yes")
    if kind in (int, float):
        if not (_INTEGER if kind is int else _NUMBER).fullmatch(text.strip()):
            raise ValueError(text)
        return kind(text)
    if kind is str:
        return text
    raise ValueError(f"the command line cannot set a {kind}")


def _is_switch(hint: Any) -> bool:
    """Return whether a setting can be true, so that its name alone means that."""
    kind, _ = parts(hint)
    return kind is bool or (is_union(kind) and bool in typing.get_args(kind))


def _items(text: str) -> list[str]:
    """Return the items of a list: `a, b`, or in brackets with or without quotes, as Python, JSON and W&B write it.

    A comma may follow the last item. Raises ValueError for an empty item and for brackets or quotes that do not match.
    """
    text = text.strip()
    bracketed = text[:1] + text[-1:] in ("[]", "()") and len(text) > 1
    items = [item.strip() for item in (text[1:-1] if bracketed else text).split(",")]
    if not items[-1]:
        items.pop()
    if bracketed:
        items = [i[1:-1] if len(i) > 1 and i[0] == i[-1] and i[0] in "'\"" else i for i in items]
    if any(not item or set(item) & set("[]()'\"") for item in items):
        raise ValueError(text)
    return items


def _replaced(config: Any, path: list[str], value: Any) -> Any:
    if len(path) > 1:
        value = _replaced(getattr(config, path[0]), path[1:], value)
    return dataclasses.replace(config, **{path[0]: value})


def override(
    config: T,
    arguments: Sequence[str],
    *,
    complete: bool = True,
    listing: str = "",
    options: Sequence[str] = (),
) -> tuple[T, dict[str, Any]]:
    """Return the config with `--name value` and `--name=value` applied, and the changed values by dotted name.

    Hyphens and underscores are equivalent. `--name` alone sets a true-or-false setting to true. The last part of a
    dotted name is enough when it is unique. Settings that the others imply (`implied`) get their values too.
    `complete`: no other settings follow; if some do, settings that depend on one another are not judged yet.
    `listing`: the command that lists all settings. `options`: names that the caller takes beside the settings.
    Raises UserError for an unknown setting (the message names the nearest ones and `listing`), an ambiguous one, or an
    invalid value, and as `check` does for the result.
    """
    require_no_secrets(arguments)
    known = leaves(config)
    changed: dict[str, Any] = {}
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        if not argument.startswith("--"):
            raise UserError(
                f"{brief(argument, _SHOWN)} is not a setting; wanted --name value.{_advice(listing)}"
            )
        name, equals, text = argument[2:].partition("=")
        key = _found(name, known, listing, options)
        hint, _ = known[key]
        if not equals and _is_switch(hint) and (not queue or queue[0].startswith("--")):
            text = "true"
        elif not equals:
            if not queue or queue[0].startswith("--"):
                raise UserError(f"--{hyphens(name)}: no value; wanted --{hyphens(name)} VALUE.")
            text = queue.pop(0)
        try:
            value = converted(text, hint)
        except ValueError:
            raise UserError(
                f"--{hyphens(name)}: found {brief(text, _SHOWN)}, wanted {described(hint)}."
            ) from None
        config = _replaced(config, key.split("."), value)
        changed[key] = value
    for name, (value, _) in implied(config).items():
        if name not in changed:
            config = _replaced(config, name.split("."), value)
    check(config, changed, complete=complete)
    return config, changed


def implied(config: Any, prefix: str = "") -> dict[str, tuple[Any, str]]:
    """Return dotted name → (value, message) for settings that follow from others unless the command line sets them.

    A dataclass with such settings has a method `implied`, which returns the same by the names of its fields.
    """
    found = dict(config.implied()) if hasattr(config, "implied") else {}
    found = {f"{prefix}{name}": value for name, value in found.items()}
    for field in dataclasses.fields(config):
        if dataclasses.is_dataclass(part := getattr(config, field.name)):
            found |= implied(part, f"{prefix}{field.name}.")
    return found


def _found(name: str, known: dict[str, tuple[Any, Any]], listing: str, options: Sequence[str]) -> str:
    """Return the dotted name of the setting that a name means. Raises UserError when there is none, or more than one."""
    shown, name = f"--{cut(hyphens(name), _SHOWN)}", name.replace("-", "_")
    found = [key for key in known if key == name or key.rsplit(".", 1)[-1] == name]
    if len(found) > 1:
        raise UserError(f"{shown} is ambiguous; write one of {', '.join('--' + hyphens(k) for k in found)}.")
    if found:
        return found[0]
    last_parts = {key.rsplit(".", 1)[-1] for key in known}
    old = name.rsplit(".", 1)[-1]
    if RENAMED.get(old) in last_parts:
        raise UserError(f"{shown} was renamed to --{hyphens(RENAMED[old])}; use that name.")
    close = ", ".join(f"--{hyphens(shortest(key, known))}" for key in nearest(name, [*known, *options]))
    if not close:
        raise UserError(f"{shown}: no such setting.{_advice(listing)}")
    if not listing:
        raise UserError(f"{shown}: no such setting. Did you mean {close}?")
    raise UserError(f"{shown}: no such setting. Did you mean {close}? To list all settings: {listing}")


def _advice(listing: str) -> str:
    return f" To list all settings: {listing}" if listing else ""


def check(config: Any, changed: typing.Collection[str] = (), *, complete: bool = True) -> None:
    """Raise UserError unless every setting is inside its declared range, holds no secret, and fits the others.

    `changed`: the settings that the command line set; a message about another one names the config's module.
    `complete`: as in `override`.
    A dataclass whose settings depend on one another has a method `require_consistent`, which raises UserError.
    """
    known = leaves(config)
    for name, (hint, value) in known.items():
        option = f"--{hyphens(shortest(name, known))}"
        where = option if name in changed else f"{type(config).__module__}: {option}"
        for text in value if isinstance(value, tuple | list) else [value]:
            if isinstance(text, str) and (
                words := secret_in(text, commit=name.rsplit(".", 1)[-1] in COMMITS)
            ):
                raise refusal(where, words)
        if not fits(hint, value):
            odd = isinstance(value, str) and not fits(str, value)
            wanted = f"printable text of at most {LONGEST_TEXT} characters" if odd else described(hint)
            raise UserError(f"{where}: found {_shown(value)}, wanted {wanted}.")
    if complete:
        _require_consistent(config)


def _require_consistent(config: Any) -> None:
    for field in dataclasses.fields(config):
        if dataclasses.is_dataclass(part := getattr(config, field.name)):
            _require_consistent(part)
    if hasattr(config, "require_consistent"):
        config.require_consistent()


def _shown(value: Any) -> str:
    return brief(list(value) if isinstance(value, tuple) else value, _SHOWN)


def shortest(name: str, known: dict[str, tuple[Any, Any]]) -> str:
    """Return the last part of a dotted name when it is unique, else the whole name."""
    last = name.rsplit(".", 1)[-1]
    return name if sum(key.rsplit(".", 1)[-1] == last for key in known) > 1 else last


def hyphens(name: str) -> str:
    return name.replace("_", "-")


def plain(config: Any) -> dict[str, Any]:
    """Return dotted name → JSON value of every setting; tuples become lists, float settings become floats."""

    def json_value(hint: Any, value: Any) -> Any:
        if parts(hint)[0] is float:
            return float(value)  # a default of 10 and --epochs 10 must give the same value
        return list(value) if isinstance(value, tuple) else value

    return {name: json_value(hint, value) for name, (hint, value) in leaves(config).items()}
