"""The key: where it comes from, and that no byte of output, error, cache or file shows it."""

import html
import json
import signal
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import llm
from common.core.errors import UserError
from common.llm import LLMConfig, Request, client
from common.llm.keys import REDACTED, read_key, redact
from tests.support import llm_world, odd_files, scripted_server
from tests.support.llm_world import KEY, bytes_under, config, no_check, questions
from tests.support.scripted_server import Call, Reply

HERE = LLMConfig(key_name="LLM_TEST_KEY")


def test_the_environment_comes_before_the_file_and_spaces_are_stripped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_TEST_KEY", " \t key-of-environment\n")
    (tmp_path / ".env").write_text('\ufeff# mine\nOTHER=1\nexport LLM_TEST_KEY="key-of-file" # here\n')
    assert read_key(HERE) == "key-of-environment"
    monkeypatch.setenv("LLM_TEST_KEY", "  ")
    assert read_key(HERE) == "key-of-file"
    monkeypatch.delenv("LLM_TEST_KEY")
    assert read_key(HERE) == "key-of-file"
    assert read_key(replace(HERE, key_name="")) == ""
    assert read_key(replace(HERE, base_url="loopback:")) == ""


def test_a_missing_key_says_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLM_TEST_KEY")
    for content in (None, "", "OTHER=abcdefghijk\n", "LLM_TEST_KEY=\n", "LLM_TEST_KEY\n"):
        if content is not None:
            (tmp_path / ".env").write_text(content)
        with pytest.raises(UserError, match=r"LLM_TEST_KEY is neither .*\.env\. Add the line LLM_TEST_KEY="):
            read_key(HERE)
    with pytest.raises(UserError, match="there is no API key"):
        llm.ask(questions(1), replace(HERE, model="m"), no_check)
    (tmp_path / ".env").write_bytes(b"LLM_TEST_KEY=\xff\xfe\n")
    with pytest.raises(UserError, match=r"\.env: cannot be read \(it is not UTF-8"):
        read_key(HERE)
    odd_files.make("named pipe", tmp_path / ".env")
    with pytest.raises(UserError, match=r"\.env: cannot be read \(it is a named pipe"):
        read_key(HERE)


@pytest.mark.parametrize("bad", ["canary-열쇠-123456", "canary 123456", "canary\x07123456", "canary-123\u200b456", "canary=123456", "canary1"])  # fmt: skip
def test_what_cannot_be_a_key_is_refused_without_being_shown(
    bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_TEST_KEY", bad)
    with pytest.raises(UserError, match="the key LLM_TEST_KEY in the environment") as caught:
        read_key(HERE)
    shown = "".join(traceback.format_exception(caught.value))
    assert "canary" not in shown.split("UserError: ")[-1]


def test_a_key_in_place_of_its_name_is_not_shown() -> None:
    with pytest.raises(UserError, match="not the name of an environment variable") as caught:
        read_key(replace(HERE, key_name=KEY))
    assert "canary" not in str(caught.value)


@given(st.text("abkzAZ019-._~+/", min_size=12, max_size=60), st.sampled_from(["", "=", "=="]))
def test_no_spelling_of_a_key_survives(start: str, end: str) -> None:
    key = start + end
    numbered = "".join(f"&#x{ord(c):X};" if c in "/+=" else c for c in key)
    once = (
        key,
        key.replace("/", "\\/"),
        numbered,
        numbered.lower(),
        quote(key),
        quote(key, safe=""),
        key.replace("+", "\\u002B"),
    )
    twice = [f(text) for text in once for f in (json.dumps, html.escape, quote)]
    for spelled in (*once, *twice, key + key, f"{key[:12]}…"):
        made = redact(f"Bearer {spelled} 끝", key)
        assert made.replace(REDACTED, "").replace('"', "") in ("Bearer  끝", "Bearer … 끝")


def echoing(status: int) -> Callable[[Call], Reply]:
    """Sends the Authorization header back in every place there is."""

    def script(call: Call) -> Reply:
        echo = f"you sent {call.authorization} and {json.dumps(call.authorization)}"
        if status == 200:
            return Reply(
                text=f"#Person1#은 {call.authorization}{echo}을 말한다." * 2, finish=call.authorization
            )
        kinds = [
            json.dumps({"error": {"message": echo, "code": call.authorization}}).encode(),
            json.dumps({call.authorization: echo}).encode(),
            ("x" * 250 + echo).encode(),
            f"<p>{html.escape(echo)}</p>".encode(),
            json.dumps(echo).replace("/", "\\/").encode(),
        ]
        headers = {"Location": f"http://127.0.0.1:1/{call.authorization}", "X-Echo": call.authorization}
        return Reply(status, content=kinds[call.number % len(kinds)], headers=headers)

    return script


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 422, 429, 500])
def test_a_server_that_sends_the_key_back_finds_it_nowhere(
    tmp_path: Path, start: Callable[..., Any], status: int
) -> None:
    with scripted_server.serve(echoing(status)) as server:
        for number in range(5 if status >= 300 else 1):
            client = start(
                server.url, 6, f"cache-{number}/c.sqlite", check=False, config={"attempts": 2, "workers": 1}
            )
            client.output()
        assert server.authorizations == {f"Bearer {KEY}"}
    found = bytes_under(tmp_path)
    assert not [spelled for spelled in llm_world.spellings(KEY) if spelled in found]
    assert REDACTED.encode() in found or status == 302
    assert (b"error: llm: " in found) == (status >= 300)


