"""Collate batches ahead of the training step, in a thread, so that the device does not wait for them."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from common.training.losses import Batch

T = TypeVar("T")
AHEAD = 2
"""Number of batches that wait for their turn."""


def batches_ahead(
    make: Callable[[T], Batch], items: Iterable[T], device: torch.device
) -> Generator[Batch, None, None]:
    """Yield the batch that `make` returns for each item, in their order, on the device.

    A thread makes the next AHEAD batches in the meantime, so `make` must not use random numbers. It is not called for
    any further item once the iterator is closed. An error of `make` is raised at the turn of its batch.
    """
    on_gpu = device.type == "cuda"

    def made(item: T) -> Batch:
        batch = make(item)
        # A copy from pinned memory does not stop the program until the GPU has finished its work.
        return {name: value.pin_memory() for name, value in batch.items()} if on_gpu else batch

    def begin() -> None:
        if on_gpu:
            torch.cuda.set_device(device)  # a new thread has the first GPU

    waiting: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="collate", initializer=begin) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(made, item))
                if len(waiting) > AHEAD:
                    yield _moved(waiting.popleft().result(), device)
            while waiting:
                yield _moved(waiting.popleft().result(), device)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _moved(batch: Batch, device: torch.device) -> Batch:
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}
