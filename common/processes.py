"""The processes of one training or inference (torchrun starts them): who this one is, waiting, sharing results."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from common.errors import UserError

T = TypeVar("T")
PATIENCE = timedelta(
    hours=6
)  # while the first downloads or saves, the others wait; NCCL gives up after minutes


def rank() -> int:
    """This process's number, from 0; 0 when there is only one."""
    return int(os.environ.get("RANK", 0))


def count() -> int:
    """How many processes work on this together."""
    return int(os.environ.get("WORLD_SIZE", 1))


def wait() -> None:
    """Return when every process has come here."""
    if count() > 1:
        _state().wait_for_everyone()


def gather(mine: Sequence[T]) -> list[T]:
    """The items of every process, in order of rank; the same list in each."""
    if count() == 1:
        return list(mine)
    from accelerate.utils import gather_object

    _state()
    found: list[T] = gather_object(list(mine))
    return found


@contextmanager
def first_alone() -> Iterator[None]:
    """What stands inside happens in the first process, and then in the others, which find what it made."""
    if rank():
        wait()
    yield
    if not rank():
        wait()


def require_together(found: int) -> None:
    """Raises UserError when not all the processes that were started work together, but `found` do."""
    if found != count():
        raise UserError(
            f"{count()} processes were started and {found} work together; start them with make … gpus=N."
        )


def gpu() -> int | None:
    """The number of this process's GPU on this machine; None on a machine without any.

    Raises UserError when this machine has fewer GPUs than processes.
    """
    import torch

    if not torch.cuda.is_available():
        return None
    number, there = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    # All processes of the machine refuse together, so that the first can say it.
    wanted = max(number + 1, int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    if wanted > there:
        raise UserError(f"gpus= asks for at least {wanted} GPUs and this machine has {there}; lower it.")
    return number


def _state() -> Any:
    """What holds the group of processes; the first call forms it. Raises UserError as `gpu` and `require_together`."""
    from accelerate import PartialState

    cpu = gpu() is None  # two processes on one GPU would fail inside NCCL
    try:
        state = PartialState(cpu=cpu, timeout=PATIENCE)
    except ValueError as error:  # WORLD_SIZE says there are others, and nothing says where
        raise UserError(f"{count()} processes were started and do not find each other ({error}).") from error
    require_together(state.num_processes)
    return state
