"""Coordinate the processes that torchrun started: rank, waiting for each other, sharing results."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from common.core import signals
from common.core.errors import UserError

T = TypeVar("T")
# The other processes wait while the first one downloads or saves; NCCL's default timeout is only minutes.
PATIENCE = timedelta(hours=6)
_LOST = ("gloo/transport", "Connection closed by peer", "Connection reset by peer", "NCCL")


def rank() -> int:
    """Return the rank of this process, from 0; 0 when there is only one."""
    return int(os.environ.get("RANK", 0))


def count() -> int:
    """Return the number of processes that work together, at least 1."""
    return int(os.environ.get("WORLD_SIZE", 1))


def wait() -> None:
    """Wait until every process has made this call."""
    if count() > 1:
        _state().wait_for_everyone()


def gather(mine: Sequence[T]) -> list[T]:
    """Return the items of every process, in order of rank; the list is the same in each process."""
    if count() == 1:
        return list(mine)
    from accelerate.utils import gather_object

    _state()
    found: list[T] = gather_object(list(mine))
    return found


def agreed_signal() -> int | None:
    """Return the signal that any process has noted (`signals.noted`), None when there was none; the same in each process.

    Every process must make this call.
    """
    return next((number for number in gather([signals.pending()]) if number is not None), None)


@contextmanager
def first_alone() -> Iterator[None]:
    """Run the code inside this context in the first process, then in the others, which can use what it created."""
    if rank():
        wait()
    yield
    if not rank():
        wait()


def require_together(found: int) -> None:
    """Raise UserError unless the group has as many processes (`found`) as were started."""
    if found != count():
        raise UserError(
            f"{count()} processes were started, but only {found} form a group; start them with make … gpus=N."
        )


def gpu() -> int | None:
    """Return the number of this process's GPU on this machine; None on a machine without GPUs.

    Raises UserError when this machine has fewer GPUs than processes.
    """
    import torch

    if not torch.cuda.is_available():
        return None
    number, there = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    # Fail in all processes of the machine, also in the first, because only the first one reports errors.
    wanted = max(number + 1, int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    if wanted > there:
        raise UserError(f"gpus= needs at least {wanted} GPUs, but this machine has {there}; lower it.")
    return number


def lost_another(error: BaseException) -> bool:
    """Return whether an error of this process only says that another one of the group has ended."""
    return count() > 1 and any(text in str(error) for text in _LOST)


def leave() -> None:
    """Close the group of processes, if one was formed, once every process has made this call.

    A process that exits while its group is open can be aborted by a thread of the group that still runs.
    """
    if count() == 1:
        return
    import torch.distributed

    if torch.distributed.is_initialized():
        wait()
        torch.distributed.destroy_process_group()


def _state() -> Any:
    """Return accelerate's state of the process group, which the first call creates.

    Raises UserError as `gpu` and `require_together` do, and when the processes cannot find each other.
    """
    from accelerate import PartialState

    cpu = gpu() is None  # two processes on one GPU would fail inside NCCL
    try:
        state = PartialState(cpu=cpu, timeout=PATIENCE)
    except ValueError as error:  # WORLD_SIZE is above 1, but the address of the first process is not set
        raise UserError(
            f"{count()} processes were started, but they cannot find each other ({error}); start them with "
            "make … gpus=N."
        ) from error
    require_together(state.num_processes)
    return state
