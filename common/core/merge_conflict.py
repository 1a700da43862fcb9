"""Recognize a file in which git left a merge conflict."""

import re

_MARKER = re.compile(rb"(?:<{7}|>{7}|\|{7})(?: .*)?|={7}")


def conflict_line(content: bytes) -> int | None:
    """Return the number of the first line that git writes around the sides of a merge conflict; None without one."""
    lines = content.split(b"\n")
    return next((n for n, line in enumerate(lines, 1) if _MARKER.fullmatch(line.rstrip(b"\r"))), None)
