"""Play Kaggle's API on this machine: keys, uploads of files, submissions with a status and scores, refusals and faults."""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USER, KEY, TOKEN = "tester", "0123456789abcdef" * 2, "KGAT_" + "Geheim12" * 4
SLUG = "talk-of-the-town"


@dataclass
class Site:
    """The state of the site, which a test changes, and what it received."""

    pending: int = 0
    """Number of times that a submission is shown as pending before it is scored."""
    public: Any = "41.83"
    private: Any = ""
    status: str = "COMPLETE"
    error: str = ""
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    """Name of a request → the status, headers and body that replace its answer."""
    lost: set[str] = field(default_factory=set)
    """Names of requests that are carried out, but whose connection ends without an answer."""
    held: set[str] = field(default_factory=set)
    """Names of requests that are carried out, but whose answer waits for `release`."""
    release: threading.Event = field(default_factory=threading.Event)
    unlisted: int = 0
    """Number of lists of submissions that do not have the newest one yet."""
    submissions: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    """Names of the requests in their order."""
    url: str = ""

    def answer(self, name: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Return the status and the JSON body for a request."""
        if name == "IntrospectToken":
            known = body.get("token") == TOKEN
            return 200, {"active": known, "username": USER if known else ""}
        if body.get("competitionName", SLUG) != SLUG:
            return 404, {"code": 404, "message": "Competition not found"}
        if name == "StartSubmissionUpload":
            token = f"blob{len(self.files)}"
            return 200, {"token": token, "createUrl": f"{self.url}/blob/{token}"}
        if name == "CreateSubmission":
            one = {
                "ref": 7001 + len(self.submissions), "date": "2026-11-29T01:00:00.000Z", "status": "PENDING",
                "description": body["submissionDescription"], "fileName": body["blobFileTokens"], "left": self.pending,
            }  # fmt: skip
            self.submissions.insert(0, one)
            return 200, {"ref": one["ref"], "message": "Successfully submitted"}
        if name == "ListSubmissions":
            hidden = 1 if self.unlisted and self.submissions else 0
            self.unlisted -= hidden
            return 200, {"submissions": [self.shown(one) for one in self.submissions[hidden:]]}
        if name == "GetSubmission":
            found = [one for one in self.submissions if one["ref"] == body["ref"]]
            return (200, self.shown(found[0])) if found else (404, {"code": 404, "message": "Not found"})
        return 404, {"code": 404, "message": name}

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        left = one["left"]
        one["left"] = max(0, left - 1)
        base = {key: value for key, value in one.items() if key != "left"}
        if left:
            return base
        scores = {"publicScore": self.public, "privateScore": self.private}
        return base | scores | {"status": self.status, "errorDescription": self.error}


@contextmanager
def kaggle() -> Iterator[Site]:
    """Yield a site that answers at `url`."""
    site = Site()
    lock = threading.Lock()
    basic = "Basic " + b64encode(f"{USER}:{KEY}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
            name = "PUT" if self.command == "PUT" else self.path.rpartition("/")[2]
            if name in site.held:
                site.release.wait(60)
            if name in site.lost:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            name = self.path.rpartition("/")[2]
            with lock:
                site.names.append(name)
                if name in site.answers:
                    answer = site.answers[name]
                elif name != "IntrospectToken" and self.headers.get("authorization") not in (
                    basic,
                    f"Bearer {TOKEN}",
                ):
                    said = f"Unauthenticated: {self.headers.get('authorization')}"  # a site may repeat a key
                    answer = 401, {}, json.dumps({"code": 401, "message": said}).encode()
                else:
                    status, body = site.answer(name, json.loads(content or b"{}"))
                    answer = status, {}, json.dumps(body).encode()
            self.reply(*answer)

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            with lock:
                site.names.append("PUT")
                if "PUT" not in site.answers:
                    site.files[self.path.rpartition("/")[2]] = content
            self.reply(*site.answers.get("PUT", (200, {}, b"{}")))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
