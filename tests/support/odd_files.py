"""Make what is no regular file where a file is expected."""

import os
import socket
from pathlib import Path

KINDS = {
    "named pipe": "it is a named pipe, wanted a file",
    "device": "it is a device, wanted a file",
    "socket": "it is a socket, wanted a file",
    "folder": "it is a folder, wanted a file",
    "loop": "Too many levels of symbolic links",
    "broken link": "it is a link to nowhere, which is not there",
}
"""Kind → what a message says about it."""


def make(kind: str, path: Path) -> Path:
    """Put an odd file of this kind at the path, in place of what is there, and return the path."""
    path.unlink(missing_ok=True)
    if kind == "named pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        here = os.open(path.parent, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"/proc/self/fd/{here}/{path.name}")  # the whole path may be too long for a socket
        os.close(here)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.name if kind == "loop" else "nowhere")
    return path
