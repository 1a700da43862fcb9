"""Read metrics.jsonl while a training writes it: only what is new, and never half a line."""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from common.core.errors import UserError
from common.core.files import open_regular, parse_json, shown, unreadable

Points = list[tuple[int, float]]
"""(step, value) in ascending order of the steps."""


@dataclass
class MetricsFile:
    """What a training recorded so far."""

    path: Path
    series: dict[str, dict[int, float]] = field(default_factory=dict)
    """Name of a measure → step → value."""
    damaged: int = 0
    """Number of whole lines that are no JSON object with a step."""
    _offset: int = 0
    _file: tuple[int, int] = (0, 0)

    def read(self) -> bool:
        """Read the lines that are new; return whether there are any, or the file began again.

        A last line without its end is read later, when it has one. A file that became shorter, or another one, is read from its
        beginning: a resumed training takes back what it repeats. Raises UserError when the file cannot be read.
        """
        try:
            with open_regular(self.path) as handle:
                about = os.fstat(handle.fileno())
                again = (about.st_dev, about.st_ino) != self._file or about.st_size < self._offset
                if again:
                    self.series, self.damaged, self._offset = {}, 0, 0
                    self._file = (about.st_dev, about.st_ino)
                handle.seek(self._offset)
                content = handle.read()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise unreadable(self.path, error) from error
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            self._add(line)
        if again and not whole and content and not content.startswith(b"{"):
            raise UserError(f"{shown(self.path)}: is no file of metrics; restore it, or remove it.")
        return bool(whole) or again

    def _add(self, line: bytes) -> None:
        try:
            values = parse_json(line)
            step = int(values["step"])
        except (ValueError, TypeError, KeyError, OverflowError):
            self.damaged += bool(line.strip())
            return
        for name, value in values.items():
            if name != "step" and isinstance(value, int | float) and math.isfinite(value):
                self.series.setdefault(name, {})[step] = float(value)

    def points(self, name: str) -> Points:
        """Return a measure's values; [] when it was never recorded."""
        return sorted(self.series.get(name, {}).items())

    @property
    def last_step(self) -> int:
        """The last recorded step; 0 before the first."""
        return max((max(values) for values in self.series.values()), default=0)
