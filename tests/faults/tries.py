"""Describe one try of a family."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.bench import Bench
from tests.faults.outcome import Outcome


@dataclass(frozen=True)
class Context:
    """Where tries run."""

    bench: Bench
    work: Path
    """Folder of the templates, which all processes share."""
    short: bool
    mounts: bool = False
    """Whether tries may mount file systems."""


@dataclass(frozen=True)
class Try:
    """One fault and its judgement. Its random numbers depend on the seed and on the three names."""

    family: str
    group: str
    name: str
    run: Callable[[Context, "Try", random.Random], Outcome]
    given: Any = None
    """Whatever `run` needs besides the names."""

    @property
    def key(self) -> str:
        """The name of the try in the results."""
        return f"{self.family} / {self.group} / {self.name}"
