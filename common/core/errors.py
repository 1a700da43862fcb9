"""The exception for errors that the user can fix."""


class UserError(Exception):
    """An error that the user can fix: only its message is shown, without a traceback.

    The message says where the error is, what was found, what was wanted and what to do next.
    """
