"""Turn out-of-memory errors of a GPU or of the machine into a UserError with advice."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from common.core.errors import UserError

_MESSAGES = ("out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")


@contextmanager
def advise_when_out_of_memory(advice: str) -> Iterator[None]:
    """Raise UserError, which ends in `advice`, when the code inside this context runs out of memory.

    Other errors are not changed.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"out of memory; {advice}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a GPU or the machine has no memory left."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _MESSAGES)
