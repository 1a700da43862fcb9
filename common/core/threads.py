"""Limit the threads of numerical libraries."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Let OpenMP and BLAS use one thread inside this context.

    Small fits gain nothing from threads. On a busy machine they lose: the threads of one fit wait for each other, and
    each wait lasts until the system runs the thread that is missing. Only libraries that are already loaded are limited.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    with threadpool_limits(limits=1):
        yield
