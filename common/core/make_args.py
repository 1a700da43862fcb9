"""Say where make takes the options that a message names."""

import os
import re

TAKING_ARGS = ("train", "infer", "predict", "import-adapter", "augment", "blend-report")
"""Targets of make that pass the options in args="…" on."""
_OPTION = re.compile(r"(?<![\w\"'=-])--[a-z][a-z0-9_.-]*")
_COMMAND = re.compile(r"args=|\bmake [a-z]|-m common |\bpip install ")
"""A message with one of these already says what to type, or names an option of another program."""


def where_options_go(message: str) -> str:
    """Return where make takes the options that a message names; "" when it names none or make did not start this."""
    goals = os.environ.get("KDS_GOALS", "").split()
    if (
        not any(goal in TAKING_ARGS for goal in goals)
        or _COMMAND.search(message)
        or not _OPTION.search(message)
    ):
        return ""
    return ' With make, options go in args="…".'
