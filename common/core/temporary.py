"""Create temporary files and folders whose names identify the process that writes them, and remove abandoned ones."""

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

LONGEST_STEM = 120  # bytes of the target's name in a temporary name; a file name has at most 255 bytes
DAYS = 2.0
"""Age in days from which a temporary file of another machine counts as abandoned."""
_UNKNOWN = "0" * 8
_NAME = re.compile(
    r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<pid>[0-9]+)-(?P<start>[0-9]+)-[a-z0-9_]{8}\.tmp", re.DOTALL
)


def temporary_file(path: Path) -> Path:
    """Create an empty temporary file beside `path` and return it; first remove what killed processes left there.

    Raises OSError when the folder cannot be written.
    """
    sweep(path.parent)
    handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=".tmp", dir=path.parent)
    os.close(handle)
    return Path(name)


def temporary_folder(path: Path) -> Path:
    """Create an empty temporary folder beside `path` and return it; first remove what killed processes left there.

    Raises OSError when the folder around it cannot be written.
    """
    sweep(path.parent)
    return Path(tempfile.mkdtemp(prefix=_prefix(path), suffix=".tmp", dir=path.parent))


def sweep(folder: Path) -> None:
    """Remove the folder's temporary files and folders whose process has ended; what cannot be removed stays.

    The processes of another machine that shares the disk are not visible from here: their files stay for DAYS days.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _NAME.fullmatch(entry.name)
            if found and _is_abandoned(entry, found["machine"], int(found["pid"]), found["start"]):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    with contextlib.suppress(OSError):
                        Path(entry.path).unlink()


def _prefix(path: Path) -> str:
    stem = path.name.encode("utf-8", "replace")[:LONGEST_STEM].decode("utf-8", "ignore")
    machine, pid = this_machine(), os.getpid()
    return f".{stem}.{machine}-{pid}-{process_start(pid) or 0}-"


@cache
def this_machine() -> str:
    """Return 8 digits for this boot of this machine and its process namespace; _UNKNOWN where there is no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return _UNKNOWN
    return hashlib.sha256(f"{boot}{namespace}".encode()).hexdigest()[:8]


def process_start(pid: int) -> str | None:
    """Return when a process started, in clock ticks since boot: a later process may get the same id.

    "" for a process that has ended but is still listed; None when it is not visible.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return "" if fields[0] in (b"Z", b"X") else fields[19].decode("ascii")
    except (OSError, IndexError):
        return None


def _is_abandoned(entry: os.DirEntry[str], machine: str, pid: int, start: str) -> bool:
    if machine != this_machine() or machine == _UNKNOWN:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > DAYS * 86400
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it runs under another user, so perhaps only its start is hidden
        return False
    now = process_start(pid)
    return now is not None and now != start
