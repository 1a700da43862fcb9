"""Run torchrun for `make … gpus=N`: one command in several processes, without torchrun's own error report.

A signal is passed on to all processes, which finish their step, save a checkpoint and end; the first one says how to go on.
"""

import logging
import signal
import sys

import psutil  # type: ignore[import-untyped]
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.run import parse_args, run

from common.core.distributed import PATIENCE
from common.core.errors import first_line
from common.core.terminal import error_line


def signal_message(rank: int, code: int) -> str:
    """Return an error message for a process that a signal ended; "" for any other, which printed its own."""
    if code >= 0:
        return ""
    name = signal.Signals(-code).name
    cause = ", perhaps because the machine ran out of memory" if -code == signal.SIGKILL else ""
    return (
        f"process {rank} was ended by {name}{cause}. "
        "Run the same command to resume from the last checkpoint, if there is one."
    )


def main() -> None:
    """Run torchrun with the command-line arguments; exit with the code of the process that failed first."""
    # torchrun would print its own table and traceback after the error message of the process.
    logging.disable(logging.ERROR)
    # By default torchrun kills processes 30 seconds after a signal, perhaps before they have finished their step.
    patience = f"--shutdown-timeout={int(PATIENCE.total_seconds())}"
    try:
        run(parse_args([patience, *sys.argv[1:]]))
    except SignalException as stop:
        for process in psutil.Process().children():  # one that torchrun was starting just then
            process.kill()
        sys.exit(128 + stop.sigval)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if message := signal_message(rank, failure.exitcode):
            print(error_line(message), file=sys.stderr)  # noqa: T201
        sys.exit(failure.exitcode if failure.exitcode > 0 else 1)
    except ValueError as error:
        sys.exit(
            error_line(f"nodes=: torchrun cannot use a value ({first_line(error)}); correct that option.")
        )
    except RendezvousError as error:
        sys.exit(
            error_line(
                f"the machines did not find each other ({error}). Run the same command on each machine within a "
                "few minutes, with an --rdzv-endpoint that all of them can reach."
            )
        )


if __name__ == "__main__":
    main()