def test_the_log_of_a_killed_process_does_not_hold_the_key_either(
    tmp_path: Path, start: Callable[..., Any], wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    with scripted_server.serve(echoing(200)) as server:
        client = start(server.url, 400, check=False, config={"workers": 4})
        wait_until(lambda: server.received.total() >= 60)
        client.send(signal.SIGKILL)
        assert client.wait() == -signal.SIGKILL
    assert (tmp_path / "cache.sqlite-wal").stat().st_size > 0
    found = bytes_under(tmp_path)
    assert REDACTED.encode() in found
    assert not [spelled for spelled in llm_world.spellings(KEY) if spelled in found]


def test_an_answer_that_holds_the_key_has_failed(tmp_path: Path) -> None:
    with scripted_server.serve(echoing(200)) as server:
        (answer,), _ = llm.ask(questions(1), config(server.url), no_check, cache=tmp_path / "c.sqlite")
    assert (answer.text, answer.problem) == ("", "답에 비밀 값이 들어 있음")


def test_a_bug_while_asking_does_not_show_the_key(tmp_path: Path) -> None:
    def broken(request: Request, text: str) -> str:
        raise ValueError(text)

    script = lambda call: None if call.number > 3 else echoing(500)(call)  # noqa: E731
    with scripted_server.serve(script) as server, pytest.raises(ValueError, match="이야기") as caught:
        llm.ask(questions(1), config(server.url), broken, cache=tmp_path / "c.sqlite")
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert "canary" not in repr(client.Target("u", KEY))


def test_a_redirect_is_not_followed_with_the_key(tmp_path: Path) -> None:
    with scripted_server.serve() as other:
        moved = Reply(307, headers={"Location": f"{other.url}/chat/completions"}, content=b"")
        with (
            scripted_server.serve(lambda _: moved) as server,
            pytest.raises(UserError, match=r"redirect \(307\) to 127\.0\.0\.1:\d+; it is not followed"),
        ):
            llm.ask(questions(3), config(server.url), no_check, cache=tmp_path / "c.sqlite")
        assert other.received.total() == 0


def test_neither_a_netrc_file_nor_a_proxy_of_the_environment_comes_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password canary-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with scripted_server.serve() as proxy, scripted_server.serve() as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        llm.ask(questions(2), config(server.url), no_check, cache=tmp_path / "c.sqlite")
        assert server.authorizations == {f"Bearer {KEY}"}
        assert proxy.received.total() == 0
