"""Hand this machine's GPUs to trials; no two trials get the same one, whichever sweep they belong to."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from common.core.errors import UserError
from common.core.gpus import SECONDS, gpu_count


@dataclass(frozen=True)
class Lent:
    """GPUs that are reserved for one trial."""

    names: tuple[str, ...]
    """As CUDA_VISIBLE_DEVICES has them."""
    locks: tuple[int, ...]
    """Open files that hold the reservation; the trial's process gets them too, and keeps it when its sweep is killed."""

    def give_back(self) -> None:
        """Free the GPUs, once the trial's own process has ended, too."""
        for lock in self.locks:
            with suppress(OSError):
                os.close(lock)


def visible() -> list[str]:
    """Return the names of the GPUs that a process here sees, as CUDA_VISIBLE_DEVICES has them; [] when there is none."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        names = [name.strip() for name in listed.split(",")]
        # CUDA ignores everything after the first invalid entry.
        return names[: next((i for i, name in enumerate(names) if name in ("", "-1")), len(names))]
    count = gpu_count()
    return [str(place) for place in range(_listed() if count is None else count)]


def _listed() -> int:
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        done = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return 0
    return sum(line.startswith("GPU ") for line in done.stdout.splitlines())


def require_enough(jobs: int, each: int | None) -> int:
    """Return the number of GPUs for each trial: `each`, or by default one where there are any.

    Raises UserError when there are not enough for `jobs` trials at the same time.
    """
    names = visible()
    wanted = (1 if names else 0) if each is None else each
    if wanted * jobs > len(names):
        found = f"{len(names)} ({', '.join(names)})" if names else "none"
        fewer = len(names) // wanted
        instead = f"jobs={fewer}" if fewer else "gpus=0, which reserves none"
        raise UserError(
            f"no GPU left: jobs={jobs} with gpus={wanted} each needs {wanted * jobs} GPUs, and this machine shows {found}; use {instead}."
        )
    return wanted


def lend(number: int) -> Lent | None:
    """Return `number` free GPUs, reserved; None when fewer are free."""
    names: list[str] = []
    locks: list[int] = []
    if number:
        for name in visible():
            lock = _reserve(name)
            if lock is not None:
                names.append(name)
                locks.append(lock)
            if len(names) == number:
                break
    lent = Lent(tuple(names), tuple(locks))
    if len(names) < number:
        lent.give_back()
        return None
    return lent


def no_gpu_left(number: int) -> UserError:
    """Return the error for a sweep none of whose trials can begin."""
    names = ", ".join(visible())
    return UserError(
        f"no GPU left: a trial needs {number}, and other sweeps use those of this machine ({names}); wait for them, or use "
        "gpus=0, which reserves none."
    )


def _reserve(name: str) -> int | None:
    """Return the open file that reserves a GPU for the user's processes on this machine; None when it is taken."""
    folder = Path(tempfile.gettempdir()) / f"kds-gpus-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        safe = "".join(sign if sign.isalnum() else "_" for sign in name)
        lock = os.open(folder / f"{safe}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); make it writable.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock
