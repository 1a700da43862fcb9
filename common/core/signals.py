"""Let a signal end a process at a good moment, with one line and the exit code 128 + its number.

`launch.py` and `common/__main__.py` call `leave_at_once` before they import anything large. `raised` turns a signal into
an exception; inside it, loops that can save their work use `noted` and look at `pending` after each step.
A signal that the process was started to ignore, as under nohup, stays ignored.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from common.core.terminal import fitted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
REPEATED = 0.5
"""Seconds within which a second signal counts as the first one: make, torchrun and a process group often send two."""

LATER = 0.01
"""Seconds after which a signal is sent again that came where an exception would be lost."""


class Interrupted(SystemExit):
    """A signal asked this process to end. Without a handler, the process exits with 128 + the signal's number."""

    def __init__(self, number: int, done: str = "", *, together: bool = False) -> None:
        super().__init__(128 + number)
        self.number = number
        self.done = done
        """What was done, such as "after step 3 of 9; checkpoint saved"."""
        self.together = together
        """Whether every process raises this at the same point of its work."""
        self.advice = "run the same command again."

    def __str__(self) -> str:
        name = signal.Signals(self.number).name
        if self.done:
            return f"interrupted by {name} {self.done}; {self.advice}"
        return f"interrupted by {name}; {self.advice}"


class _Handler:
    """A signal handler: the first signal calls `first`, a later one ends the process at once."""

    def __init__(self, first: Callable[[int], None]) -> None:
        self.first = first
        self.number: int | None = None
        self.at = 0.0
        self.outer: list[_Handler] = []

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.number is None and self.first is _raise and _is_finalizing(frame):
            threading.Timer(LATER, os.kill, (os.getpid(), number)).start()
        elif self.number is None:
            for handler in (self, *self.outer):
                handler.number, handler.at = number, time.monotonic()
            self.first(number)
        elif time.monotonic() - self.at > REPEATED:
            os._exit(128 + number)


def _is_finalizing(frame: FrameType | None) -> bool:
    """Return whether the signal came inside a `__del__`, where Python prints an exception and goes on without it."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def _note(number: int) -> None:
    """Do nothing: the handler has noted the number."""


def _raise(number: int) -> None:
    raise Interrupted(number)


def _leave(number: int) -> None:
    line = fitted(str(Interrupted(number, "before any work")), sys.stderr)
    os.write(2, f"{line}\n".encode())
    os._exit(128 + number)


def _is_follower() -> bool:
    """Return whether torchrun started this process and it is not the first one."""
    return os.environ.get("RANK", "0") != "0"


@contextmanager
def _installed(handler: _Handler | signal.Handlers) -> Iterator[None]:
    before = {}
    if threading.current_thread() is threading.main_thread():  # Python runs handlers only there
        before = {number: signal.getsignal(number) for number in SIGNALS}
        before = {number: old for number, old in before.items() if old is not signal.SIG_IGN}
        if isinstance(handler, _Handler):
            outer = next((old for old in before.values() if isinstance(old, _Handler)), None)
            handler.outer = [outer, *outer.outer] if outer else []
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            begun = isinstance(old, _Handler) and old.first is _leave  # what it says is no longer true
            signal.signal(number, _Handler(_note) if begun else old)


def leave_at_once() -> None:
    """Make a signal end this process with one line, until another handler is installed, and accept signals again.

    Processes other than the first end without a line.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL if _is_follower() else _Handler(_leave))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def hold() -> None:
    """Keep signals waiting until the program that replaces this process calls `leave_at_once`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


@contextmanager
def raised() -> Iterator[None]:
    """Raise Interrupted in the main thread when a signal arrives inside this context.

    Processes other than the first end at once instead: they may wait for the first one inside a library.
    """
    with _installed(signal.SIG_DFL if _is_follower() else _Handler(_raise)):
        yield


@contextmanager
def told(advice: str = "") -> Iterator[None]:
    """Print the line of an Interrupted that leaves this context, with `advice` unless it is ""."""
    try:
        yield
    except Interrupted as stop:
        from common.core.messages import close_bars

        close_bars()
        stop.advice = advice or stop.advice
        print(fitted(str(stop), sys.stderr), file=sys.stderr, flush=True)  # noqa: T201
        raise


@contextmanager
def noted() -> Iterator[None]:
    """Note a signal that arrives inside this context, for `pending`; raise Interrupted at the end if the code did not."""
    handler = _Handler(_note)
    with _installed(handler):
        yield
    if handler.number is not None:
        raise Interrupted(handler.number)


def pending() -> int | None:
    """Return the signal that arrived inside `noted`; None when there was none."""
    handlers = (signal.getsignal(number) for number in SIGNALS)
    found = (h.number for h in handlers if isinstance(h, _Handler) and h.first is _note)
    return next((number for number in found if number is not None), None)
