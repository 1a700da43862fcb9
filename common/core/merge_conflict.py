"""Recognize a file in which git left a merge conflict."""

import re

from common.core.errors import UserError

_MARKER = re.compile(rb"(?:<{7}|>{7}|\|{7})(?: .*)?|={7}")


def conflict_line(content: bytes) -> int | None:
    """Return the number of the first line that git writes around the sides of a merge conflict; None without one."""
    lines = content.split(b"\n")
    return next((n for n, line in enumerate(lines, 1) if _MARKER.fullmatch(line.rstrip(b"\r"))), None)


def require_merged(content: bytes, label: str) -> None:
    """Raise UserError when git left a merge conflict in a file of which only one side can be right; `label` names the file."""
    if line := conflict_line(content):
        raise UserError(
            f"{label}:{line}: a merge conflict of git; remove the lines that begin with <<<<<<<, =======, ||||||| or >>>>>>>, "
            "and one of the two sides."
        )
