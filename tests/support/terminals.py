"""Read what a process wrote to a terminal made for a test."""

import os


def shown_on(master: int) -> str:
    """Return everything that was written to the other end until it was closed; close this end."""
    parts = []
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # how Linux reports that the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(master)
    return b"".join(parts).decode().replace("\r\n", "\n")
