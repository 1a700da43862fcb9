"""Serve a fake Context7 on this machine: two endpoints, refusals and faults."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from common.llm.context7 import Context7Config

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
    """The answers of the loopback server, and the requests that it received."""

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


def config(server: Server, key: str = "", retries: int = 2) -> Context7Config:
    return Context7Config(server.url, key, retries=retries, backoff_seconds=0.0, longest_pause=0)


def cached(root: Path) -> list[Path]:
    """Return every file under the root, including incomplete ones."""
    return sorted(path for path in root.rglob("*") if path.is_file())


def age(root: Path, days: float) -> str:
    """Make the only cached answer that old, and return its day."""
    [path] = cached(root)
    value = json.loads(path.read_text(encoding="utf-8"))
    value["asked"] = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(value["asked"][:10])


def today(text: str) -> str:
    return re.sub(r"as of \d{4}-\d\d-\d\d$", "as of DAY", text, flags=re.MULTILINE)
