"""Start commands, disturb them and wait for them.

A command runs in a fork of this process, which has imported the libraries already, so that a try takes a second
instead of ten; SIGKILL is as real there. `cold` commands start a new interpreter, for faults while it imports.
"""

import contextlib
import ctypes
import os
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.core import signals
from tests.faults.outcome import Ended
from tests.support import REPOSITORY

LIMIT = 180.0
"""Seconds after which a command counts as hanging."""
MEMORY = 4 << 30
"""Bytes that a warm command may take, so that /dev/zero as an input does not take the machine's."""
_PARENT_DEATH_SIGNAL = 1
WRITES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "sqlite3.connect"}
"""Audit events of Python that change files, besides opening one for writing."""
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "WANDB_MODE": "disabled",
    "HF_HUB_OFFLINE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": str(REPOSITORY),
    "SOLAR_API_KEY": "not-a-key",
}


@dataclass
class Started:
    """A running command."""

    pid: int
    folder: Path
    began: float
    code: int | None = None
    ended: bool = False

    def poll(self) -> bool:
        """Return whether the command has ended."""
        if not self.ended:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.ended, self.code = True, os.waitstatus_to_exitcode(status)
        return self.ended

    def sleep_until(self, seconds: float) -> bool:
        """Sleep until so many seconds after the start; return False when the command ended before."""
        while time.monotonic() < self.began + seconds:
            if self.poll():
                return False
            time.sleep(0.002)
        return not self.poll()

    def send(self, number: int, *, group: bool = True) -> None:
        """Send a signal to the command, and to the processes that it started when `group`."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)

    def wait(self, limit: float = LIMIT) -> Ended:
        """Wait for the end; stop the command after `limit` seconds."""
        hung = self.sleep_until(time.monotonic() - self.began + limit)
        if hung:
            self.send(signal.SIGKILL)
            while not self.poll():
                time.sleep(0.01)
        self.send(signal.SIGKILL)  # whatever processes it left
        texts = [
            (self.folder / n).read_text(encoding="utf-8", errors="replace") for n in ("stdout", "stderr")
        ]
        return Ended(None if hung else self.code, *texts, time.monotonic() - self.began)


@dataclass(frozen=True)
class Command:
    """`python -m MODULE ARGUMENTS` in a repository."""

    module: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> list[str]:
        """Return the command line of a new interpreter."""
        return [sys.executable, "-m", self.module, *self.arguments]


def common(*arguments: str) -> Command:
    """Return `python -m common ARGUMENTS`."""
    return Command("common", arguments)


def stage(experiment: str, name: str, *arguments: str) -> Command:
    """Return a stage of an experiment, as `python -m common train` starts it."""
    return Command(f"experiments.{experiment}.{name}", arguments)


@dataclass(frozen=True)
class Bench:
    """A folder in which tries run, one at a time."""

    folder: Path
    cache: Path
    """Folder of the tiny models, which all tries share."""

    def repository(self, template: Path, name: str = "repository") -> Path:
        """Return a fresh copy of a template, which the next try replaces."""
        root = self.folder / name
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(template, root, symlinks=True)
        return root

    def start(
        self,
        root: Path,
        command: Command,
        *,
        cold: bool = False,
        prepare: Callable[[], None] = lambda: None,
    ) -> Started:
        """Start a command in the repository `root`; `prepare` runs first in a warm process."""
        logs = self.folder / f"output-{time.monotonic_ns()}"
        logs.mkdir(parents=True)
        environment = {**os.environ, **ENVIRONMENT, "KDS_ROOT": str(root), "KDS_MODEL_CACHE": str(self.cache)}
        environment |= command.environment
        files = [os.open(logs / name, os.O_WRONLY | os.O_CREAT) for name in ("stdout", "stderr")]
        began = time.monotonic()
        try:
            if cold:
                pid = subprocess.Popen(
                    command.words(), cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=files[0],
                    stderr=files[1], start_new_session=True, preexec_fn=die_with_parent,
                ).pid  # fmt: skip
            else:
                pid = os.fork()
                if pid == 0:
                    _become(root, command, environment, files, prepare)
        finally:
            for handle in files:
                os.close(handle)
        with contextlib.suppress(OSError):  # a fork does it too: whoever is first
            os.setpgid(pid, pid)
        return Started(pid, logs, began)

    def run(self, root: Path, command: Command, limit: float = LIMIT, *, cold: bool = False) -> Ended:
        """Run a command to its end."""
        return self.start(root, command, cold=cold).wait(limit)

    def clear(self) -> None:
        """Remove what a try left."""
        for path in self.folder.glob("*"):
            shutil.rmtree(path, ignore_errors=True)


def _become(
    root: Path,
    command: Command,
    environment: Mapping[str, str],
    files: Sequence[int],
    prepare: Callable[[], None],
) -> None:
    """Turn this fork into the command; never returns."""
    code: object = 1
    try:
        os.setpgid(0, 0)
        die_with_parent()
        signals.leave_at_once()  # as launch.py does in a new interpreter
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, handle in zip((1, 2), files, strict=True):
            os.dup2(handle, number)
        sys.stdout, sys.stderr = (
            os.fdopen(n, "w", encoding="utf-8", errors="backslashreplace", buffering=1) for n in (1, 2)
        )
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(root)
        sys.path[0:0] = [str(root)]
        sys.argv = [command.module, *command.arguments]
        prepare()
        runpy.run_module(command.module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        code = 1
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(int(code or 0))  # type: ignore[call-overload]


def watch_writes(root: Path, act: Callable[[int], None]) -> None:
    """Call `act` with the running number of every change to a file in `root`, just before it; lasts until the end."""
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event == "open":
            path, _, flags = arguments
            writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            if not writing or not _inside(path, root):
                return
        elif event not in WRITES or not _inside(arguments[0], root):
            return
        count += 1
        act(count)

    sys.addaudithook(hook)


def _inside(path: object, root: Path) -> bool:
    return isinstance(path, str | os.PathLike) and os.path.abspath(os.fspath(path)).startswith(str(root))  # noqa: PTH100


def count_writes(root: Path, into: Path) -> Callable[[], None]:
    """Return a `prepare` that keeps the number of changes to files in the file `into`."""

    def prepare() -> None:
        handle = os.open(into, os.O_WRONLY | os.O_CREAT)
        watch_writes(root, lambda number: void(os.pwrite(handle, str(number).encode(), 0)))

    return prepare


def die_at_write(root: Path, number: int) -> Callable[[], None]:
    """Return a `prepare` that kills the process just before its change `number` to a file in `root`."""

    def act(now: int) -> None:
        if now == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return lambda: watch_writes(root, act)


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends, so that a killed harness leaves nothing behind."""
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def void(_: object) -> None:
    """Ignore a value."""


@contextlib.contextmanager
def forked(work: Callable[[], None]) -> Iterator[int]:
    """Run `work` in a fork meanwhile; yield its process id and kill it at the end."""
    pid = os.fork()
    if pid == 0:
        die_with_parent()
        try:
            work()
        finally:
            os._exit(0)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
