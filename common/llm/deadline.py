"""Run blocking work in a thread, with a deadline for all of it."""

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class DeadlineThread:
    """A thread that does a worker's blocking work, so that the worker can stop waiting for it.

    A read timeout starts again at every byte: a server that sends one byte a minute would block a worker forever. An
    abandoned thread ends with its connection or with this process.
    """

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], Any] | None] | None = None
        self._outcomes: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def within(self, seconds: float, work: Callable[[], T]) -> T:
        """Return the result of `work`.

        Raises what `work` raises, and TimeoutError when it takes more than so many seconds.
        """
        if self._work is None:
            self._work, self._outcomes = queue.SimpleQueue(), queue.SimpleQueue()
            threading.Thread(target=_do, args=(self._work, self._outcomes), daemon=True).start()
        self._work.put(work)
        try:
            good, value = self._outcomes.get(timeout=seconds)
        except queue.Empty:
            self.close()
            raise TimeoutError from None
        if not good:
            raise value
        result: T = value
        return result

    def close(self) -> None:
        """End the thread after its current work."""
        if self._work:
            self._work.put(None)
        self._work = None


def _do(
    waiting: "queue.SimpleQueue[Callable[[], Any] | None]", outcomes: "queue.SimpleQueue[tuple[bool, Any]]"
) -> None:
    while (work := waiting.get()) is not None:
        try:
            outcomes.put((True, work()))
        except BaseException as error:  # it is raised again in the worker's thread
            outcomes.put((False, error))
        del work  # or the last answer stays in memory until the next one
