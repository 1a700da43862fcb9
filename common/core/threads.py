"""Limit the threads of numerical libraries, and run parts of a job side by side."""

import os
from collections.abc import Callable, Iterator, MutableMapping, Sequence
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


def cores() -> int:
    """Return how many cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_threads() -> int:
    """Return how many threads may compute at once, at least 1: OMP_NUM_THREADS, else the cores of this process."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(wanted) if wanted.isdecimal() and int(wanted) else cores()


def share_of_cores(jobs: int) -> int:
    """Return how many threads each of ``jobs`` processes side by side should use, at least 1."""
    return max(1, cores() // jobs)


def limit_threads(environment: MutableMapping[str, str], threads: int) -> None:
    """Set how many threads a process with this environment uses, unless the user has set it.

    torch, OpenMP, BLAS and ROUGE read the first variable, and the tokenizers the second.
    """
    environment.setdefault("OMP_NUM_THREADS", str(threads))
    environment.setdefault("RAYON_NUM_THREADS", environment["OMP_NUM_THREADS"].split(",")[0])


def side_by_side(work: Callable[[Part], Any], parts: Sequence[Part], threads: int) -> None:
    """Call the work for every part, in up to this many threads. Raises what the first part that fails raises.

    Threads help only where the work releases the GIL most of the time.
    """
    if threads <= 1 or len(parts) <= 1:
        for part in parts:
            work(part)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(threads, len(parts))) as pool:
        try:
            for _ in pool.map(work, parts):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
