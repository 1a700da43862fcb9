"""Models are found by name: in a folder, in a hub that a loopback server plays, in the hub's cache without any network."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors import safe_open
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, BertConfig, PreTrainedModel

from common import checkpoints, hub
from common.errors import UserError

REPOSITORY = Path(__file__).resolve().parent.parent
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_" + "Secret" * 6
FAKES = {
    "README.md": b"# tiny", "modeling_own.py": b"raise SystemExit('ran')", "tf_model.h5": b"tf", "flax_model.msgpack": b"flax",
    "onnx/model.onnx": b"onnx", "onnx/config.json": b"{}", "consolidated.safetensors": b"copy", "tiny.gguf": b"gguf",
}  # fmt: skip


@dataclass
class Hub:
    """What the loopback server serves, and the requests it has seen."""

    repositories: dict[str, dict[str, bytes]]
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Repository → status and X-Error-Code of every answer about its files."""
    requests: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    url: str = ""

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body, as huggingface.co answers."""
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
    """The hub, answering on a port of its own meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub_.requests.append(f"{self.command} {self.path}")
            if "/team/" in self.path:  # huggingface_hub asks for other things too
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


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    folder = tmp_path_factory.mktemp("bart")
    words = tiny.tokenizer()
    model = tiny.model("bart", words)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return Original(model, files, {n: c for n, c in files.items() if n != "model.safetensors"})


def pickled(value: Any, folder: Path, legacy: bool = False) -> bytes:
    path = folder / "made.bin"
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    content = path.read_bytes()
    path.unlink()
    return content


def shards(model: PreTrainedModel, folder: Path) -> dict[str, bytes]:
    """The state dict pickled in two files and an index, as before safetensors."""
    state = model.state_dict()
    names = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    map_ = {key: names[number % 2] for number, key in enumerate(state)}
    files = {name: pickled({k: v for k, v in state.items() if map_[k] == name}, folder) for name in names}
    index = json.dumps({"metadata": {"total_size": 1}, "weight_map": map_}).encode()
    return {**files, "pytorch_model.bin.index.json": index}


