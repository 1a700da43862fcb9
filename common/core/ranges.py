"""Check values against the range that a setting declares in its type: `Annotated[float, Gt(0), Le(1)]`."""

import functools
import math
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from annotated_types import BaseMetadata, Ge, GroupedMetadata, Gt, Le, Lt, MaxLen, MinLen, MultipleOf

Seed = Annotated[int, Ge(0), Le(2**31 - 1)]
"""A seed that every library accepts, which is up to 2**32 - 1, also after a process has added its rank."""
Share = Annotated[float, Ge(0), Le(1)]
Dropout = Annotated[float, Ge(0), Lt(1)]
"""A share of dropped values; with 1 nothing would be left to train."""
LOWEST_TEMPERATURE = 0.01
"""Lowest temperature of sampling: logits divided by a much lower one overflow."""
Temperature = Annotated[float, Ge(LOWEST_TEMPERATURE), Le(10)]
DevRows = Annotated[int, Ge(1), Le(1_000_000)]
"""Number of dev dialogues; more than there are means all of them."""
Text = Annotated[str, MinLen(1)]
"""A text that must not be empty."""

LONGEST_TEXT = 1000
"""Longest text setting, in characters."""
_NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def parts(hint: Any) -> tuple[Any, tuple[BaseMetadata, ...]]:
    """Return a type without its annotations, and the bounds among the annotations."""
    if typing.get_origin(hint) is not Annotated:
        return hint, ()
    kind, *given = typing.get_args(hint)
    found: list[BaseMetadata] = []
    for one in given:
        several = one if isinstance(one, GroupedMetadata) else [one]
        found += [bound for bound in several if isinstance(bound, BaseMetadata)]
    return kind, tuple(found)


def is_union(kind: Any) -> bool:
    """Return whether a type is a union, such as `int | None`."""
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


@functools.singledispatch
def _inside(bound: BaseMetadata, value: Any) -> bool:
    """Return whether a value of the right type is inside one bound."""
    raise TypeError(f"{bound} is no bound that a setting can declare")


@_inside.register
def _(bound: Gt, value: Any) -> bool:
    return bool(value > bound.gt)


@_inside.register
def _(bound: Ge, value: Any) -> bool:
    return bool(value >= bound.ge)


@_inside.register
def _(bound: Lt, value: Any) -> bool:
    return bool(value < bound.lt)


@_inside.register
def _(bound: Le, value: Any) -> bool:
    return bool(value <= bound.le)


@_inside.register
def _(bound: MultipleOf, value: Any) -> bool:
    return bool(value % bound.multiple_of == 0)


@_inside.register
def _(bound: MinLen, value: Any) -> bool:
    return len(value.strip() if isinstance(value, str) else value) >= bound.min_length


@_inside.register
def _(bound: MaxLen, value: Any) -> bool:
    return len(value) <= bound.max_length


def fits(hint: Any, value: Any) -> bool:
    """Return whether a value has the declared type and is inside every declared bound; nan and inf never are.

    A text is printable and has at most LONGEST_TEXT characters. Raises TypeError for a type or bound that settings
    cannot have.
    """
    kind, bounds = parts(hint)
    if not _has_type(kind, value):
        return False
    return all(_inside(bound, value) for bound in bounds)


def _has_type(kind: Any, value: Any) -> bool:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_union(kind):
        return any(fits(argument, value) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, tuple | list) and all(fits(arguments[0], item) for item in value)
    if kind is type(None):
        return value is None
    if kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (isinstance(value, int) or math.isfinite(value))
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is str:
        return isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_TEXT
    if kind is bool:
        return isinstance(value, bool)
    raise TypeError(f"a setting cannot have the type {kind}")


def described(hint: Any) -> str:
    """Return what fits a type, for messages: "a number above 0 and at most 1", "fast or slow"."""
    kind, bounds = parts(hint)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_union(kind):
        return " or ".join("none" if a is type(None) else described(a) for a in arguments)
    if origin is typing.Literal:
        return _listed(arguments)
    if origin is tuple:
        return _described_tuple(arguments[0], bounds)
    if kind is str:
        return "a text that is not empty" if any(isinstance(b, MinLen) for b in bounds) else "a text"
    if kind is bool:
        return _NAMES[bool]
    return f"a {_NAMES.get(kind, kind)}{_interval(bounds)}"


def _described_tuple(item: Any, bounds: tuple[BaseMetadata, ...]) -> str:
    least = next((b.min_length for b in bounds if isinstance(b, MinLen)), 0)
    most = next((b.max_length for b in bounds if isinstance(b, MaxLen)), None)
    count = (
        f"{least} "
        if least == most
        else f"{least} to {most} "
        if most
        else f"{least} or more "
        if least
        else ""
    )
    kind, each = parts(item)
    if typing.get_origin(kind) is typing.Literal:
        return f"{count}names separated by commas, each {_listed(typing.get_args(kind))}"
    noun = f"{_NAMES.get(kind, kind)}{'' if (least, most) == (1, 1) else 's'}"
    inside = _interval(each)
    return f"{count}{noun} separated by commas{f', each{inside}' if inside else ''}"


def _listed(options: tuple[Any, ...]) -> str:
    *first, last = map(str, options)
    return f"{', '.join(first)} or {last}" if first else last


def _interval(bounds: tuple[BaseMetadata, ...]) -> str:
    """Return the bounds of a number as they follow "a number": " from 0 to 1"; "" without bounds."""
    text: dict[str, str] = {}
    for bound in bounds:
        for key in ("gt", "ge", "lt", "le", "multiple_of"):
            if hasattr(bound, key):
                text[key] = _written(getattr(bound, key))
    if "ge" in text and "le" in text:
        found = f" from {text['ge']} to {text['le']}"
    else:
        words: Mapping[str, str] = {"gt": "above", "ge": "of at least", "lt": "below", "le": "at most"}
        found = " and".join(f" {word} {text[key]}" for key, word in words.items() if key in text)
    return found + (f", a multiple of {text['multiple_of']}" if "multiple_of" in text else "")


def _written(number: Any) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:g}"


def numbers(hint: Any) -> Iterator[tuple[type, tuple[BaseMetadata, ...]]]:
    """Yield the kind (int or float) and the bounds of every number that a type can hold; nothing for other types."""
    kind, bounds = parts(hint)
    if kind in (int, float):
        yield kind, bounds
    elif is_union(kind) or typing.get_origin(kind) is tuple:
        for argument in typing.get_args(kind):
            yield from numbers(argument)
