"""A real PostgreSQL server on this machine for one test; tests are skipped, and say so, where it is not installed."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")
USERS = ("postgres", "nobody")
"""Users under which a server runs when the tests run as root, which the server refuses."""


@dataclass
class Server:
    """A running server with one database, `sweeps`."""

    port: int
    user: str
    password: str
    folder: Path
    programs: Path

    @property
    def url(self) -> str:
        """Where its database is, password included."""
        return f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port}/sweeps"

    def run(self, *command: str) -> None:
        """Run a program of the server as its own user. RuntimeError with its output when it fails."""
        words = [str(self.programs / command[0]), *command[1:]]
        if os.geteuid() == 0:
            words = ["runuser", "-u", _owner(), "--", *words]
        own = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PGPASSWORD": self.password}
        done = subprocess.run(words, cwd=self.folder, env=own, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off"
        self.run(
            "pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-w", "-o", options, "start"
        )

    def stop(self) -> None:
        """Stop it at once; its connections are lost."""
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop")


def _programs() -> Path | None:
    found = [
        path for place in PLACES for path in sorted(Path("/").glob(place[1:])) if (path / "initdb").is_file()
    ]
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path).resolve().parent if on_path else None


def _owner() -> str:
    known = {one.pw_name for one in pwd.getpwall()}
    return next(name for name in USERS if name in known)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def server() -> Iterator[Server]:
    """Run a server inside this context. Skips the test where PostgreSQL is not installed, or root has no other user."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL refuses to run as root, and there is no runuser")
    folder = Path(tempfile.mkdtemp(prefix="kds-postgres-"))
    try:
        found = Server(_free_port(), "someone", secrets.token_urlsafe(12), folder, programs)
        password = folder / "password"
        password.write_text(found.password + "\n", encoding="utf-8")
        if os.geteuid() == 0:
            for path in (folder, password):
                shutil.chown(path, _owner())
        options = [
            "-U",
            found.user,
            "--auth=scram-sha-256",
            f"--pwfile={password}",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        found.run("initdb", "-D", f"{folder}/data", *options)
        found.start()
        try:
            found.run("createdb", "-h", "127.0.0.1", "-p", str(found.port), "-U", found.user, "sweeps")
            yield found
        finally:
            with suppress(RuntimeError):
                found.stop()
    finally:
        time.sleep(0.05)
        shutil.rmtree(folder, ignore_errors=True)
