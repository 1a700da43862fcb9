"""Define the exception for errors that the user can fix, and shorten messages of other errors."""

from common.core.messages import cut, printable

_LONGEST = 800


class UserError(Exception):
    """An error that the user can fix: only its message is shown, without a traceback.

    The message says where the error is, what was found, what was wanted and what to do next. Its lines are printable,
    and one of more than 800 characters loses its middle, whatever a file or a server put into it.
    """

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(_line(line) for line in message.split("\n")))


def _line(line: str) -> str:
    return _without_middle(printable(_without_middle(line)))  # escapes make it longer


def _without_middle(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 303]} … {line[-300:]}"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most 200 characters; its type when it has no message.

    A first line that only announces the next one, as it ends with a colon, is joined with it.
    """
    lines = [line.strip() for line in str(error)[:10_000].splitlines() if line.strip()]
    text = " ".join(lines[: 2 if lines[0].endswith(":") else 1]) if lines else ""
    return cut(text, 200) if text else type(error).__name__
