"""Serve chat completions on 127.0.0.1, for smoke runs without a network."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from common.data import dialogue
from common.data.dialogue import clean


def summary(question: str, variant: int = 0) -> str:
    """Return a Korean sentence that names up to two speakers of the dialogue and reuses words of their turns.

    The same question and `variant` always give the same sentence.
    """
    _, _, after = question.rpartition("[대화]")
    text = clean(after.partition("[/대화]")[0] or question)
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


def answer_text(body: dict[str, Any], times: int) -> str:
    """Return the answer to a request body: a summary of its last dialogue.

    With a temperature above 0 the answer differs with `times`, the number of times this body has arrived.
    """
    questions = [message["content"] for message in body["messages"] if message["role"] == "user"]
    asked = next((q for q in reversed(questions) if "[대화]" in q), questions[-1] if questions else "")
    return summary(asked, times if body.get("temperature") else 0)


def completion(body: dict[str, Any], number: int, text: str) -> dict[str, Any]:
    """Return a chat completion that answers request `number` with `text`; its token counts are estimates."""
    # Tokenizers trained on Korean make about one token of five bytes.
    prompt, own = (
        len(t.encode()) // 5 + 8 for t in ("".join(message["content"] for message in body["messages"]), text)
    )
    return {
        "id": f"loopback-{number}", "object": "chat.completion", "model": body.get("model", ""),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": own, "total_tokens": prompt + own},
    }  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """Answers every POST request with a chat completion."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered, so that headers and body leave in one packet
    server: "Server"

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def do_POST(self) -> None:
        """Read one request and answer it."""
        self.respond(self.rfile.read(int(self.headers.get("content-length", 0))))

    def respond(self, data: bytes) -> None:
        """Answer the request whose body is `data`."""
        body = json.loads(data)
        number, times = self.server.count(data)
        content = json.dumps(completion(body, number, answer_text(body, times)), ensure_ascii=False).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """A server on a free port that counts the requests it receives."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type[Handler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._lock = threading.Lock()
        self._received: Counter[bytes] = Counter()

    @property
    def url(self) -> str:
        """The base_url of this server."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def count(self, data: bytes) -> tuple[int, int]:
        """Count a request; return how many requests, and how many with this body, have arrived so far."""
        key = hashlib.sha256(data).digest()
        with self._lock:
            self._received[key] += 1
            return self._received.total(), self._received[key]

    def handle_error(self, *_: Any) -> None:
        """Ignore a client that closes its connection early."""


@contextmanager
def serve(handler: type[Handler] = Handler) -> Iterator[Server]:
    """Yield a running server; it stops when the context ends."""
    server = Server(handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
