"""Documentation is looked up in a Context7 that a loopback server plays: its two endpoints, its refusals, its faults."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from common.errors import UserError
from common.prompts import context7, documentation
from common.prompts.context7 import Context7Config, Library, Passage, UnavailableError

REPOSITORY = Path(__file__).resolve().parent.parent
KEY = "ctx7sk-" + "Geheim" * 5
QUESTION = "Qwen2.5 생성 설정은 어디서 바꾸나요?"
LIBRARIES = [("/huggingface/transformers", "Transformers"), ("/qwenlm/qwen2.5", "Qwen2.5"), ("/vllm/vllm", "vLLM"),
             ("/a/b", "B"), ("/c/d", "D")]  # fmt: skip
SEARCH = {
    "results": [
        {"id": "/not/ready", "title": "Not read yet", "description": "", "state": "initial"},
        *({"id": i, "title": t, "description": "…", "state": "finalized", "trustScore": 9} for i, t in LIBRARIES),
    ],
    "searchFilterApplied": False,
    "metadata": {"new": True},
}  # fmt: skip
CONTEXT = {
    "codeSnippets": [
        {
            "codeTitle": "생성 설정 바꾸기",
            "codeDescription": "GenerationConfig를 읽고 바꿉니다.",
            "codeLanguage": "python",
            "codeTokens": 20,
            "codeId": "https://github.com/huggingface/transformers/blob/main/docs/g.md#_snippet_0",
            "pageTitle": "Generation",
            "codeList": [
                {"language": "python", "code": "config.num_beams = 4"},
                {"language": "bash", "code": "ls"},
            ],
            "isDynamic": False,
        }
    ],
    "infoSnippets": [
        {"pageId": "https://hf.co/docs/g", "breadcrumb": "Generation > Config", "content": "기본값은 탐욕 탐색.",
         "contentTokens": 9},
        {"content": "출처 없는 글.", "contentTokens": 3},
    ],
    "rules": {"global": ["…"]},
}  # fmt: skip
SHOWN = """\
Transformers (/huggingface/transformers), as of DAY
also found: /qwenlm/qwen2.5 (Qwen2.5), /vllm/vllm (vLLM), /a/b (B); choose one with lib=/qwenlm/qwen2.5

## 생성 설정 바꾸기
GenerationConfig를 읽고 바꿉니다.

```python
config.num_beams = 4
```

```bash
ls
```
source: https://github.com/huggingface/transformers/blob/main/docs/g.md#_snippet_0

## Generation > Config
기본값은 탐욕 탐색.
source: https://hf.co/docs/g

