"""Model cards: what a folder or the hub says a model was made from is recorded and judged by the rules."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from common.core.errors import UserError
from common.models import model_cards
from tests.support import repository as repositories
from tests.support.rules import SOURCES, forbid, refused, submit, with_model


def local_model(folder: Path, card: str, **config: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bart", **config}), encoding="utf-8")
    if card:
        (folder / "README.md").write_text(card, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("card", "config", "found"),
    [
        ("---\ndatasets:\n- samsum\n- knkarthick/dialogsum\n---\n# x\n", {}, "knkarthick/dialogsum"),
        ("---\ndatasets: DialogSum\n---\n", {}, "DialogSum"),
        ("---\nbase_model: someone/bart-large-dialogsum\n---\n", {}, "someone/bart-large-dialogsum"),
        ("", {"_name_or_path": "someone/dialogsum-bart"}, "someone/dialogsum-bart"),
    ],
)
def test_a_folder_that_says_it_was_made_from_a_forbidden_source_is_refused(
    repository: Path, tmp_path: Path, card: str, config: dict[str, str], found: str
) -> None:
    forbid(repository, *SOURCES)
    with_model(repository)
    folder = local_model(tmp_path / "quiet", card, **config)
    said = refused(repository, "train", f"--model={folder}", "--restart")
    assert f"quiet names {found} in its model card or config.json, and talk forbids DialogSum" in said


def test_a_card_that_cannot_be_read_is_not_taken_for_innocent(repository: Path, tmp_path: Path) -> None:
    with_model(repository)
    folder = local_model(tmp_path / "torn", "---\ndatasets: [samsum\n---\n")
    said = refused(repository, "train", f"--model={folder}", "--restart")
    assert "torn/README.md: the model card's front matter cannot be read" in said


def test_what_a_model_said_is_recorded_and_judged_by_the_rules_of_the_day(
    repository: Path, tmp_path: Path
) -> None:
    with_model(repository)
    folder = local_model(tmp_path / "kobart", "---\ndatasets: [samsum, news]\nbase_model: a/b\n---\n")
    repositories.stage(repository, "exp001", "train", f"--model={folder}", "--restart")
    repositories.stage(repository, "exp001", "infer")
    record = json.loads((repository / "outputs/talk/exp001/run.json").read_text(encoding="utf-8"))
    assert record["train"]["sources"] == {str(folder): ["a/b", "news", "samsum"]}
    assert submit(repository).path.exists()
    forbid(repository, "SAMSum")
    (folder / "README.md").unlink()  # what it said when the run was trained counts
    said = refused(repository, "infer")
    assert "outputs/talk/exp001, trained: " in said
    assert "names samsum in its model card or config.json, and talk forbids SAMSum" in said
    with pytest.raises(
        UserError,
        match=r"outputs/talk/exp001, trained: .*names samsum in its model card or config.json, and talk forbids SAMSum",
    ):
        submit(repository)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A loopback server in the hub's place that knows team/quiet by its card; the paths it was asked for."""
    paths: list[str] = []
    answer = {"id": "team/quiet", "sha": "0" * 40, "siblings": [{"rfilename": "README.md"}],
              "cardData": {"datasets": ["knkarthick/dialogsum"], "base_model": "facebook/bart-large"}}  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            known = self.path.startswith("/api/models/team/quiet")
            body = json.dumps(answer if known else {}).encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield paths
    server.shutdown()
    server.server_close()


def test_the_hubs_card_is_read_before_any_download(repository: Path, asked: list[str]) -> None:
    forbid(repository, *SOURCES)
    with_model(repository)
    said = refused(repository, "train", "--model=team/quiet", "--restart")
    assert "team/quiet names knkarthick/dialogsum in its model card" in said
    about = [path for path in asked if "team/quiet" in path]  # huggingface_hub asks for other things too
    assert about and all(path.startswith("/api/models/team/quiet") for path in about)
    assert model_cards.declared({"base.model": "team/unknown"}) == {
        "team/unknown": []
    }  # `hub.locate` says why
    before = len(asked)
    assert model_cards.declared({"llm.model": "solar", "base.model": "tiny:bart"}) == {}
    assert len(asked) == before
