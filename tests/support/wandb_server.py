"""Serve a fake W&B on this machine: it stores everything that runs send, resumes runs, and plays sweeps for real agents."""

import gzip
import json
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml


@dataclass
class Sweep:
    """A sweep that was registered, its agents and its trials."""

    name: str
    text: str
    """The configuration as YAML, as W&B's client sent it."""
    agents: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    trials: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Id of a run → the settings that an agent got for it."""
    stopped: set[str] = field(default_factory=set)

    @property
    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.text)
        return found

    def choose(self) -> dict[str, Any]:
        """Return values for the next trial, as W&B sends them to an agent."""
        rng = random.Random(len(self.trials))
        found = {}
        for name, given in self.config["parameters"].items():
            if "value" in given:
                value = given["value"]
            elif "values" in given:
                value = rng.choice(given["values"])
            elif given["distribution"] == "int_uniform":
                value = rng.randint(given["min"], given["max"])
            else:
                value = rng.uniform(given["min"], given["max"])
            found[name] = {"value": value}
        return found


class Server:
    """Everything that was sent: the history rows and summary of each run by id, and all bytes."""

    def __init__(self, *, refuses: bool) -> None:
        self.refuses = refuses
        self.url = ""
        self.history: dict[str, list[str]] = {}
        self.summary: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.received: list[bytes] = []
        self.sweeps: dict[str, Sweep] = {}
        self.ended: dict[str, int] = {}
        """Id of a run that has ended → its exit code."""
        self.operations: list[str] = []
        self.hopeless: Callable[[str], bool] = lambda run: False
        """Whether a sweep ends a running trial early."""
        self.lock = threading.Lock()

    def rows(self, run: str) -> list[dict[str, Any]]:
        """Return the history of a run without W&B's own columns."""
        found = [json.loads(line) for line in self.history.get(run, [])]
        return [{name: value for name, value in row.items() if not name.startswith("_")} for row in found]

    def state(self, run: str) -> str:
        """Return what W&B calls the state of a run."""
        if run not in self.ended:
            return "running"
        if any(run in sweep.stopped for sweep in self.sweeps.values()):
            return "killed"
        return "finished" if self.ended[run] == 0 else "failed"

    def stream(self, run: str, body: dict[str, Any]) -> None:
        files = body.get("files") or {}
        if body.get("complete"):
            self.ended[run] = body.get("exitcode") or 0
        history = files.get("wandb-history.jsonl")
        if history:
            self.history.setdefault(run, [])[history["offset"] :] = history["content"]
        if "wandb-summary.json" in files:
            self.summary[run] = json.loads(files["wandb-summary.json"]["content"][-1])

    def heartbeat(self, values: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the commands for an agent: stop a trial, run the next one, or exit."""
        sweep = next(sweep for sweep in self.sweeps.values() if values["id"] in sweep.agents)
        running = json.loads(values["runState"])
        stops = [run for run in running if self.hopeless(run)]
        sweep.stopped.update(stops)
        if running:
            return [{"type": "stop", "run_id": run} for run in stops]
        if len(sweep.trials) >= sweep.config.get("run_cap", 1000):
            return [{"type": "exit"}]
        run = f"Trial{len(sweep.trials):03}"
        sweep.trials[run] = sweep.choose()
        return [{"type": "run", "run_id": run, "program": None, "args": sweep.trials[run]}]

    def sweep_answer(self, operation: str, values: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer to an operation of W&B's sweep API; None for any other operation."""
        project = {
            "id": "p",
            "name": values.get("projectName") or values.get("project"),
            "entity": {"id": "e", "name": "me"},
        }
        if operation == "UpsertSweep":
            sweep = Sweep(f"swp{len(self.sweeps)}", values["config"])
            self.sweeps[sweep.name] = sweep
            made = {"name": sweep.name, "project": project}
            return {"upsertSweep": {"sweep": made, "configValidationWarnings": []}}
        if operation == "CreateAgent":
            sweep = self.sweeps[values["sweep"]]
            sweep.agents.append(f"agent{len(sweep.agents)}")
            sweep.hosts.append(values["host"])
            return {"createAgent": {"agent": {"id": sweep.agents[-1]}}}
        if operation == "Heartbeat":
            with self.lock:
                return {
                    "agentHeartbeat": {
                        "agent": {"id": values["id"]},
                        "commands": json.dumps(self.heartbeat(values)),
                    }
                }
        if operation in ("SweepWithRuns", "GetSweep"):
            found = self.sweeps.get(values.get("sweep") or values.get("name") or "")
            if found is None:
                return {"project": {"sweep": None}}
            known = {
                "__typename": "Sweep", "id": found.name, "name": found.name, "displayName": None, "method": found.config["method"],
                "state": "RUNNING", "description": None, "bestLoss": None, "config": found.text, "createdAt": "2026-11-29T10:00:00",
                "updatedAt": None, "runCount": len(found.trials), "runCountExpected": None,
            }  # fmt: skip
            return {"project": {"sweep": {**known, "runs": {"edges": []}}}}
        if operation == "Runs":
            sweep = self.sweeps[json.loads(values["filters"])["sweep"]]
            nodes = [self.node(run, sweep.name) for run in sweep.trials if run in self.runs]
            edges = [{"node": node, "cursor": ""} for node in nodes]
            page = {"endCursor": None, "hasNextPage": False}
            return {
                "project": {
                    "internalId": "1",
                    "runCount": len(nodes),
                    "readOnly": False,
                    "runs": {"edges": edges, "pageInfo": page},
                }
            }
        return None

    def node(self, run: str, sweep: str) -> dict[str, Any]:
        """Return a run as the API lists it."""
        return {
            "id": f"b-{run}", "projectId": 1, "name": run, "displayName": run, "sweepName": sweep, "state": self.state(run),
            "config": self.runs[run].get("config") or "{}", "summaryMetrics": json.dumps(self.summary.get(run, {})), "tags": [],
            "group": None, "jobType": None, "commit": None, "readOnly": False, "createdAt": "2026-11-29T10:00:00",
            "heartbeatAt": "2026-11-29T10:00:00", "description": None, "notes": None, "systemMetrics": "{}", "historyLineCount": 0,
            "historyKeys": None, "user": {"name": "me", "username": "me"},
        }  # fmt: skip

    def answer(self, operation: str, values: dict[str, Any]) -> dict[str, Any]:
        self.operations.append(operation)
        if (found := self.sweep_answer(operation, values)) is not None:
            return found
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
        if operation in ("Viewer", "GetDefaultEntity"):
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
                server.stream(stream[1], json.loads(body))
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
