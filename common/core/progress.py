"""Show how far a long task is: a bar on a terminal, and in a log file at most one line every 30 seconds."""

import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from common.core.language import translated
from common.core.messages import duration

_LOG_INTERVAL = 30.0


def _is_follower() -> bool:
    """Return whether torchrun started this process and it is not the first one."""
    return os.environ.get("RANK", "0") != "0"


class _Lines:
    """A text file for tqdm that writes each state of a bar as a line of its own, for log files."""

    def write(self, text: str) -> None:
        """Write the text without carriage returns and cursor movements, unless it is blank."""
        if line := text.replace("\r", "").replace("\x1b[A", "").strip():
            sys.stderr.write(f"{line}\n")

    def flush(self) -> None:
        """Flush stderr."""
        sys.stderr.flush()


_NO_ESTIMATE = "{l_bar}{bar}| {n_fmt}/{total_fmt} {unit} [{elapsed}]"


def progress(
    total: int | None,
    description: str,
    unit: str,
    initial: int = 0,
    *,
    leave: bool = True,
    even: bool = True,
) -> Any:
    """Return a tqdm bar with rate and ETA; without `leave` it disappears at the end.

    `even`: items take about as long as one another; otherwise an ETA would mislead, and none is shown.

    On a terminal it is drawn every second, so that its clock runs while one item takes long. A log file gets nothing in
    the first 30 seconds. Processes other than the first show nothing.
    """
    from tqdm import tqdm  # many commands end before a bar is due

    terminal = sys.stderr.isatty()
    bar = tqdm(
        total=total,
        initial=initial,
        desc=translated(description),
        unit=unit,
        disable=_is_follower(),
        leave=leave and terminal,
        bar_format=None if even else _NO_ESTIMATE,
        delay=0 if terminal else _LOG_INTERVAL,
        mininterval=0.2 if terminal else _LOG_INTERVAL,
        maxinterval=_LOG_INTERVAL,
        miniters=1,  # look at the clock after every item: tqdm would wait for as many as were done in the last interval
        dynamic_ncols=terminal,
        file=sys.stderr if terminal else _Lines(),
    )
    if not terminal:  # a text beside the bar is no reason to write a line: tqdm would, whatever the interval
        bar.set_postfix_str = partial(bar.set_postfix_str, refresh=False)
    if terminal and not bar.disable:
        threading.Thread(target=_tick, args=(weakref.ref(bar),), daemon=True).start()
    return bar


def _tick(reference: "weakref.ref[Any]") -> None:
    """Draw the bar every second until it is closed or nobody has it any longer."""
    while True:
        time.sleep(1.0)
        bar = reference()
        if bar is None or bar.disable:  # tqdm disables a bar that is closed
            return
        bar.refresh()
        del bar


def brief_progress(total: int, description: str, unit: str, *, even: bool = True) -> Any:
    """Return a tqdm bar for work of seconds to minutes that disappears at the end; `even` as in `progress`."""
    return progress(total, description, unit, leave=False, even=even)


class BatchProgress:
    """Counts what finished batches contained, and estimates the time left from the work that they took.

    The estimate never uses an unfinished batch, so it does not rise while a long batch runs.
    """

    def __init__(
        self, work: float, items: int, unit: str, *, done_work: float = 0, done_items: int = 0
    ) -> None:
        self.work, self.items, self.unit = work, items, unit
        self.done_work, self.done_items = done_work, done_items
        self._first_work = done_work
        self._started = self._finished_at = time.monotonic()

    def advance(self, work: float, items: int) -> None:
        """Count a finished batch."""
        self.done_work += work
        self.done_items += items
        self._finished_at = time.monotonic()

    def seconds_left(self) -> float | None:
        """Return the estimated seconds until the end, at least 0; None before the first batch has finished."""
        worked = self.done_work - self._first_work
        if worked <= 0:
            return None
        rate = worked / (self._finished_at - self._started)
        since = time.monotonic() - self._finished_at
        return max(0.0, (self.work - self.done_work) / rate - since)

    def __str__(self) -> str:
        left = self.seconds_left()
        passed = duration(time.monotonic() - self._started)
        estimate = (
            "time left: known after the first batch" if left is None else f"about {duration(left)} left"
        )
        return translated(f"{self.done_items}/{self.items} {self.unit}, {passed}, {estimate}")


@contextmanager
def batches_shown(state: BatchProgress, description: str) -> Iterator[None]:
    """Show the state inside this context: as a bar that is drawn every second, or as a line every 30 seconds."""
    with _redrawn(
        state.work,
        lambda bar: _set(bar, state.done_work, f"{{desc}} {{percentage:3.0f}}%|{{bar}}| {state}"),
        description,
    ):
        yield


@contextmanager
def waiting(description: str) -> Iterator[None]:
    """Show what runs inside this context and for how long, when a library cannot tell how far it is."""
    started = time.monotonic()
    with _redrawn(
        None,
        lambda bar: _set(bar, 0, f"{{desc}} … {duration(time.monotonic() - started)}"),
        description,
    ):
        yield


def _set(bar: Any, done: float, line: str) -> None:
    bar.n, bar.bar_format = min(done, bar.total or done), line


@contextmanager
def _redrawn(total: float | None, update: Callable[[Any], None], description: str) -> Iterator[None]:
    terminal = sys.stderr.isatty()
    if _is_follower():
        yield
        return
    from tqdm import tqdm

    bar = tqdm(
        total=total,
        desc=translated(description),
        leave=False,
        delay=1e-9,  # draw only what `update` has set
        dynamic_ncols=terminal,
        file=sys.stderr if terminal else _Lines(),
    )
    ended = threading.Event()

    def redraw() -> None:
        while True:
            if terminal:
                update(bar)
                bar.refresh()
            if ended.wait(1.0 if terminal else _LOG_INTERVAL):
                return
            if not terminal:
                update(bar)
                bar.refresh()

    thread = threading.Thread(target=redraw, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        bar.close()
