"""Limit the threads of numerical libraries, and run parts of a job side by side."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Part = TypeVar("Part")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let OpenMP and BLAS use one thread inside this context.

    Small fits gain nothing from threads. On a busy machine they lose: the threads of one fit wait for each other, and
    each wait lasts until the system runs the thread that is missing. Only libraries that are already loaded are limited.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    with threadpool_limits(limits=1):
        yield


def cpu_threads() -> int:
    """Return how many threads may compute at once, at least 1: OMP_NUM_THREADS, else the cores of this process."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(work: Callable[[Part], Any], parts: Sequence[Part], threads: int) -> None:
    """Call the work for every part, in up to this many threads. Raises what the first part that fails raises.

    Threads help only where the work releases the GIL most of the time.
    """
    if threads <= 1 or len(parts) <= 1:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(min(threads, len(parts))) as pool:
        try:
            for _ in pool.map(work, parts):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
