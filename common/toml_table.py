"""TOML tables read with care: every value is type-checked, every key nobody asked for is refused."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import files
from common.errors import UserError


class TomlTable:
    """One TOML table read key by key: every value is type-checked, what nobody asked for is refused."""

    def __init__(self, path: Path, where: str, value: Mapping[str, Any]) -> None:
        self.path, self.where, self.value, self.known = path, where, value, set[str]()

    def wrong(self, key: str, found: object, wanted: str) -> UserError:
        """The error for one key, in the house's format."""
        full = f"{self.where}.{key}" if self.where else key
        return UserError(
            f'{files.shown(self.path)}: key "{full}" is {found}; wanted {wanted}. Edit that file.'
        )

    def take(self, key: str, kind: type | tuple[type, ...], wanted: str, default: Any = ...) -> Any:
        """The value; the default when absent. Raises UserError on an absent or wrongly typed one."""
        self.known.add(key)
        if key not in self.value:
            if default is ...:
                close = difflib.get_close_matches(key, self.value, 1)
                hint = f' (is "{close[0]}" a slip for it?)' if close else ""
                raise self.wrong(key, f"missing{hint}", wanted)
            return default
        value = self.value[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(key, f"{value!r} ({type(value).__name__})", wanted)
        return value

    def text(self, key: str, wanted: str = "a non-empty string") -> str:
        """A string that is not blank."""
        value: str = self.take(key, str, wanted)
        if not value.strip():
            raise self.wrong(key, repr(value), wanted)
        return value

    def choice(self, key: str, allowed: Sequence[str]) -> Any:
        """One of the allowed strings."""
        wanted = "one of " + ", ".join(f'"{value}"' for value in allowed)
        value = self.text(key, wanted)
        if value not in allowed:
            raise self.wrong(key, repr(value), wanted)
        return value

    def whole(self, key: str, least: int = 0, default: Any = ...) -> Any:
        """An integer, at least `least`."""
        wanted = f"a whole number, at least {least}"
        value = self.take(key, int, wanted, default)
        if value is not default and value < least:
            raise self.wrong(key, value, wanted)
        return value

    def several(
        self, key: str, kind: type | tuple[type, ...], noun: str, default: Any = ...
    ) -> tuple[Any, ...]:
        """A list of one kind of value, none twice."""
        wanted = f"a list of {noun}, none twice"
        values = self.take(key, list, wanted, default)
        for value in values:
            if not isinstance(value, kind) or isinstance(value, bool):
                raise self.wrong(key, f"a list with {value!r} ({type(value).__name__})", wanted)
        if len(set(values)) != len(values):
            raise self.wrong(key, f"{values!r}", wanted)
        return tuple(values)

    def table(self, key: str, optional: bool = False) -> "TomlTable | None":
        """A table inside this one; None when it is absent and optional."""
        value = self.take(key, dict, "a table", None if optional else ...)
        full = f"{self.where}.{key}" if self.where else key
        return None if value is None else TomlTable(self.path, full, value)

    def sub(self, key: str) -> "TomlTable":
        """A table that must be there."""
        table = self.table(key)
        assert table is not None
        return table

    def done(self) -> None:
        """Raises UserError when a key was given that nobody reads."""
        for key in self.value:
            if key not in self.known:
                close = difflib.get_close_matches(key, self.known, 1)
                hint = f'did you mean "{close[0]}"? ' if close else ""
                raise self.wrong(key, "unknown", f"{hint}one of {', '.join(sorted(self.known))}")
