"""Serve a fake W&B on this machine: it stores everything that runs send, and resumes runs."""

import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server:
    """Everything that was sent: the history rows and summary of each run by id, and all bytes."""

    def __init__(self, *, refuses: bool) -> None:
        self.refuses = refuses
        self.url = ""
        self.history: dict[str, list[str]] = {}
        self.summary: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.received: list[bytes] = []

    def rows(self, run: str) -> list[dict[str, Any]]:
        """Return the history of a run without W&B's own columns."""
        found = [json.loads(line) for line in self.history.get(run, [])]
        return [{name: value for name, value in row.items() if not name.startswith("_")} for row in found]

    def stream(self, run: str, files: dict[str, Any]) -> None:
        history = files.get("wandb-history.jsonl")
        if history:
            self.history.setdefault(run, [])[history["offset"] :] = history["content"]
        if "wandb-summary.json" in files:
            self.summary[run] = json.loads(files["wandb-summary.json"]["content"][-1])

    def answer(self, operation: str, values: dict[str, Any]) -> dict[str, Any]:
        name = values.get("name", "")
        project = {"id": "p", "name": values.get("project"), "entity": {"id": "e", "name": "me"}}
        bucket = {"id": f"b-{name}", "name": name, "displayName": name, "config": "{}", "project": project}
        if operation == "RunResumeStatus":
            if name not in self.runs:
                return {"model": {**project, "bucket": None}}
            lines = self.history.get(name, [])
            state = {
                "historyLineCount": len(lines), "historyTail": json.dumps(lines[-1:]), "eventsLineCount": 0,
                "eventsTail": "[]", "logLineCount": 0, "summaryMetrics": json.dumps(self.summary.get(name, {})),
                "tags": [], "wandbConfig": '{"t": 1}',
            }  # fmt: skip
            return {"model": {**project, "bucket": {**bucket, **state}}}
        if operation == "UpsertBucket":
            given = {key: value for key, value in values.items() if value is not None}
            self.runs[name] = {**self.runs.get(name, {}), **given}
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if operation == "Viewer":
            viewer = {
                "id": "u",
                "entity": "me",
                "username": "me",
                "email": "",
                "flags": "{}",
                "teams": {"edges": []},
            }
            return {"viewer": viewer}
        if operation == "ArtifactType":
            return {"project": None}
        if operation == "CreateArtifact":
            made = {"id": "a", "state": "COMMITTED", "artifactSequence": {"latestArtifact": {"id": "a"}}}
            return {"createArtifact": {"artifact": made}}
        if operation == "CreateRunFiles":
            files = [
                {"name": file, "uploadUrl": f"{self.url}/upload/{number}"}
                for number, file in enumerate(values["files"])
            ]
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}
        return {}


@contextmanager
def serve(*, refuses: bool = False) -> Iterator[Server]:
    """Yield a running server; with `refuses` it rejects every key."""
    server = Server(refuses=refuses)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
            server.received.append(body)
            if server.refuses:
                self.reply(401, {"errors": [{"message": "no"}]})
                return
            stream = re.search(r"/([^/]+)/file_stream$", self.path)
            if stream:
                server.stream(stream[1], json.loads(body).get("files") or {})
                self.reply(200, {})
            elif self.path == "/graphql":
                asked = json.loads(body)
                operation = re.search(r"\b(?:query|mutation)\s+(\w+)", asked["query"])
                name = operation[1] if operation else ""
                self.reply(200, {"data": server.answer(name, asked.get("variables") or {})})
            else:
                self.reply(200, {})

        do_PUT = do_POST  # noqa: N815

        def do_GET(self) -> None:
            self.reply(200, {})

        def reply(self, code: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Ignore a killed client, which closes its connection early."""

    listening = Quiet(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listening.server_port}"
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
