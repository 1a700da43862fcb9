"""Serve `common.llm.loopback` with scripted answers, delays and faults, and record the requests."""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from common.llm import loopback
from common.llm.loopback import answer_text


@dataclass(frozen=True)
class Call:
    """One request."""

    number: int
    """Its number among all requests, from 1."""
    digest: str
    """Hex sha256 of the body; equal for equal questions."""
    times: int
    """Number of times that this question has arrived, this one included."""
    body: dict[str, Any]
    authorization: str


@dataclass(frozen=True)
class Reply:
    """The server's answer to one call; the defaults are a good answer without delay."""

    status: int = 200
    text: str | None = None
    """The answer's text; None for a generated summary."""
    finish: str = "stop"
    content: bytes | None = None
    """The whole body; None for a chat completion."""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds from the request's arrival until the answer begins."""
    drop: Literal["", "before", "inside", "header"] = ""
    """Position at which the connection is closed: before the answer, inside its body, or inside its headers."""
    drip: float = 0.0
    """Seconds between two bytes of the body; with drop "header", between two bytes of endless headers."""


def json_reply(value: Any, status: int = 200) -> Reply:
    """Return a reply whose body is this JSON value."""
    return Reply(status, content=json.dumps(value, ensure_ascii=False).encode())


def chat(message: Any, finish: Any = "stop", **more: Any) -> Reply:
    """Return a chat completion with this message, or with this text as its content."""
    if isinstance(message, str):
        message = {"role": "assistant", "content": message}
    return json_reply({"choices": [{"index": 0, "message": message, "finish_reason": finish, **more}]})


Script = Callable[[Call], Reply | None]
"""A call → the reply, None for the default one."""


@dataclass
class Server:
    """A running server: its URL and the requests that it received."""

    url: str = ""
    received: Counter[str] = field(default_factory=Counter)
    """Number of requests by digest."""
    answered: Counter[str] = field(default_factory=Counter)
    """Number of good answers by digest, also of those lost on the way: a real server would charge for them."""
    authorizations: set[str] = field(default_factory=set)
    busiest: int = 0
    """Largest number of requests that were in flight at once."""
    underway: int = 0
    """Number of requests in flight now."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, data: bytes, authorization: str) -> Call:
        """Count a request that arrived. Raises ValueError when its body is not JSON."""
        digest, body = hashlib.sha256(data).hexdigest(), json.loads(data)
        with self._lock:
            self.underway += 1
            self.busiest = max(self.busiest, self.underway)
            self.received[digest] += 1
            self.authorizations.add(authorization)
            number, times = self.received.total(), self.received[digest]
        return Call(number, digest, times, body, authorization)

    def leave(self) -> None:
        """Count a request that is finished."""
        with self._lock:
            self.underway -= 1

    def charge(self, call: Call) -> None:
        """Count a good answer."""
        with self._lock:
            self.answered[call.digest] += 1


def completion(call: Call, reply: Reply) -> bytes:
    """Return the body of a good answer."""
    text = answer_text(call.body, call.times) if reply.text is None else reply.text
    value = loopback.completion(call.body, call.number, text)
    value["choices"][0]["finish_reason"] = reply.finish
    return json.dumps(value, ensure_ascii=False).encode()


@contextmanager
def serve(script: Script | None = None) -> Iterator[Server]:
    """Yield a running server on a free port; the script sees every request and may choose the reply."""
    server = Server()
    ended = threading.Event()

    class Handler(loopback.Handler):
        arrived = 0.0

        def parse_request(self) -> bool:
            self.arrived = time.monotonic()
            return super().parse_request()

        def respond(self, data: bytes) -> None:
            try:
                call = server.enter(data, self.headers.get("authorization", ""))
            except ValueError:  # the client was killed while it sent the request
                self.close_connection = True
                return
            try:
                self.answer(call, (script(call) if script else None) or Reply())
            except OSError:  # the client was killed
                self.close_connection = True
            finally:
                server.leave()

        def answer(self, call: Call, reply: Reply) -> None:
            good = reply.status == 200 and reply.content is None
            content = completion(call, reply) if reply.content is None else reply.content
            time.sleep(max(0.0, self.arrived + reply.delay - time.monotonic()))
            if reply.drop == "before":
                self.close_connection = True
                return
            if good:
                server.charge(call)
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.drop == "header":
                self.flush_headers()
                self.drip_header(reply.drip)
                return
            self.end_headers()
            if reply.drop == "inside":
                content, self.close_connection = content[: len(content) // 2], True
            if reply.drip:
                for byte in content:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(reply.drip)
            else:
                self.wfile.write(content)
                self.wfile.flush()

        def drip_header(self, pause: float) -> None:
            self.close_connection = True
            while pause and not ended.wait(pause):
                self.wfile.write(b"X")
                self.wfile.flush()

    with loopback.serve(Handler) as running:
        server.url = running.url
        try:
            yield server
        finally:
            ended.set()
