"""What the tests of common/llm share: a key, a repository of their own, client processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from common import llm
from common.llm import Answer, Usage
from tests.support import REPOSITORY, llm_world, scripted_server
from tests.support.context7_server import Server, served
from tests.support.scripted_server import Reply


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository root of one's own, and a key in the environment."""
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    monkeypatch.setenv("LLM_TEST_KEY", llm_world.KEY)
    return tmp_path


@dataclass
class Client:
    """A client process."""

    pid: int
    say: Callable[[dict[str, Any]], int]
    settings: dict[str, Any]
    code: int | None = None

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Its exit code, minus the signal that killed it."""
        if self.code is None:
            self.code = self.say({"wait": self.pid})
        return self.code

    def output(self) -> tuple[str, str]:
        """All it wrote to stdout and stderr, once it has ended."""
        self.wait()
        return Path(self.settings["stdout"]).read_text(), Path(self.settings["stderr"]).read_text()


@pytest.fixture(scope="session")
def forker() -> Iterator[Callable[[dict[str, Any]], int]]:
    """Says a line to tests/support/llm_client.py and gives its answer."""
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY), "KDS_ROOT": "/nonexistent", "LLM_TEST_KEY": llm_world.KEY, "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.support.llm_client"]
    process = subprocess.Popen(
        command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    stdin, stdout = process.stdin, process.stdout

    def say(asked: dict[str, Any]) -> int:
        stdin.write(json.dumps(asked) + "\n")
        stdin.flush()
        return int(stdout.readline())

    yield say
    stdin.close()
    process.wait()
    stdout.close()


@pytest.fixture
def start(tmp_path: Path, forker: Callable[[dict[str, Any]], int]) -> Iterator[Callable[..., Client]]:
    """Starts client processes, and ends them with the test."""
    started: list[Client] = []

    def run(url: str, count: int, cache: str = "cache.sqlite", **settings: Any) -> Client:
        number = len(started)
        values = {
            "url": url, "count": count, "cache": str(tmp_path / cache), "out": str(tmp_path / "out.json"),
            "stdout": str(tmp_path / f"stdout-{number}"), "stderr": str(tmp_path / f"stderr-{number}"),
        } | settings  # fmt: skip
        client = Client(forker({"settings": values}), forker, values)
        started.append(client)
        return client

    yield run
    for client in started:
        if client.code is None:
            client.send(signal.SIGKILL)
            client.wait()


Ask = Callable[..., tuple[Answer, Usage]]
"""(replies of the server, the last one for every further call; settings) → the answer to one question, and the usage."""


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Asks one question of a server with scripted replies."""

    def one(*replies: Reply, **settings: Any) -> tuple[Answer, Usage]:
        with scripted_server.serve(lambda call: replies[min(call.number, len(replies)) - 1]) as server:
            made = llm_world.config(server.url, workers=1, **settings)
            asked, check = llm_world.questions(1), llm_world.check(1)
            answers, usage = llm.ask(asked, made, check, cache=tmp_path / "c.sqlite")
        return answers[0], usage

    return one


def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds; fails after a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited a minute in vain"
        time.sleep(0.002)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """`until`, for tests."""
    return until


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository root without a Context7 key."""
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    for name in ("CONTEXT7_API_KEY", "CONTEXT7_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def server(root: Path) -> Iterator[Server]:
    """A running Context7 of the test's own."""
    with served(Server()) as running:
        yield running