LOCATE = """
import json, sys
from common import hub
from common.errors import UserError
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

    def start(self, *words: str, before: str = "", **environment: str) -> "subprocess.Popen[str]":
        kept = {
            n: v
            for n, v in os.environ.items()
            if not n.startswith(("HF_", "KDS_")) and "proxy" not in n.lower()
        }
        return subprocess.Popen(
            [sys.executable, "-c", before + LOCATE, *words],
            cwd=REPOSITORY,
            env={
                **kept, "HF_ENDPOINT": self.endpoint, "HF_HOME": str(self.folder / "hf"), "OMP_NUM_THREADS": "1",
                "KDS_MODEL_CACHE": str(self.folder / "models"), "HF_HUB_DISABLE_PROGRESS_BARS": "1", **environment,
            },
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip

    def locate(self, *words: str, before: str = "", **environment: str) -> hub.Source:
        """What locate gives in a process of its own."""
        process = self.start(*words, before=before, **environment)
        output, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors
        folder, name, commit = json.loads(output)
        return hub.Source(Path(folder), name, commit)

    def refusal(self, *words: str, before: str = "", **environment: str) -> str:
        """The one line that locate refuses with."""
        process = self.start(*words, before=before, **environment)
        output, errors = process.communicate(timeout=100)
        assert process.returncode == 1, output + errors
        (line,) = errors.splitlines()
        assert line.startswith("error: "), errors
        assert TOKEN not in line
        return line

    def models(self) -> list[str]:
        """What is in the folder of converted models, locks left out."""
        folder = self.folder / "models"
        return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock") if folder.exists() else []


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_hub_model_is_downloaded_once_and_then_found_offline(original: Original, tmp_path: Path) -> None:
    files = (
        original.safe | FAKES | {"pytorch_model.bin": b"not wanted", "pytorch_model.bin.index.json": b"{}"}
    )
    with served(Hub({"team/tiny": files})) as it:
        home = Home(tmp_path, it.url)
        source = home.locate("team/tiny")
        assert (source.name, source.commit) == ("team/tiny", COMMIT)
        assert names(source.folder) == {*original.safe, hub.CARD}
        asked = len(it.requests)
        assert home.locate("team/tiny") == source
        assert home.locate("team/tiny", COMMIT) == source
        assert len(it.requests) == asked  # the cache is asked first
    offline = Home(tmp_path, closed_port())
    assert offline.locate("team/tiny") == source
    assert offline.locate("team/tiny", HF_HUB_OFFLINE="1") == source
    model = AutoModelForSeq2SeqLM.from_pretrained(source.folder)
    assert torch.equal(logits(model), original.logits())
    assert AutoTokenizer.from_pretrained(source.folder).encode("우산 어디서 살까요?")
    assert home.models() == []


def test_what_cannot_be_used_is_refused_before_its_weights_are_fetched(
    original: Original, tmp_path: Path
) -> None:
    bert = original.safe | {
        "config.json": BertConfig(architectures=["BertForMaskedLM"]).to_json_string().encode()
    }
    with served(Hub({"team/bart": original.safe, "team/bert": bert})) as it:
        home = Home(tmp_path, it.url)
        assert "wanted a decoder-only language model" in home.refusal("team/bart", "main", "causal")
        assert "BertForMaskedLM cannot generate text" in home.refusal("team/bert")
        assert not [asked for asked in it.requests if "safetensors" in asked]
        assert names(home.locate("team/bart", "main", "seq2seq").folder) == set(original.safe)


def test_an_unfinished_download_is_finished(original: Original, tmp_path: Path) -> None:
    with served(Hub({"team/tiny": original.safe})) as it:
        home = Home(tmp_path, it.url)
        source = home.locate("team/tiny", COMMIT)
        for lost in ("tokenizer_config.json", "model.safetensors"):
            (source.folder / lost).unlink()
            assert "team/tiny" in Home(tmp_path, closed_port()).refusal("team/tiny", COMMIT)
            assert home.locate("team/tiny", COMMIT) == source
            assert names(source.folder) == set(original.safe)


@pytest.mark.parametrize("kind", ["one file", "legacy", "shards"])
def test_pickled_weights_are_converted_once(original: Original, tmp_path: Path, kind: str) -> None:
    if kind == "shards":
        weights = shards(original.model, tmp_path)
    else:
        weights = {"pytorch_model.bin": pickled(original.model.state_dict(), tmp_path, kind == "legacy")}
    with served(Hub({"team/old": original.bare | weights | FAKES})) as it:
        source = Home(tmp_path, it.url).locate("team/old")
    assert source.folder == tmp_path / "models" / f"team--old@{COMMIT}"
    assert source.commit == COMMIT
    assert checkpoints.problem(source.folder) is None
    expected = {"model.safetensors"}
    if kind == "shards":
        expected = {
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
        }
    assert names(source.folder) == set(original.bare) | expected | {"manifest.json", hub.CARD}
    assert {path.stat().st_mode & 0o777 for path in source.folder.iterdir()} == {0o644}
    assert torch.equal(logits(AutoModelForSeq2SeqLM.from_pretrained(source.folder)), original.logits())
    stamp = (source.folder / "manifest.json").stat().st_mtime_ns
    assert Home(tmp_path, closed_port()).locate("team/old") == source
    assert (source.folder / "manifest.json").stat().st_mtime_ns == stamp
    shutil.rmtree(tmp_path / "hf")  # the pickled original may go
    assert Home(tmp_path, closed_port()).locate("team/old", COMMIT) == source


def test_every_converted_tensor_is_the_original_bit_for_bit(original: Original, tmp_path: Path) -> None:
    state = {
        **original.model.state_dict(),
        "view": torch.arange(12.0).reshape(3, 4).T,
        "part": torch.arange(12.0)[3:7],
        "empty": torch.zeros(0, 3),
        "half": torch.randn(5).bfloat16(),
    }
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "config.json").write_bytes(original.bare["config.json"])
    (folder / "pytorch_model.bin").write_bytes(pickled(state, tmp_path))
    hub.convert(folder, tmp_path / "new")
    with safe_open(tmp_path / "new" / "model.safetensors", "pt") as made:
        assert made.metadata() == {"format": "pt"}
        assert set(made.keys()) == set(state)
        for name, tensor in state.items():
            assert made.get_tensor(name).dtype == tensor.dtype
            assert torch.equal(made.get_tensor(name), tensor)


DYING = """
import os, safetensors.torch
real = safetensors.torch.save_file
def save_file(*words, **more):
    real(*words, **more)
    os.kill(os.getpid(), 9)
