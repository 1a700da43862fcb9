"""Serve a fake hub on this machine, and run processes that look for models in it."""

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
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from common.models.hub import ModelSource
from tests.support import REPOSITORY

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_" + "Secret" * 6
FAKES = {
    "README.md": b"# tiny", "modeling_own.py": b"raise SystemExit('ran')", "tf_model.h5": b"tf", "flax_model.msgpack": b"flax",
    "onnx/model.onnx": b"onnx", "onnx/config.json": b"{}", "consolidated.safetensors": b"copy", "tiny.gguf": b"gguf",
}  # fmt: skip


@dataclass
class Hub:
    """The files that the loopback server serves, and the requests that it received."""

    repositories: dict[str, dict[str, bytes]]
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Repository → status and X-Error-Code of every answer about its files."""
    requests: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    url: str = ""

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body as huggingface.co does."""
        path = path.split("?")[0]
        found = re.fullmatch(
            r"/(api/models/)?([\w.-]+/[\w.-]+)(?:/(revision|tree|resolve)/([^/]+)(/.+)?)?", path
        )
        if found is None or found[2] not in self.repositories:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        api, name, verb, revision, file = found.groups()
        files = self.repositories[name]
        if revision not in (None, "main", COMMIT):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        if name in self.refusals and (verb == "resolve" or self.refusals[name][1] != "GatedRepo"):
            status, code = self.refusals[name]
            return status, {"X-Error-Code": code}, b"{}"
        if verb == "tree":
            tree = [
                {"type": "file", "path": p, "size": len(c), "oid": sha1(c).hexdigest()}
                for p, c in files.items()
            ]
            return 200, {}, json.dumps(tree).encode()
        if api:
            siblings = [
                {"rfilename": p, "size": len(c), "blobId": sha1(c).hexdigest()} for p, c in files.items()
            ]
            return 200, {}, json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode()
        content = files[str(file)[1:]]
        return 200, {"X-Repo-Commit": COMMIT, "ETag": f'"{sha1(content).hexdigest()}"'}, content


@contextmanager
def served(hub_: Hub) -> Iterator[Hub]:
    """Serve the hub on a free port inside this context."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub_.requests.append(f"{self.command} {self.path}")
            if "/team/" in self.path:  # huggingface_hub sends other requests too
                hub_.tokens.add(self.headers.get("Authorization", ""))
            status, headers, body = hub_.answer(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815, http.server's name

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub_.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub_
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Original:
    """A tiny random BART and its files."""

    model: PreTrainedModel
    safe: dict[str, bytes]
    """With model.safetensors, as save_pretrained writes it."""
    bare: dict[str, bytes]
    """Config and tokenizer alone."""

    def logits(self) -> torch.Tensor:
        return logits(self.model)


def logits(model: PreTrainedModel) -> torch.Tensor:
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        return model.eval()(input_ids=ids, decoder_input_ids=ids[:, :7]).logits


def pickled(value: Any, folder: Path, legacy: bool = False) -> bytes:
    path = folder / "made.bin"
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    content = path.read_bytes()
    path.unlink()
    return content


LOCATE = """
import json, sys
from common.core.errors import UserError
from common.models import hub
try:
    source = hub.locate(*sys.argv[1:])
except UserError as error:
    sys.exit(f"error: {error}")
print(json.dumps([str(source.folder), source.name, source.commit]))
"""


@dataclass(frozen=True)
class Home:
    """A user's caches, and commands that use them."""

    folder: Path
    endpoint: str

    def start(self, *arguments: str, before: str = "", **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", before + LOCATE, *arguments],
            cwd=REPOSITORY,
            env=self.environment() | environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Return the environment variables of a process that uses these caches and this hub."""
        kept = {
            n: v
            for n, v in os.environ.items()
            if not n.startswith(("HF_", "KDS_")) and "proxy" not in n.lower()
        }
        return {
            **kept, "HF_ENDPOINT": self.endpoint, "HF_HOME": str(self.folder / "hf"), "OMP_NUM_THREADS": "1",
            "KDS_MODEL_CACHE": str(self.folder / "models"), "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }  # fmt: skip

    def locate(self, *arguments: str, before: str = "", **environment: str) -> ModelSource:
        """Return the result of `hub.locate` in a separate process."""
        process = self.start(*arguments, before=before, **environment)
        output, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors
        folder, name, commit = json.loads(output)
        return ModelSource(Path(folder), name, commit)

    def refusal(self, *arguments: str, before: str = "", **environment: str) -> str:
        """Return the only line of the error of `hub.locate`."""
        process = self.start(*arguments, before=before, **environment)
        output, errors = process.communicate(timeout=100)
        assert process.returncode == 1, output + errors
        (line,) = errors.splitlines()
        assert line.startswith("error: "), errors
        assert TOKEN not in line
        return line

    def models(self) -> list[str]:
        """Return the names in the folder of converted models, without locks."""
        folder = self.folder / "models"
        return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock") if folder.exists() else []


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


DYING = """
import os, safetensors.torch
real = safetensors.torch.save_file
def save_file(*arguments, **more):
    real(*arguments, **more)
    os.kill(os.getpid(), 9)
safetensors.torch.save_file = save_file
"""


def written(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
