"""A process that is killed gets last words."""

import signal

from common.core.torchrun import signal_message


def test_a_killed_process_gets_last_words() -> None:
    assert signal_message(1, -signal.SIGKILL) == (
        "process 1 was ended by SIGKILL, perhaps because the machine ran out of memory. "
        "Run the same command to resume from the last checkpoint, if there is one."
    )
    assert signal_message(0, -signal.SIGSEGV).startswith("process 0 was ended by SIGSEGV. ")
    assert signal_message(0, 1) == ""
