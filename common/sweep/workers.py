"""Know which processes work on a study, on any machine, and which of them have died."""

import os
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.core.messages import cut
from common.core.temporary import process_start, this_machine

BEAT = 15.0
"""Seconds between two signs of life of a worker."""
MISSED = 4
"""Number of signs of life that a worker of another machine may miss in a row; then it counts as dead."""
PREFIX = "worker "
"""Beginning of the study's attributes that hold the signs of life."""


@dataclass
class Worker:
    """This process, and what it has seen of the others."""

    beat: float = BEAT
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    host: str = field(default_factory=lambda: cut(socket.gethostname(), 40))
    count: int = 0
    beaten: float = float("-inf")
    """When it last gave a sign of life, on the clock of `time.monotonic`."""
    seen: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Other worker → the last count that was seen, and when it was first seen."""

    def due(self) -> bool:
        """Return whether it is time for the next sign of life."""
        return time.monotonic() - self.beaten >= self.beat

    def sign(self) -> dict[str, Any]:
        """Return the next sign of life, for the attribute `PREFIX` + id of the study."""
        self.count += 1
        self.beaten = time.monotonic()
        start = process_start(os.getpid())
        return {
            "host": self.host,
            "machine": this_machine(),
            "pid": os.getpid(),
            "start": start,
            "count": self.count,
        }

    def is_dead(self, other: str, attributes: Mapping[str, Any]) -> bool:
        """Return whether a worker has certainly ended, or has been silent for too long, from the study's attributes.

        A worker of this machine is looked up by its process. The clocks of two machines are never compared.
        """
        if other == self.id:
            return False
        sign = attributes.get(PREFIX + other)
        if not sign:
            return True
        start = process_start(sign["pid"]) if sign["machine"] == this_machine() else None
        if sign["machine"] == this_machine() and sign["start"] is not None:
            return bool(start != sign["start"])
        count, since = self.seen.get(other, (-1, 0.0))
        if count != sign["count"]:
            self.seen[other] = (sign["count"], time.monotonic())
            return False
        return time.monotonic() - since > MISSED * max(self.beat, 1.0)