safetensors.torch.save_file = save_file
"""


def test_a_killed_conversion_leaves_nothing_that_is_taken_for_a_model(
    original: Original, tmp_path: Path
) -> None:
    weights = {"pytorch_model.bin": pickled(original.model.state_dict(), tmp_path)}
    with served(Hub({"team/old": original.bare | weights})) as it:
        home = Home(tmp_path, it.url)
        process = home.start("team/old", before=DYING)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert all(name.startswith(".staging-") for name in home.models())
        both = [home.start("team/old") for _ in range(2)]  # the lock died with its holder
        answers = [process.communicate(timeout=100) for process in both]
        assert [process.returncode for process in both] == [0, 0], answers
        assert answers[0][0] == answers[1][0]
        assert sum("converting the pickled weights" in errors for _, errors in answers) <= 1
    assert home.models() == [f"team--old@{COMMIT}"]
    model = tmp_path / "models" / f"team--old@{COMMIT}" / "model.safetensors"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + b"\xff")
    assert Home(tmp_path, closed_port()).locate("team/old").folder == model.parent
    assert model.read_bytes() == whole  # a damaged one is made again


REFUSALS: dict[str, tuple[tuple[str, ...], dict[str, tuple[int, str]], str]] = {
    "unknown": (("team/none",), {}, "hub model team/none: the hub has no model of that name, or it is private (404)"),
    "private": (("team/tiny",), {"team/tiny": (401, "RepoNotFound")}, "put a token with read access into HF_TOKEN"),
    "gated, no token": (
        ("team/tiny",), {"team/tiny": (401, "GatedRepo")},
        "gated, and the hub denied access to this account (401); accept the terms at https://huggingface.co/team/tiny",
    ),
    "gated, not granted": (("team/tiny",), {"team/tiny": (403, "GatedRepo")}, "denied access to this account (403)"),
    "revision": (
        ("team/tiny", "v9"), {},
        "hub model team/tiny at revision v9: the hub has the model, but not that revision",
    ),
    "commit": (("team/tiny", "f" * 40), {}, "the hub has the model, but not that revision"),
    "forbidden": (("team/tiny",), {"team/tiny": (403, "")}, "answered 403; check HF_TOKEN"),
    "down": (("team/tiny",), {"team/tiny": (503, "")}, "answered 503; try again later"),
    "adapter": (("team/adapter",), {}, "hub model team/adapter: a LoRA adapter (use its base model); wanted config"),
    "gguf": (("team/gguf",), {}, "not a model for transformers; wanted config.json, a tokenizer"),
    "no tokenizer": (("team/mute",), {}, "hub model team/mute: it has no tokenizer"),
    "neither": (("tiny",), {}, "model 'tiny': neither an existing folder nor a hub id; wanted a folder with"),
    "path": (("outputs/none/there",), {}, "neither an existing folder nor a hub id"),
    "offline": (("offline:gemma-4",), {}, "or offline:gemma-3-270m"),
    "bad id": (("team/a--b",), {}, "model 'team/a--b': neither an existing folder nor a hub id"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_what_the_hub_refuses_is_one_line_with_the_way_out(
    original: Original, tmp_path: Path, case: str
) -> None:
    words, refusals, message = REFUSALS[case]
    repositories = {
        "team/tiny": original.safe,
        "team/adapter": {"adapter_config.json": b"{}", "adapter_model.safetensors": b"x"},
        "team/gguf": {"tiny.gguf": b"gguf", "config.json": b"{}"},
        "team/mute": {"config.json": b"{}", "model.safetensors": original.safe["model.safetensors"]},
    }
    with served(Hub(repositories, refusals)) as it:
        assert message in Home(tmp_path, it.url).refusal(*words, HF_TOKEN=TOKEN)
        assert it.tokens <= {f"Bearer {TOKEN}"}
    assert not list(tmp_path.rglob("*.safetensors"))


def test_without_a_network_the_refusal_is_quick(tmp_path: Path) -> None:
    endpoint = closed_port()
    line = Home(tmp_path, endpoint).refusal("team/tiny")
    assert f"not in the local cache, and the hub at {endpoint} cannot be reached (ConnectError)" in line
    assert "--model=FOLDER" in line
    assert "HF_HUB_OFFLINE forbids" in Home(tmp_path, endpoint).refusal("team/tiny", HF_HUB_OFFLINE="1")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, never answers
        home = Home(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
        line = home.refusal("team/tiny", before="from common import hub; hub.SECONDS = 0.3\n")
        assert "cannot be reached (ReadTimeout)" in line


def test_a_token_that_is_none_is_not_printed(tmp_path: Path) -> None:
    line = Home(tmp_path, closed_port()).refusal("team/tiny", HF_TOKEN="여기에-토큰")
    assert "HF_TOKEN contains characters that are not allowed in a token" in line
    assert "토큰" not in line


LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
"""
FULL = """
import collections, shutil
usage = collections.namedtuple("usage", "total used free")
shutil.disk_usage = lambda path: usage(9, 9, 9)
"""


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(original: Original, tmp_path: Path) -> None:
    weights = {"pytorch_model.bin": pickled(original.model.state_dict(), tmp_path)}
    assert len(original.safe["model.safetensors"]) > 100_000
    with served(Hub({"team/tiny": original.safe, "team/old": original.bare | weights})) as it:
        home = Home(tmp_path, it.url)
        assert "GB are free there; make room" in home.refusal("team/tiny", before=FULL)
        assert not list(tmp_path.rglob("*.safetensors"))
        line = home.refusal("team/tiny", before=LIMITED)
        assert f"writing to {tmp_path / 'hf' / 'hub'} failed" in line
        assert "File too large" in line
        assert not [*tmp_path.rglob("*.safetensors"), *tmp_path.rglob("*.incomplete")]
        assert names(home.locate("team/tiny").folder) == set(original.safe)
        full = DYING.replace("os.kill(os.getpid(), 9)", "raise OSError(28, 'No space left on device')")
        line = home.refusal("team/old", before=full)
        assert "No space left on device" in line
        assert home.models() == []
        line = home.refusal("team/old", before=LIMITED)  # its pickled file is there by now
        assert "converting the model failed" in line
        assert "KDS_MODEL_CACHE" in line
        assert home.models() == []
        assert home.locate("team/old").commit == COMMIT


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository root that is also the working directory."""
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    monkeypatch.delenv("KDS_MODEL_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_local_folder_is_itself(original: Original, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(here / "my" / "model", original.safe)
    assert hub.locate("my/model") == hub.Source(folder, "my/model", None)
    assert hub.locate(str(folder)).folder == folder
    elsewhere = here / "elsewhere"
    (elsewhere / "my" / "model").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    assert (
        hub.locate("my/model").folder == folder
    )  # a folder without config.json does not hide the repository's
    assert hub.locate("../my/model").folder == folder


def test_a_local_folder_of_pickled_weights_is_converted(original: Original, here: Path) -> None:
    bins = {"pytorch_model.bin": pickled(original.model.state_dict(), here)}
    written(here / "old", original.bare | bins)
    source = hub.locate("old")
    assert source.folder.parent == here / ".cache" / "models"
    assert source.folder.name.startswith("local--old@")
    assert torch.equal(logits(AutoModelForSeq2SeqLM.from_pretrained(source.folder)), original.logits())
    assert hub.locate("old") == source
    other = {"pytorch_model.bin": pickled({k: v + 1 for k, v in original.model.state_dict().items()}, here)}
    shutil.rmtree(here / "old")
    written(here / "old", original.bare | other)
    assert hub.locate("old") != source  # other weights, another conversion


LACKS: dict[str, tuple[Callable[[dict[str, bytes]], dict[str, bytes]], str]] = {
    "config": (lambda f: {n: c for n, c in f.items() if n != "config.json"}, "models/broken: no config.json; wanted"),
    "weights": (lambda f: {n: c for n, c in f.items() if "safetensors" not in n}, "no model.safetensors; wanted"),
    "tokenizer": (lambda f: {n: c for n, c in f.items() if n != "tokenizer.json"}, "no tokenizer (tokenizer.json"),
    "cut": (lambda f: f | {"model.safetensors": f["model.safetensors"][:-9]}, "model.safetensors is damaged or truncated"),
    "lfs pointer": (lambda f: f | {"model.safetensors": b"version https://git-lfs"}, "is damaged or truncated"),
    "other": (
        lambda f: {n: c for n, c in f.items() if "safetensors" not in n} | {"tf_model.h5": b"x"},
        "no model.safetensors (found tf_model.h5)",
    ),
    "shard": (
        lambda f: {n: c for n, c in f.items() if "safetensors" not in n}
        | {"model.safetensors.index.json": b'{"weight_map": {"a": "model-00001-of-00001.safetensors"}}'},
        "no model-00001-of-00001.safetensors",
    ),
    "adapter": (
        lambda f: {n: c for n, c in f.items() if "safetensors" not in n} | {"adapter_config.json": b"{}"},
        "a LoRA adapter without its model",
    ),
    "empty": (lambda f: {}, "no config.json"),
}  # fmt: skip


@pytest.mark.parametrize("case", LACKS)
def test_what_a_local_folder_lacks_is_named(original: Original, here: Path, case: str) -> None:
    change, message = LACKS[case]
    written(here / "models" / "broken", change(original.safe))
    with pytest.raises(UserError, match=re.escape(message)):
        hub.locate("models/broken")


class Trap:
    """Unpickled, it would make a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize("legacy", [False, True])