## Documentation
출처 없는 글."""


@dataclass
class Server:
    """What the loopback server answers, and the requests it has seen."""

    search: Any = field(default_factory=lambda: SEARCH)
    context: Any = field(default_factory=lambda: CONTEXT)
    faults: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    """Status, headers and body of the next answers; the last one repeats while `stuck`."""
    stuck: bool = False
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str) -> tuple[int, dict[str, str], str]:
        if self.faults:
            return self.faults[0] if self.stuck else self.faults.pop(0)
        found = {"/api/v2/libs/search": self.search, "/api/v2/context": self.context}
        if path not in found:
            return 404, {}, "<html>nothing here"
        value = found[path]
        return 200, {}, value if isinstance(value, str) else json.dumps(value)

    @property
    def endpoints(self) -> list[str]:
        return [path.removeprefix("/api/v2") for path, _ in self.asked]


@contextmanager
def served(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            server.asked.append((url.path, dict(parse_qsl(url.query))))
            server.keys.append(self.headers.get("Authorization"))
            status, headers, body = server.answer(url.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body.encode())), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
    server.url = f"http://127.0.0.1:{listening.server_address[1]}/api/v2"
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    for name in ("CONTEXT7_API_KEY", "CONTEXT7_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def server(root: Path) -> Iterator[Server]:
    with served(Server()) as running:
        yield running


def config(server: Server, key: str = "", retries: int = 2) -> Context7Config:
    return Context7Config(server.url, key, retries=retries, backoff_seconds=0.0, longest_pause=0)


def cached(root: Path) -> list[Path]:
    """Every file under the root, those half-written too."""
    return sorted(path for path in root.rglob("*") if path.is_file())


def age(root: Path, days: float) -> str:
    """Make the one cached answer that old; its day."""
    [path] = cached(root)
    value = json.loads(path.read_text(encoding="utf-8"))
    value["asked"] = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(value["asked"][:10])


def today(text: str) -> str:
    return re.sub(r"as of \d{4}-\d\d-\d\d$", "as of DAY", text, flags=re.MULTILINE)


def test_the_best_library_is_found_and_its_passages_are_shown_with_their_sources(server: Server) -> None:
    found = documentation.lookup(f"  {QUESTION}\n", config=config(server))
    assert found.library == Library("/huggingface/transformers", "Transformers")
    assert [other.id for other in found.others] == ["/qwenlm/qwen2.5", "/vllm/vllm", "/a/b"]
    assert found.passages[1] == Passage("Generation > Config", "기본값은 탐욕 탐색.", "https://hf.co/docs/g")
    assert today(documentation.text(found)) == SHOWN
    assert server.asked == [
        ("/api/v2/libs/search", {"libraryName": QUESTION, "query": QUESTION}),
        ("/api/v2/context", {"libraryId": "/huggingface/transformers", "query": QUESTION, "type": "json"}),
    ]


@pytest.mark.parametrize("given", ["/vercel/next.js", "/vercel/next.js/v15.1.8", "/vercel/next.js@v15.1.8"])
def test_an_id_is_asked_without_a_search(server: Server, given: str) -> None:
    found = documentation.lookup(QUESTION, given, config(server))
    assert (found.library.id, found.others) == (given, ())
    assert server.asked == [("/api/v2/context", {"libraryId": given, "query": QUESTION, "type": "json"})]


def test_a_name_is_searched_for(server: Server) -> None:
    documentation.lookup(QUESTION, "transformers", config(server))
    assert server.asked[0] == ("/api/v2/libs/search", {"libraryName": "transformers", "query": QUESTION})


def test_a_cached_answer_makes_no_call_until_it_is_a_week_old(server: Server, root: Path) -> None:
    first = documentation.lookup(QUESTION, config=config(server))
    age(root, 6.9)
    again = documentation.lookup(QUESTION, config=config(server))
    assert (again.library, again.others, again.passages) == (first.library, first.others, first.passages)
    assert len(server.asked) == 2
    age(root, 7.1)
    assert documentation.lookup(QUESTION, config=config(server)).asked >= first.asked
    assert len(server.asked) == 4
    documentation.lookup(QUESTION, config=config(server))
    assert len(server.asked) == 4
    documentation.lookup(QUESTION, config=config(server), fresh=True)
    assert len(server.asked) == 6


def test_another_question_library_or_server_is_another_answer(server: Server, root: Path) -> None:
    documentation.lookup(QUESTION, config=config(server))
    documentation.lookup(QUESTION + "!", config=config(server))
    documentation.lookup(QUESTION, "/a/b", config(server))
    with served(Server()) as other:
        documentation.lookup(QUESTION, config=config(other))
        assert len(other.asked) == 2
    assert len(cached(root)) == 4


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"asked": 5}', '{"library": {}, "asked": "2026-11-02"}']
)
def test_a_damaged_cache_is_asked_again(
    server: Server, root: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    documentation.lookup(QUESTION, config=config(server))
    [path] = cached(root)
    path.write_text(content, encoding="utf-8")
    documentation.lookup(QUESTION, config=config(server))
    assert len(server.asked) == 4
    assert "not a cached answer; asking Context7 again" in caplog.text
    documentation.lookup(QUESTION, config=config(server))
    assert len(server.asked) == 4


@pytest.mark.parametrize("day", ["gestern", "2026-11-02", 5])
def test_a_cached_answer_without_a_date_is_asked_again(server: Server, root: Path, day: Any) -> None:
    documentation.lookup(QUESTION, config=config(server))
    [path] = cached(root)
    value = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**value, "asked": day}), encoding="utf-8")
    documentation.lookup(QUESTION, config=config(server))
    assert len(server.asked) == 4


def test_the_key_is_sent_and_appears_nowhere(
    server: Server, root: Path, caplog: pytest.LogCaptureFixture, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    caplog.set_level("DEBUG")
    server.context = {"codeSnippets": [], "infoSnippets": [{"content": f"you sent {KEY}"}]}
    found = documentation.lookup(QUESTION, config=config(server, KEY))
    assert server.keys == [f"Bearer {KEY}"] * 2
    assert found.passages[0].text == "you sent [key]"
    server.faults = [(401, {}, json.dumps({"error": "invalid_api_key", "message": f"no such key {KEY}"}))]
    with pytest.raises(UserError, match=r"answered 401 \(no such key \[key\]\): the key is wrong") as refused:
        documentation.lookup(QUESTION, config=config(server, KEY), fresh=True)
    everything = [str(refused.value), repr(config(server, KEY)), caplog.text, str(server.asked)]
    everything += [path.read_text(encoding="utf-8") for path in cached(root)]
    assert not [text for text in everything if KEY in text]
    assert len(everything) == 5


def test_no_key_is_sent_when_none_is_set(server: Server) -> None:
    documentation.lookup(QUESTION, config=config(server))
    assert server.keys == [None, None]


@pytest.mark.parametrize("key", [f"{KEY}\nX-Evil: 1", f"{KEY}\x00", f"{KEY} b", f"{KEY}키"])
def test_a_key_that_cannot_be_one_is_not_sent_and_not_shown(server: Server, key: str) -> None:
    with pytest.raises(
        UserError, match="CONTEXT7_API_KEY contains characters that keys do not have"
    ) as refused:
        documentation.lookup(QUESTION, config=config(server, key))
    assert KEY not in str(refused.value)
    assert server.asked == []


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
    assert context7.is_local(Context7Config(url)) is local


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


EVIL = "앞\x1b]0;pwned\x07\x1b[31m\x9b2J\x08\x7f\r\u202e\ud800뒤"


def test_nothing_a_terminal_obeys_comes_through(server: Server, root: Path) -> None:
    server.search = {"results": [{"id": f"/a/b{EVIL}", "title": EVIL}, {"id": "/c/d", "title": EVIL}]}
    snippet = {"codeTitle": EVIL, "codeDescription": EVIL, "codeId": EVIL, "codeList": [{"language": EVIL, "code": f"{EVIL}\n\tx"}]}  # fmt: skip
    server.context = {"codeSnippets": [snippet], "infoSnippets": [{"content": EVIL, "breadcrumb": EVIL, "pageId": EVIL}]}  # fmt: skip
    for _ in ("asked", "cached"):
        shown = documentation.text(documentation.lookup(QUESTION, config=config(server)))
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800]", shown)
        assert shown.count("앞") == shown.count("뒤") == 11
        assert "뒤\n\tx" in shown
    server.faults = [(403, {}, json.dumps({"error": "access_denied", "message": EVIL}))]
    with pytest.raises(UserError) as refused:
        documentation.lookup(QUESTION, config=config(server), fresh=True)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e\ud800]", str(refused.value))
    assert "앞" in str(refused.value)


# --- the front doors


def started(root: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables, "KDS_ROOT": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


def make(root: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    venv = Path(sys.prefix)
    return started(root, "make", f"VENV={venv}", "-o", str(venv / "ready"), *words, **variables)


def test_make_docs_end_to_end(server: Server, root: Path) -> None:
    settings = {"CONTEXT7_BASE_URL": server.url + "/", "CONTEXT7_API_KEY": f" {KEY} "}
    first = make(root, "docs", f"q={QUESTION}", **settings)
    assert (first.returncode, first.stderr, today(first.stdout)) == (0, "", SHOWN + "\n")
    assert server.keys == [f"Bearer {KEY}"] * 2
    again = make(root, "docs", f"q={QUESTION}", "fresh=0", **settings)
    assert (again.stdout, len(server.asked)) == (first.stdout, 2)
    nasty = '--help "x" $(shell touch PWNED) `touch PWNED`'
    named = make(root, "docs", f"q={nasty}", "lib=/a/b", "fresh=1", **settings)
    assert (named.returncode, named.stderr) == (0, "")
    assert server.asked[2:] == [("/api/v2/context", {"libraryId": "/a/b", "query": nasty, "type": "json"})]
    assert not list(REPOSITORY.glob("PWNED"))
    assert KEY not in "".join(path.read_text(encoding="utf-8") for path in cached(root))


def test_the_command_without_a_network_says_so_once_and_gives_what_it_has(root: Path) -> None:
    with served(Server()) as server:
        documentation.lookup(QUESTION, config=config(server))
    command = [sys.executable, "-m", "common", "docs", "--query"]
    kept = started(root, *command, QUESTION, "--fresh", CONTEXT7_BASE_URL=server.url)
    assert (kept.returncode, today(kept.stdout)) == (0, SHOWN + "\n")
    assert re.fullmatch(r"warning: Context7 .* cannot be reached .* cached answer of [\d-]+\.\n", kept.stderr)
    none = started(root, *command, "새 질문", CONTEXT7_BASE_URL=server.url)
    assert (none.returncode, none.stdout) == (1, "")
    assert re.fullmatch(r"error: Context7 .* cannot be reached .*\n", none.stderr)


def test_make_docs_without_a_question_is_one_line(root: Path) -> None:
    ended = make(root, "docs")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(
        r'Makefile:\d+: \*\*\* q= is missing; for example: make docs q="[^"]+"\.  Stop\.\n', ended.stderr
    )


def test_the_lookup_stays_light_and_prompts_stay_without_it() -> None:
    code = "import json, sys, {}; print(json.dumps(sorted(sys.modules)))"
    for module, absent in (("common.prompts, common.cli", {"requests", "torch"}), ("common.prompts.documentation", {"torch", "transformers"})):  # fmt: skip
        ended = subprocess.run(
            [sys.executable, "-c", code.format(module)], capture_output=True, text=True, check=True
        )
        assert set(json.loads(ended.stdout)) & absent == set()


def test_mcp_json_is_what_editors_read_and_holds_no_key() -> None:
    text = (REPOSITORY / ".mcp.json").read_text(encoding="utf-8")
    [(name, entry)] = json.loads(text)["mcpServers"].items()
    assert (name, entry["type"], entry["command"], entry["args"][0]) == ("context7", "stdio", "npx", "-y")
    assert re.fullmatch(r"@upstash/context7-mcp@\d+\.\d+\.\d+", entry["args"][1])
    assert entry["env"] == {"CONTEXT7_API_KEY": "${CONTEXT7_API_KEY:-}"}
    assert "ctx7sk" not in text


def test_the_key_may_stand_in_dotenv(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> None:
    for name in ("CONTEXT7_API_KEY", "CONTEXT7_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert context7.from_environment() == Context7Config()
    (workspace / ".env").write_text("CONTEXT7_API_KEY=ctx-of-file\nSOLAR_API_KEY=other\n", encoding="utf-8")
    assert context7.from_environment().key == "ctx-of-file"
    monkeypatch.setenv("CONTEXT7_API_KEY", "ctx-of-environment")
    assert context7.from_environment().key == "ctx-of-environment"
