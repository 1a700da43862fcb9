"""Provide dialogues, questions, settings and scripted faults for the tests of common/llm."""

import hashlib
import json
import sqlite3
import threading
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import prompts
from common.llm import Check, LLMConfig, Request, summary_check
from common.prompts import Message
from tests.support.scripted_server import Call, Reply

KEY = "canary-6b1f0a97c2/5d+e4~8.k_ey=="
PLACES = ("시장", "도서관", "역 앞", "3층 회의실", "학교", "공원", "수영장")
THINGS = ("우산", "김밥", "기차표", "자전거", "꽃다발", "달력", "접시", "화분", "연필")
TAGS = ("#Person1#", "#Person2#")


def dialogue(number: int) -> str:
    """Return an invented dialogue, a different one for each number."""
    place, thing = PLACES[number % 7], THINGS[number % 9]
    return (
        f"#Person1#: {place}에서 {thing} 파는 거 봤어요? 번호표가 {number}번까지 나갔대요.\n"
        f"#Person2#: 네, 저는 {number % 12 + 1}시에 {thing} 사러 {place}에 들를 생각이에요.\n"
        f"#Person1#: 그럼 제 것도 하나 부탁해요. 돈은 저녁에 드릴게요."
    )


def ask_about(text: str, key: str = "row_0", sample: int = 0) -> Request:
    """Return the question for one dialogue, as `common.prompts` writes it."""
    messages = tuple(Message(**m) for m in prompts.prompt().chat(text))  # type: ignore[arg-type]
    return Request(key, messages, sample)


def questions(count: int) -> list[Request]:
    """Return questions about so many dialogues."""
    return [ask_about(dialogue(number), f"row_{number}") for number in range(count)]


def check(count: int) -> Check:
    """Return the check of summaries for `questions(count)`."""
    names = [f"row_{number}" for number in range(count)]
    return summary_check(dict.fromkeys(names, TAGS), {n: dialogue(i) for i, n in enumerate(names)})


def no_check(_: Request, __: str) -> str:
    """Accept every answer."""
    return ""


def config(url: str, **changes: Any) -> LLMConfig:
    """Return settings without waiting times; the key is in the environment variable LLM_TEST_KEY."""
    made = LLMConfig(base_url=url, model="tester-1", key_name="LLM_TEST_KEY", temperature=0.0, longest_wait=0.05,
                         requests_per_minute=10**6, tokens_per_minute=10**9, connect_timeout=5.0, read_timeout=20.0)  # fmt: skip
    return replace(made, **changes)


class Faults:
    """A script of faults that depend on the question and on how often it was asked, and a record of each reply."""

    def __init__(self, *, lose: bool = True, delay: float = 0.0) -> None:
        self.lose = lose
        self.delay = delay
        self.replies: dict[str, list[str]] = defaultdict(list)
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> Reply:
        draw = int(hashlib.sha256(f"{call.digest}{call.times}".encode()).hexdigest(), 16) % 1000 / 10
        kind, reply = self.choose(draw)
        with self._lock:
            self.replies[call.digest].append(kind)
        return reply

    def choose(self, draw: float) -> tuple[str, Reply]:
        hostile = "100000" if draw < 1 else "Fri, 31 Dec 9999 23:59:59 GMT" if draw < 2 else "0.01"
        table = [
            (10, "429", Reply(429, headers={"Retry-After": hostile}, content=b'{"error": {"message": "slow down"}}')),
            (5, "500", Reply(500, content=b"<html>oops</html>")),
            (3, "dropped", Reply(drop="before")),
            (3, "dropped", Reply(drop="inside")),
            (2, "broken", Reply(content=b'{"choices": [{"message": {"content": "')),
            (2, "broken", Reply(content=b'{"object": "list", "data": []}')),
            (3, "good", Reply(delay=0.05)),
            (1, "good", Reply(drip=0.0001)),
        ]  # fmt: skip
        for share, kind, reply in table:
            if draw < share and (self.lose or kind in ("429", "500", "good")):
                return kind, reply
            draw -= share
        return "good", Reply(delay=self.delay)


def stored(path: Path) -> dict[str, str]:
    """Return the texts of the answers in a cache file, by hash."""
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("SELECT hash, text FROM answers"))
    finally:
        connection.close()


def bytes_under(folder: Path) -> bytes:
    """Return the bytes and the names of all files below a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return b"".join(str(path).encode() + path.read_bytes() for path in files)


def spellings(secret: str) -> list[bytes]:
    """Return the ways to write a secret."""
    return [secret.encode(), json.dumps(secret)[1:-1].encode(), secret.encode()[:12], secret.encode()[-12:]]
