"""A model to serve, and a place to look for it."""

from pathlib import Path

import pytest

from tests.support import tiny
from tests.support.hub_server import Original


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    folder = tmp_path_factory.mktemp("bart")
    words = tiny.tokenizer()
    model = tiny.model("bart", words)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return Original(model, files, {n: c for n, c in files.items() if n != "model.safetensors"})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository root that is also the working directory."""
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    monkeypatch.delenv("KDS_MODEL_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path
