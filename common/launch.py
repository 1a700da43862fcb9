"""torchrun for `make … gpus=N`: several processes of one command, whose own last words stay the last."""

import logging
import signal
import sys

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.run import parse_args, run


def last_words(rank: int, code: int) -> str:
    """What is left to say of a process that ended with this code: nothing of one that could speak for itself."""
    if code >= 0:
        return ""
    name = signal.Signals(-code).name
    cause = "; the machine's memory may not have sufficed" if -code == signal.SIGKILL else ""
    return f"error: process {rank} was ended by {name}{cause}. The same command goes on from the last checkpoint."


def main() -> None:
    """Run what torchrun's command line says; the exit code is that of the process that failed first."""
    # torchrun would print a table and a traceback of its own beneath the process's one line.
    logging.disable(logging.ERROR)
    try:
        run(parse_args(sys.argv[1:]))
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if words := last_words(rank, failure.exitcode):
            print(words, file=sys.stderr)  # noqa: T201
        sys.exit(failure.exitcode if failure.exitcode > 0 else 1)
    except RendezvousError as error:
        sys.exit(
            f"error: the machines did not find each other ({error}). Run the same command on each within a few "
            "minutes, with an --rdzv-endpoint that all of them reach."
        )


if __name__ == "__main__":
    main()