def test_weights_that_are_more_than_tensors_are_refused(original: Original, here: Path, legacy: bool) -> None:
    written(here / "evil", original.bare | {"pytorch_model.bin": pickled({"a": Trap()}, here, legacy)})
    with pytest.raises(UserError, match="nothing else is unpickled, because that can run code"):
        hub.locate("evil")
    assert not (here / "sprung").exists()
    for content, message in (
        (pickled({"state_dict": original.model.state_dict()}, here, legacy), "wanted a state dict"),
        (pickled(original.model.state_dict(), here, legacy)[:-400], "not a readable file of tensors only"),
    ):
        (here / "evil" / "pytorch_model.bin").write_bytes(content)
        with pytest.raises(UserError, match=message):
            hub.locate("evil")
    assert [p.name for p in (here / ".cache" / "models").iterdir() if p.suffix != ".lock"] == []


def test_the_wanted_files_are_one_set_of_weights_and_no_code() -> None:
    base = ["config.json", "tokenizer.json", "sentencepiece.bpe.model", "merges.txt", "chat_template.jinja"]
    shards_ = [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    ]
    bins = ["pytorch_model.bin"]
    assert hub.wanted([*base, *bins, *FAKES]) == sorted([*base, *bins])
    assert hub.wanted([*base, *bins, "model.safetensors", *FAKES]) == sorted([*base, "model.safetensors"])
    assert hub.wanted([*base, *bins, *shards_]) == sorted([*base, *shards_])
    assert hub.wanted(["adapter_config.json", "adapter_model.safetensors", "model.fp16.safetensors"]) == []


