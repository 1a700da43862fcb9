"""A process that is killed gets last words."""

import signal

from common.launch import last_words


def test_a_killed_process_gets_last_words() -> None:
    assert last_words(1, -signal.SIGKILL) == (
        "error: process 1 was ended by SIGKILL, perhaps because the machine ran out of memory. "
        "Run the same command to resume from the last checkpoint."
    )
    assert last_words(0, -signal.SIGSEGV).startswith("error: process 0 was ended by SIGSEGV. ")
    assert last_words(0, 1) == ""
