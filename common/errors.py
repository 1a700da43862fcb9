"""The one exception for mistakes a user can mend."""


class UserError(Exception):
    """A mistake the user can mend: its message is the whole answer, and no traceback is shown.

    The message says where, what was found, what was wanted and what to do next.
    """
