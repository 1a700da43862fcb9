"""Memory that does not suffice, of a GPU or of the machine, said as a mistake the user can mend."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from common.errors import UserError

_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")


@contextmanager
def must_suffice(advice: str) -> Iterator[None]:
    """What stands inside needs much memory; `advice` says what to do when it is not there.

    Raises UserError, which ends in `advice`, for every kind of out-of-memory error; others pass as they are.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _lacks_memory(error):
            raise
        raise UserError(f"the memory did not suffice; {advice}") from error


def _lacks_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in _WORDS)
