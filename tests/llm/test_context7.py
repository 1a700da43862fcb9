"""Context7 as a loopback server plays it: its refusals, its faults, addresses that are not asked."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from common.core.errors import UserError
from common.llm import documentation
from common.llm.context7 import Context7Config, UnavailableError, from_environment, is_local
from tests.support.context7_server import KEY, QUESTION, Server, age, cached, config, served


def test_busy_and_faulty_servers_are_asked_again(server: Server) -> None:
    # A Retry-After of an hour, cut to the config's longest pause: without that this test would not end.
    server.faults = [(429, {"Retry-After": "3600"}, "{}"), (503, {}, "busy")]
    assert documentation.lookup(QUESTION, config=config(server)).passages
    assert server.endpoints == ["/libs/search"] * 3 + ["/context"]


@pytest.mark.parametrize(
    ("status", "key", "parts"),
    [
        (429, "", ("answered 429 (so it is)", "try again later, or set CONTEXT7_API_KEY")),
        (429, KEY, ("answered 429 (so it is)", "try again later.")),
        (500, "", ("answered 500 (so it is)", "try again later")),
        (504, "", ("answered 504", "try again later")),
    ],
)
def test_a_server_that_stays_busy_is_given_up(
    server: Server, root: Path, caplog: pytest.LogCaptureFixture, status: int, key: str, parts: tuple[str, ...]
) -> None:  # fmt: skip
    documentation.lookup(QUESTION, "/old/answer", config(server))
    day = age(root, 40)
    server.faults, server.stuck = [(status, {"Retry-After": "1"}, '{"message": "so it is"}')], True
    server.asked.clear()
    with pytest.raises(UnavailableError) as refused:
        documentation.lookup(QUESTION, config=config(server, key))
    assert len(server.asked) == 3
    assert all(part in str(refused.value) for part in parts)
    old = documentation.lookup(QUESTION, "/old/answer", config(server, key))
    assert old.asked[:10] == day
    assert f"Using the cached answer of {day}." in caplog.text


@pytest.mark.parametrize(
    ("status", "body", "parts"),
    [
        (202, {"error": "library_not_finalized", "message": "Library /a/b not finalized yet."}, ("not finalized yet", "another library")),
        (301, {"error": "library_redirected", "message": "moved", "redirectUrl": "/new/home"}, ("ask with lib=/new/home",)),
        (400, {"error": "validation_error", "message": "wrong"}, ("answered 400 (wrong)",)),
        (401, {"error": "invalid_api_key", "message": "no"}, ("a key is required; set CONTEXT7_API_KEY",)),
        (402, {"error": "spending_limit_exceeded", "message": "limit of $5.00"}, ("answered 402 (limit of $5.00)",)),
        (403, {"error": "access_denied", "message": "denied"}, ("this key may not use this library", "lib=/OWNER/NAME")),
        (404, {"error": "tag_not_found", "message": "Available tags: v2"}, ("Available tags: v2", "leave out lib=")),
        (404, {}, ("there is no such API; check CONTEXT7_BASE_URL",)),
        (418, {"message": ["no", "text"]}, ("answered 418:",)),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)  # fmt: skip
def test_every_refusal_is_one_message_and_an_old_answer_is_no_way_round(
    server: Server, root: Path, status: int, body: dict[str, Any], parts: tuple[str, ...]
) -> None:
    documentation.lookup(QUESTION, "/a/b", config(server))
    age(root, 8)
    before = [path.read_bytes() for path in cached(root)]
    server.faults, server.stuck = [(status, {}, json.dumps(body))], True
    server.asked.clear()
    with pytest.raises(UserError) as refused:
        documentation.lookup(QUESTION, "/a/b", config(server))
    assert not isinstance(refused.value, UnavailableError)
    assert all(part in str(refused.value) for part in parts), refused.value
    assert "\n" not in str(refused.value)
    assert len(server.asked) == 1
    assert [path.read_bytes() for path in cached(root)] == before


def test_a_redirect_to_another_server_is_not_followed(server: Server) -> None:
    with served(Server()) as other:
        server.faults = [(302, {"Location": f"{other.url}/libs/search"}, "")]
        with pytest.raises(UserError, match="answered 302"):
            documentation.lookup(QUESTION, config=config(server, KEY))
        assert other.asked == []


@pytest.mark.parametrize("way", ["empty", "unreadable", "refused"])
def test_no_library(server: Server, root: Path, way: str) -> None:
    server.search = {"results": []}
    if way == "unreadable":
        server.search = {
            "results": [{"id": "/a/b", "title": "B", "state": state} for state in ("error", "delete")]
        }
    if way == "refused":
        server.faults = [(404, {}, '{"error": "no_libraries_found", "message": "No libraries found"}')]
    with pytest.raises(
        UserError, match="finds no library for 'nosuch'; give its name, for example lib=transformers"
    ):
        documentation.lookup(QUESTION, "nosuch", config(server))
    assert server.endpoints == ["/libs/search"]
    assert cached(root) == []


def test_a_library_without_a_passage_names_the_next(server: Server, root: Path) -> None:
    server.context = {"codeSnippets": [], "infoSnippets": []}
    with pytest.raises(UserError, match=r"/huggingface/transformers has no passage.*lib=/qwenlm/qwen2.5"):
        documentation.lookup(QUESTION, config=config(server))
    assert cached(root) == []


WRONG_SEARCH = ["", "<html>login", "[]", "null", '{"results": {}}', '{"results": [5]}', '{"results": [{"id": "/a/b"}]}',
                '{"results": [{"id": 7, "title": "B"}]}', '{"libraries": []}', "[" * 100_000]  # fmt: skip
WRONG_CONTEXT = [
    '{"codeSnippets": []}',
    '{"codeSnippets": null, "infoSnippets": []}',
    '{"codeSnippets": [{"codeTitle": "t"}], "infoSnippets": []}',
    '{"codeSnippets": [], "infoSnippets": [{"pageId": "https://a"}]}',
    '{"codeSnippets": [], "infoSnippets": [{"content": ["a"]}]}',
    '{"codeSnippets": [{"codeTitle": "t", "codeDescription": "", "codeId": "", "codeList": [{"code": 1}]}], "infoSnippets": []}',
    '{"codeSnippets": [], "infosn',
]


@pytest.mark.parametrize(("endpoint", "body"), [*(("search", b) for b in WRONG_SEARCH), *(("context", b) for b in WRONG_CONTEXT)])  # fmt: skip
def test_an_answer_of_another_form_is_a_clear_error(
    server: Server, root: Path, endpoint: str, body: str
) -> None:
    setattr(server, endpoint, body)
    with pytest.raises(UserError, match="not a documented answer") as refused:
        documentation.lookup(QUESTION, config=config(server))
    assert server.endpoints[-1].endswith(endpoint)
    assert "CONTEXT7_BASE_URL" in str(refused.value)
    assert cached(root) == []


def test_a_server_that_is_down(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with served(Server()) as server:
        documentation.lookup(QUESTION, config=config(server))
        day = age(root, 400)
    for fresh in (False, True):
        caplog.clear()
        old = documentation.lookup(QUESTION, config=config(server), fresh=fresh)
        assert old.asked[:10] == day
        assert f"as of {day}\n" in documentation.text(old)
        assert "cannot be reached (ConnectionError)" in caplog.text
        assert f"cached answer of {day}." in caplog.text
    with pytest.raises(UnavailableError, match=r"cannot be reached \(ConnectionError\); check the network"):
        documentation.lookup("다른 질문", config=config(server))


def test_a_server_that_never_answers(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        short = Context7Config(f"http://127.0.0.1:{port}/api", connect_seconds=5, read_seconds=0.05)
        with pytest.raises(UnavailableError, match="cannot be reached"):
            documentation.lookup(QUESTION, config=short)
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # what a server has taken long for, it is not asked for again
            silent.accept()


@pytest.mark.parametrize(
    "url",
    ["http://context7.com/api/v2", "http://10.0.0.1/api", "http://127.0.0.1.evil.example/", "ftp://127.0.0.1/", "file:///etc",
     "https://user:secret@context7.com/api", "https://", "context7.com/api/v2", "https://a/?b", "https://a/#b", "http://[::1/",
     "http://127.0.0.1:x/", "http://localhost@evil.example/"],
)  # fmt: skip
def test_a_base_url_that_would_show_the_key_to_others_is_refused(root: Path, url: str) -> None:
    with pytest.raises(UserError, match="CONTEXT7_BASE_URL: wanted an https URL") as refused:
        documentation.lookup(QUESTION, config=Context7Config(url, KEY))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("https://context7.com/api/v2", False), ("https://127.0.0.1/api", True), ("http://localhost:1/api", True),
        ("http://[::1]:1/", True),
    ],
)  # fmt: skip
def test_a_base_url_that_is_taken(url: str, local: bool) -> None:
    assert is_local(Context7Config(url)) is local


def test_what_is_meant_for_this_machine_goes_through_no_proxy(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(Server()) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        documentation.lookup(QUESTION, config=config(server, KEY))
        assert (len(server.asked), proxy.asked) == (2, [])


@pytest.mark.parametrize("question", ["", "  \n", "가" * 501])
def test_a_question_that_cannot_be_asked(server: Server, question: str) -> None:
    with pytest.raises(UserError, match="wanted 1 to 500"):
        documentation.lookup(question, config=config(server))
    assert server.asked == []


@pytest.mark.parametrize("library", ["/transformers", "/a//b", "/a/b/c/d", "/a/b c", "x" * 501])
def test_a_library_that_is_no_id(server: Server, library: str) -> None:
    with pytest.raises(UserError, match="wanted Context7's id, for example /huggingface/transformers"):
        documentation.lookup(QUESTION, library, config(server))
    assert server.asked == []


def test_the_key_may_stand_in_dotenv(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> None:
    for name in ("CONTEXT7_API_KEY", "CONTEXT7_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert from_environment() == Context7Config()
    (workspace / ".env").write_text("CONTEXT7_API_KEY=ctx-of-file\nSOLAR_API_KEY=other\n", encoding="utf-8")
    assert from_environment().key == "ctx-of-file"
    monkeypatch.setenv("CONTEXT7_API_KEY", "ctx-of-environment")
    assert from_environment().key == "ctx-of-environment"
