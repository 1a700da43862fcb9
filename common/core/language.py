"""Choose the language of what a command prints: KDS_LANG, else LC_ALL, LC_MESSAGES or LANG; English without a catalogue.

In English nothing is translated and no further module is imported.
"""

from __future__ import annotations  # common/cli/make.py imports this file in any Python

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout


def korean() -> bool:
    """Return whether messages are printed in Korean: the first variable that is set names it, as ko or ko_KR.UTF-8."""
    names = ("KDS_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    chosen = next((value for name in names if (value := os.environ.get(name))), "")
    return re.fullmatch(r"ko([-_.@].*)?", chosen, re.IGNORECASE) is not None


def unknown() -> str:
    """Return the value of KDS_LANG when it names no language that messages exist in, else ""."""
    chosen = os.environ.get("KDS_LANG", "")
    return "" if re.fullmatch(r"((ko|en|c|posix)([-_.@].*)?)?", chosen, re.IGNORECASE) else chosen


def translated(text: str) -> str:
    """Return a finished English message in the chosen language; lines that the catalogue does not have stay English."""
    if not korean():
        return text
    from common.core.translation import in_korean

    return in_korean(text)


@contextmanager
def spoken() -> Iterator[None]:
    """Translate what this context prints to stdout and stderr, line by line, when the chosen language is not English."""
    with ExitStack() as stack:
        if korean():
            import sys

            from common.core.translation import Translated

            stack.enter_context(redirect_stdout(Translated(sys.stdout)))
            stack.enter_context(redirect_stderr(Translated(sys.stderr)))
        yield
