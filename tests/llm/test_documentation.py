"""Documentation lookups: the best library, the cache, the key, and nothing that a terminal obeys."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from common.core.errors import UserError
from common.llm import documentation
from common.llm.context7 import Library, Passage
from tests.support import REPOSITORY
from tests.support.context7_server import (
    KEY,
    QUESTION,
    SHOWN,
    Server,
    age,
    cached,
    config,
    served,
    today,
)


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


def test_mcp_json_is_what_editors_read_and_holds_no_key() -> None:
    text = (REPOSITORY / ".mcp.json").read_text(encoding="utf-8")
    [(name, entry)] = json.loads(text)["mcpServers"].items()
    assert (name, entry["type"], entry["command"], entry["args"][0]) == ("context7", "stdio", "npx", "-y")
    assert re.fullmatch(r"@upstash/context7-mcp@\d+\.\d+\.\d+", entry["args"][1])
    assert entry["env"] == {"CONTEXT7_API_KEY": "${CONTEXT7_API_KEY:-}"}
    assert "ctx7sk" not in text