def test_the_architecture_is_named_and_held(original: Original, here: Path) -> None:
    bart = written(here / "bart", original.bare)
    assert hub.architecture(bart) == "seq2seq"
    hub.require(bart, "seq2seq")
    with pytest.raises(
        UserError, match="bart: bart is an encoder-decoder and cannot be used here; wanted a decoder"
    ):
        hub.require(bart, "causal")
    words = tiny.tokenizer()
    qwen = here / "qwen"
    tiny.model("qwen2", words).config.save_pretrained(qwen)
    assert hub.architecture(qwen) == "causal"
    with pytest.raises(UserError, match="qwen2 is a decoder-only language model"):
        hub.require(qwen, "seq2seq")


CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "own code": (
        {"model_type": "own", "auto_map": {"AutoConfig": "configuration_own.OwnConfig"}},
        "model_type 'own' is not known to transformers .* has custom code .auto_map., which is never run",
    ),
    "unknown": ({"model_type": "own"}, "model_type 'own' is not known to transformers"),
    "none": ({}, "model_type None is not known"),
    "masked": (
        {**BertConfig().to_dict(), "architectures": ["BertForMaskedLM"]},
        "BertForMaskedLM cannot generate text",
    ),
    "no text": ({"model_type": "vit"}, "vit cannot generate text"),
    "bad value": ({"model_type": "bart", "d_model": "wide"}, "transformers .* cannot read it"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_model_that_cannot_be_used_is_refused_without_running_its_code(here: Path, case: str) -> None:
    config, message = CONFIGS[case]
    code = b"from pathlib import Path\nPath('sprung').touch()\nclass OwnConfig: pass\n"
    folder = written(here / "m", {"config.json": json.dumps(config).encode(), "configuration_own.py": code})
    with pytest.raises(UserError, match=message) as refusal:
        hub.architecture(folder)
    assert "\n" not in str(refusal.value)
    assert not (here / "sprung").exists()
