"""Define the exception for errors that the user can fix, and shorten messages of other errors."""


class UserError(Exception):
    """An error that the user can fix: only its message is shown, without a traceback.

    The message says where the error is, what was found, what was wanted and what to do next.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most 200 characters; its type when it has no message."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return text[:200] if text else type(error).__name__
