"""A small chat-completions server on 127.0.0.1: smoke runs without a network, and every fault that tests need."""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from common import dialogue


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    number: int
    """From 1, over all requests."""
    digest: str
    """Hex sha256 of the body: the same question has the same one."""
    times: int
    """How often this question has arrived, this time included."""
    body: dict[str, Any]
    authorization: str


@dataclass(frozen=True)
class Reply:
    """What a script has the server do; the defaults are a good answer at once."""

    status: int = 200
    text: str | None = None
    """The answer's text in place of a summary of ours."""
    finish: str = "stop"
    content: bytes | None = None
    """The whole body in place of a chat completion."""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds from the request's arrival until the answer begins."""
    drop: Literal["", "before", "inside", "header"] = ""
    """Close the connection before the answer, inside its body, or inside its headers."""
    drip: float = 0.0
    """Seconds between any two bytes of the body; with drop "header", of endless headers instead."""
    usage: bool = True
    """Whether the tokens are counted."""


Script = Callable[[Call], Reply | None]


@dataclass
class Server:
    """A running server: its URL and what it has seen."""

    url: str = ""
    received: Counter[str] = field(default_factory=Counter)
    """Requests by digest."""
    answered: Counter[str] = field(default_factory=Counter)
    """Good answers that were computed, and so would be charged, by digest; also where they were lost on the way."""
    authorizations: set[str] = field(default_factory=set)
    busiest: int = 0
    """Most requests that were under way at once."""
    underway: int = 0
    """Requests that are under way now."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, data: bytes, authorization: str) -> Call:
        """Count a request that arrived."""
        digest, body = hashlib.sha256(data).hexdigest(), json.loads(data)
        with self._lock:
            self.underway += 1
            self.busiest = max(self.busiest, self.underway)
            self.received[digest] += 1
            self.authorizations.add(authorization)
            number, times = self.received.total(), self.received[digest]
        return Call(number, digest, times, body, authorization)

    def leave(self) -> None:
        """Count a request that is over."""
        with self._lock:
            self.underway -= 1

    def charge(self, call: Call) -> None:
        """Count a good answer."""
        with self._lock:
            self.answered[call.digest] += 1


def summary(question: str, variant: int = 0) -> str:
    """A Korean sentence that names the speakers of a dialogue and reuses words of their turns; the same for the same
    variant."""
    _, _, after = question.rpartition("[대화]")
    text = dialogue.clean(after.partition("[/대화]")[0] or question)
    turns = [turn for turn in dialogue.parse(text) if turn.text]
    parts = []
    for tag in list(dict.fromkeys(turn.speaker for turn in turns if turn.speaker))[:2] or [""]:
        own = [turn.text for turn in turns if turn.speaker == tag]
        seed = hashlib.sha256(f"{variant} {tag} {own}".encode()).digest()
        words = [word.strip(".,?!\"'~… ") for word in own[seed[0] % len(own)].split()] if own else []
        words = [word for word in words if word and "#" not in word]
        at = seed[1] % max(1, len(words) - 1)
        parts.append(
            f"{tag or '한 사람'}은 {' '.join(words[at : at + 2]) or '여러 일'} 이야기를 {('꺼내', '나누', '건네')[seed[2] % 3]}"
        )
    return "고, ".join(parts) + "었다."


def completion(call: Call, reply: Reply) -> bytes:
    """The body of a good answer."""
    messages = call.body.get("messages") or [{"content": ""}]
    questions = [message["content"] for message in messages if message["role"] == "user"]
    asked = next((q for q in reversed(questions) if "[대화]" in q), questions[-1] if questions else "")
    variant = 0 if not call.body.get("temperature") else call.times
    text = summary(asked, variant) if reply.text is None else reply.text
    value: dict[str, Any] = {
        "id": f"loopback-{call.number}", "object": "chat.completion", "model": call.body.get("model", ""),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reply.finish}],
    }  # fmt: skip
    if reply.usage:
        # About what tokenizers that know Korean make.
        prompt, own = (len(t.encode()) // 5 + 8 for t in ("".join(m["content"] for m in messages), text))
        value["usage"] = {"prompt_tokens": prompt, "completion_tokens": own, "total_tokens": prompt + own}
    return json.dumps(value, ensure_ascii=False).encode()


@contextmanager
def serve(script: Script | None = None) -> Iterator[Server]:
    """A running server on a free port; the script sees every request and may choose the reply."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # headers and body leave together
        arrived = 0.0

        def log_message(self, *_: Any) -> None:
            pass

        def parse_request(self) -> bool:
            self.arrived = time.monotonic()
            return super().parse_request()

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("content-length", 0)))
            try:
                call = server.enter(data, self.headers.get("authorization", ""))
            except ValueError:  # a client that was killed while it asked
                self.close_connection = True
                return
            try:
                self.answer(call, (script(call) if script else None) or Reply())
            except OSError:
                self.close_connection = True  # a killed client
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

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: Any) -> None:
            """A killed client breaks its connection off."""

    ended = threading.Event()
    listening = Quiet(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listening.server_port}/v1"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        ended.set()
        listening.shutdown()
        listening.server_close()
        thread.join()
