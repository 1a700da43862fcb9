"""One call and its faults: what is retried, what stops the run, and that everything ends."""

import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import llm
from common.core.errors import UserError
from common.llm import LLMConfig, completion
from common.llm.config import endpoint, require_valid
from common.llm.deadline import DeadlineThread
from common.llm.refusals import Target, TransientError, quoted, retry_after
from common.llm.transport import LARGEST
from tests.support import scripted_server
from tests.support.llm_world import config, no_check, questions, stored
from tests.support.scripted_server import Call, Reply


def unused_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(429, content=b"{}"), "429"),
        (Reply(408, content=b"{}"), "408"),
        (Reply(500, content=b""), "500"),
        (Reply(503, headers={"Retry-After": "100000"}, content=b"later"), "503"),
        (Reply(drop="before"), "dropped"),
        (Reply(drop="inside"), "dropped"),
        (Reply(content=b""), "broken"),
        (Reply(content=b"<html>"), "broken"),
        (Reply(content=b"[" * 100_000), "broken"),
        (Reply(content=b'{"error": {"message": "overloaded"}}'), "503"),
        (Reply(content=b'{"error": {"message": "oh no"}}'), "error"),
        (Reply(content=b'{"choices": []}'), "broken"),
        (Reply(content=b'{"choices": [{"message": {"content": 7}}]}'), "broken"),
        (Reply(content=b'{"choices": [{"message": "hello"}]}'), "broken"),
        (Reply(content=b"x" * (LARGEST + 1)), "broken"),
        (Reply(headers={"Content-Encoding": "gzip"}), "broken"),
        (Reply(drip=0.05), "timeout"),
        (Reply(drop="header", drip=0.05), "timeout"),
        (Reply(delay=1.0), "timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_passing_fault_is_tried_again(tmp_path: Path, reply: Reply, reason: str) -> None:
    # A drip would go on for 15 seconds, in a header for ever.
    short = {"connect_timeout": 0.3, "read_timeout": 0.3} if reason == "timeout" else {}
    with scripted_server.serve(lambda call: reply if call.number == 1 else None) as server:
        settings = config(server.url, workers=1, **short)
        (answer,), usage = llm.ask(questions(1), settings, no_check, cache=tmp_path / "c.sqlite")
        assert answer.text
        assert usage.retries == {reason: 1}
        assert server.received.total() == 2


def test_a_server_that_only_fails_ends_the_run_and_says_how_to_go_on(tmp_path: Path) -> None:
    def script(call: Call) -> Reply:
        return Reply() if call.number <= 10 else Reply(502, content=b"bad gateway")

    with scripted_server.serve(script) as server:
        settings = config(server.url, workers=2, attempts=3, longest_wait=0.01)
        with pytest.raises(UserError, match=r'no answer in 3 attempts; the last reason: 502: "bad gateway"\. The server failed.*10 of 40 answers are kept in c\.sqlite; run the same command again'):  # fmt: skip
            llm.ask(questions(40), settings, no_check, cache=tmp_path / "c.sqlite")
        assert server.received.total() <= 10 + 2 * 2 * 3


def test_one_request_that_always_fails_does_not_hold_the_others_up(tmp_path: Path) -> None:
    def script(call: Call) -> Reply | None:
        return (
            Reply(500, content=b"")
            if "번호표가 7번" in call.body["messages"][-1]["content"]
            else Reply(delay=0.01)
        )

    with scripted_server.serve(script) as server:
        settings = config(server.url, workers=4, attempts=3, longest_wait=0.01)
        with pytest.raises(UserError, match=r"1 of 40 requests got no answer in 3 attempts each, while others did \(the last reason: 500\)\. 39 of 40"):  # fmt: skip
            llm.ask(questions(40), settings, no_check, cache=tmp_path / "c.sqlite")
    assert len(stored(tmp_path / "c.sqlite")) == 39


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{unused_port()}/v1"
    with pytest.raises(UserError, match=rf"{url}/chat/completions: no answer in 3 attempts; the last reason: connect: the connection was refused.*0 of 4 answers"):  # fmt: skip
        llm.ask(
            questions(4), config(url, attempts=3, longest_wait=0.01), no_check, cache=tmp_path / "c.sqlite"
        )


def test_a_host_that_does_not_exist_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def nowhere(host: str, *_: Any, **__: Any) -> None:  # no test asks a real name server
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(
        UserError, match=r"https://no-such-host\.invalid/v1/chat/completions: there is no such host"
    ):
        llm.ask(
            questions(1), config("https://no-such-host.invalid/v1"), no_check, cache=tmp_path / "c.sqlite"
        )
    assert asked == ["no-such-host.invalid"]


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("7", "", 7.0),
        ("0.25", "", 0.25),
        ("100000", "", 100_000.0),
        ("Fri, 20 Nov 2026 10:00:30 GMT", "Fri, 20 Nov 2026 10:00:00 GMT", 30.0),
        ("Fri, 20 Nov 2026 10:00:30", "Fri, 20 Nov 2026 10:00:00 GMT", 30.0),
        ("Fri, 20 Nov 2026 09:00:00 GMT", "Fri, 20 Nov 2026 10:00:00 GMT", 0.0),
        ("Fri, 20 Nov 1970 09:00:00 GMT", "nonsense", 0.0),
        ("-5", "", 0.0),
        ("nan", "", 0.0),
        ("1e9", "", 0.0),
        ("9" * 5000, "", 0.0),
        ("soon", "", 0.0),
        ("", "", 0.0),
    ],
)
def test_retry_after(header: str, date: str, seconds: float) -> None:
    assert retry_after({"retry-after": header, "date": date}) == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_retry_after_breaks_a_call(header: str, date: str) -> None:
    assert retry_after({"retry-after": header, "date": date}) >= 0


