"""Serve chat completions from a process of its own, and count what a real endpoint would charge for."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.core.json_lines import append_line
from tests.faults.bench import forked
from tests.support import scripted_server
from tests.support.llm_world import Faults
from tests.support.scripted_server import Call, Reply


@dataclass(frozen=True)
class Endpoint:
    """A running server."""

    url: str
    log: Path

    def answered(self) -> int:
        """Return the number of good answers sent so far."""
        return len(self.log.read_bytes().splitlines()) if self.log.exists() else 0


@contextlib.contextmanager
def endpoint(folder: Path, delay: float = 0.004) -> Iterator[Endpoint]:
    """Yield a server that refuses some calls, as endpoints do, and answers the others after `delay` seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    place, log = folder / "url", folder / "answered.jsonl"
    place.unlink(missing_ok=True)
    lock = threading.Lock()

    def work() -> None:
        faults = Faults(lose=False, delay=delay)

        def script(call: Call) -> Reply:
            reply = faults(call)
            if reply.status == 200 and reply.content is None:
                with lock:
                    append_line(log, call.digest)
            return reply

        with scripted_server.serve(script) as server:
            staged = place.with_suffix(".new")
            staged.write_text(server.url, encoding="utf-8")
            staged.rename(place)
            while True:
                time.sleep(60)

    with forked(work):
        end = time.monotonic() + 20
        while not place.exists() and time.monotonic() < end:
            time.sleep(0.005)
        yield Endpoint(place.read_text(encoding="utf-8"), log)
