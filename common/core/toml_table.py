"""Read TOML tables strictly: the type of every value is checked, and unknown keys are errors."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.core.errors import UserError, first_line
from common.core.files import read_regular, require_shallow, shown
from common.core.merge_conflict import require_merged
from common.core.messages import brief, cut, quoted
from common.core.mistyped import likely
from common.core.ranges import described, fits

_MOST_BYTES = 1 << 18
_MOST_LEVELS = 20
_MOST_DOTS = 1000  # of a line: the time to parse a dotted key grows with the square of its parts


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file; every integer fits into 64 bits.

    Raises FileNotFoundError when nothing is there, and UserError when the file cannot be read, is larger than 256 KiB, is
    not UTF-8 or not valid TOML.
    """
    content = b""
    try:
        content = read_regular(path, _MOST_BYTES)
        text = content.decode("utf-8-sig")
        if any(line.count(".") > _MOST_DOTS for line in text.split("\n")):
            raise ValueError(f"nested over {_MOST_LEVELS} levels")
        value = tomllib.loads(text)
        require_shallow(value, _MOST_LEVELS)
        _require_small_integers(value)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be read ({error.strerror}); put the TOML file there."
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{shown(path)}: is not UTF-8 (byte {error.start}); save it as UTF-8.") from error
    except RecursionError as error:
        raise UserError(f"{shown(path)}: is not valid TOML: nested too deeply. Fix that file.") from error
    except ValueError as error:
        require_merged(content, shown(path))
        large = "an integer has too many digits" if "limit (4300 digits)" in str(error) else None
        raise UserError(
            f"{shown(path)}: is not valid TOML: {large or first_line(error)}. Fix that file."
        ) from error
    return value


def _require_small_integers(value: object, key: str = "") -> None:
    """Raise ValueError for an integer of more than 64 bits, as the specification of TOML asks."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _require_small_integers(inner, name)
    elif isinstance(value, list):
        for inner in value:
            _require_small_integers(inner, key)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"the integer of {brief(key)} does not fit into 64 bits")


class TomlTable:
    """One TOML table that is read key by key; `done` then rejects the keys that were never read."""

    def __init__(self, path: Path, where: str, value: Mapping[str, Any]) -> None:
        self.path, self.where, self.value, self.known = path, where, value, set[str]()

    def wrong(self, key: str, found: object, wanted: str) -> UserError:
        """Return a UserError that says where the key is, what was found and what was wanted."""
        full = f"{self.where}.{key}" if self.where else key
        return UserError(
            f"{shown(self.path)}: key {quoted(full)} is {cut(str(found), 120)}; wanted {wanted}. Edit that file."
        )

    def _missing(self, key: str, wanted: str) -> UserError:
        name = quoted(f"{self.where}.{key}" if self.where else key)
        if close := likely(key, self.value):
            return UserError(
                f'{shown(self.path)}: key {name} is missing (is "{close[0]}" a typo of it?); wanted {wanted}. Edit that file.'
            )
        return UserError(f"{shown(self.path)}: key {name} is missing; wanted {wanted}. Edit that file.")

    def take(self, key: str, kind: type | tuple[type, ...], wanted: str, default: Any = ...) -> Any:
        """Return the value, or the default when the key is missing.

        Raises UserError when the value has the wrong type, or when a key without a default is missing.
        """
        self.known.add(key)
        if key not in self.value:
            if default is ...:
                raise self._missing(key, wanted)
            return default
        value = self.value[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(key, f"{brief(value)} ({type(value).__name__})", wanted)
        if isinstance(value, float) and not math.isfinite(value):
            raise self.wrong(key, f"{value!r}", wanted)
        return value

    def text(self, key: str, wanted: str = "a non-empty string") -> str:
        """Return a string that is not blank. Raises UserError for any other value."""
        value: str = self.take(key, str, wanted)
        if not value.strip():
            raise self.wrong(key, brief(value), wanted)
        return value

    def choice(self, key: str, allowed: Sequence[str]) -> Any:
        """Return one of the allowed strings. Raises UserError for any other value."""
        wanted = "one of " + ", ".join(f'"{value}"' for value in allowed)
        value = self.text(key, wanted)
        if value not in allowed:
            raise self.wrong(key, brief(value), wanted)
        return value

    def number(self, key: str, hint: Any, default: Any = ...) -> Any:
        """Return a number inside the range of an annotated type, or the default. Raises UserError for any other value."""
        value = self.take(key, (int, float), described(hint), default)
        if value is not default and not fits(hint, value):
            raise self.wrong(key, brief(value, 40), described(hint))
        return value

    def several(
        self, key: str, kind: type | tuple[type, ...], noun: str, default: Any = ...
    ) -> tuple[Any, ...]:
        """Return the values of a list, all of one type and without duplicates. Raises UserError for any other value."""
        wanted = f"a list of {noun} without duplicates"
        values = self.take(key, list, wanted, default)
        for value in values:
            if not isinstance(value, kind) or isinstance(value, bool):
                raise self.wrong(key, f"a list with {brief(value)} ({type(value).__name__})", wanted)
            if isinstance(value, float) and not math.isfinite(value):
                raise self.wrong(key, f"a list with {value!r}", wanted)
        if len(set(values)) != len(values):
            raise self.wrong(key, brief(values), wanted)
        return tuple(values)

    def table(self, key: str, optional: bool = False) -> "TomlTable | None":
        """Return a table inside this one; None when it is optional and missing."""
        value = self.take(key, dict, "a table", None if optional else ...)
        full = f"{self.where}.{key}" if self.where else key
        return None if value is None else TomlTable(self.path, full, value)

    def sub(self, key: str) -> "TomlTable":
        """Return a table inside this one. Raises UserError when it is missing."""
        table = self.table(key)
        assert table is not None
        return table

    def done(self) -> None:
        """Raise UserError when the table has a key that was never read."""
        for key in self.value:
            if key not in self.known:
                close = likely(key, sorted(self.known))
                hint = f'did you mean "{close[0]}"? ' if close else ""
                raise self.wrong(key, "unknown", f"{hint}one of {', '.join(sorted(self.known))}")