@given(st.binary(max_size=60))
def test_no_body_breaks_a_call(content: bytes) -> None:
    assert quoted(content.decode("utf-8", "replace"), "").isprintable()
    for status in (200, 400, 429, 500):
        with pytest.raises((TransientError, UserError)):
            completion.read(status, {}, content, Target("https://host", ""), LLMConfig())


def test_a_lone_surrogate_in_an_answer_can_be_stored(tmp_path: Path) -> None:
    content = b'{"choices": [{"message": {"content": "\\ud800\xea\xb0\x80"}, "finish_reason": "stop"}]}'
    with scripted_server.serve(lambda _: Reply(content=content)) as server:
        (answer,), _ = llm.ask(questions(1), config(server.url), no_check, cache=tmp_path / "c.sqlite")
    assert answer.text == "?가"


def test_work_that_never_ends_is_left_behind() -> None:
    ended = threading.Event()
    aside = DeadlineThread()
    first = aside.within(60, threading.get_ident)
    assert first == aside.within(60, threading.get_ident) != threading.get_ident()
    with pytest.raises(TimeoutError):
        aside.within(0.05, lambda: ended.wait(60))
    assert aside.within(60, lambda: 2) == 2  # what was given up on neither holds it up nor answers for it
    ended.set()
    with pytest.raises(ZeroDivisionError):
        aside.within(60, lambda: 1 // 0)
    assert aside.within(60, lambda: 3) == 3
    aside.close()


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("api.upstage.ai/v1", "does not start with https://"),
        ("ftp://api.upstage.ai/v1", "does not start with https://"),
        ("https://", "has no host"),
        ("https:///v1", "has no host"),
        ("https://host:99999/v1", "Port out of range"),
        ("https://host:0/v1", "port is 0"),
        ("https://[::1/v1", "Invalid IPv6"),
        ("https://host/v1?key=1", "a query or a fragment"),
        ("https://host/v1#x", "a query or a fragment"),
        ("https://ho st/v1", "a space or a control"),
        ("https://host/v1/chat/completions", "leave out /chat/completions"),
        ("http://api.upstage.ai/v1", "plain http to another machine"),
        ("http://127.0.0.1.example.org/v1", "plain http to another machine"),
        ("http://10.0.0.7:8000/v1", "plain http to another machine"),
    ],
)
def test_a_malformed_base_url_is_named(url: str, part: str) -> None:
    with pytest.raises(UserError, match=r"base[_-]url") as caught:
        llm.estimate([], config(url))
    assert part in str(caught.value)
    shown = "://" in url and not set(url) & set("@?#")  # anything else may hold a key
    assert (repr(url) in str(caught.value)) == shown


def test_a_password_in_the_url_is_not_shown() -> None:
    with pytest.raises(UserError, match="put keys into the environment") as caught:
        endpoint(config("https://me:canary@host/v1"))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.upstage.ai/v1/", "https://api.upstage.ai/v1/chat/completions"),
        ("https://api.upstage.ai/v1/solar", "https://api.upstage.ai/v1/solar/chat/completions"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1/chat/completions"),
        ("http://127.0.0.9:8000", "http://127.0.0.9:8000/chat/completions"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/chat/completions"),
        ("loopback:", "loopback:/chat/completions"),
    ],
)
def test_endpoints(url: str, expected: str) -> None:
    assert endpoint(config(url)) == expected


@pytest.mark.parametrize(
    "change",
    [{"workers": 0}, {"attempts": 0}, {"requests_per_minute": 0}, {"tokens_per_minute": 0}, {"max_tokens": 0},
     {"connect_timeout": 0.0}, {"read_timeout": -1.0}, {"temperature": -0.1}, {"longest_wait": -1.0},
     {"price_prompt": -1.0}, {"price_completion": -1.0}, {"budget": -1.0}, {"model": " "}],
)  # fmt: skip
def test_settings_out_of_range_are_named(change: dict[str, Any]) -> None:
    require_valid(config("https://host/v1"))
    with pytest.raises(UserError, match=f"(--|llm: no ){next(iter(change)).replace('_', '-')}"):
        llm.ask([], replace(config("https://host/v1"), **change), no_check)
