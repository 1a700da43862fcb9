"""A process that is killed gets last words."""

import signal

from common.launch import last_words


def test_a_killed_process_gets_last_words() -> None:
    assert last_words(1, -signal.SIGKILL) == (
        "error: process 1 was ended by SIGKILL; the machine's memory may not have sufficed. "
        "The same command goes on from the last checkpoint."
    )
    assert last_words(0, -signal.SIGSEGV).startswith("error: process 0 was ended by SIGSEGV. ")
    assert last_words(0, 1) == ""
