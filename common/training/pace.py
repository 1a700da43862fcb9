"""Tell others how far a training is and how fast, in a small file that exists only while it runs."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

from common.core.errors import UserError
from common.core.files import parse_json, read_regular, write_json

FILE = "pace.json"
EVERY = 2.0
"""Seconds between two writings."""


@dataclass(frozen=True)
class Pace:
    """How far a training is."""

    step: int
    total: int
    """Number of optimizer steps of the whole training."""
    tokens_per_second: float
    """Source and target tokens of all processes in the last seconds of training steps, evaluations left out."""
    seconds_left: float
    """Estimate by the steps so far, evaluations included."""
    time: float
    """When this was written, in seconds since the epoch."""


class PaceFile:
    """Writes the file now and then; a write that fails is left out, because nothing but a display depends on it."""

    def __init__(self, folder: Path, total: int, step: int, *, write: bool) -> None:
        self.path, self.total, self.first, self.writes = folder / FILE, total, step, write
        self.began = self.written = time.monotonic()
        self.tokens, self.seconds = 0, 0.0

    def note(self, step: int, tokens: int, seconds: float) -> None:
        """Count a step that took so many seconds, and write the file when it is due."""
        if not self.writes:
            return
        self.tokens, self.seconds = self.tokens + tokens, self.seconds + seconds
        now = time.monotonic()
        if now - self.written < EVERY:
            return
        left = (now - self.began) / (step - self.first) * (self.total - step)
        found = Pace(step, self.total, self.tokens / max(self.seconds, 1e-9), left, time.time())
        self.tokens, self.seconds, self.written = 0, 0.0, now
        try:
            write_json(self.path, asdict(found))
        except UserError:
            self.writes = (
                False  # the disk is full or read-only: the training itself will say so when it matters
            )

    def close(self) -> None:
        """Remove the file: the training ended."""
        if self.writes:
            self.path.unlink(missing_ok=True)


def read_pace(folder: Path) -> Pace | None:
    """Return what a running training wrote last; None when there is nothing readable."""
    try:
        return Pace(**parse_json(read_regular(folder / FILE)))
    except (OSError, ValueError, TypeError):
        return None
