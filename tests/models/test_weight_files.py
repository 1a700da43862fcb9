"""Local folders of weights: complete, or what they lack is named."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.models import hub, weight_files
from common.models.hub import ModelSource
from tests.support import odd_files
from tests.support.hub_server import FAKES, Original, written


def test_a_local_folder_is_itself(original: Original, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(here / "my" / "model", original.safe)
    assert hub.locate("my/model") == ModelSource(folder, "my/model", None)
    assert hub.locate(str(folder)).folder == folder
    elsewhere = here / "elsewhere"
    (elsewhere / "my" / "model").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    assert (
        hub.locate("my/model").folder == folder
    )  # a folder without config.json does not hide the repository's
    assert hub.locate("../my/model").folder == folder


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


@pytest.mark.parametrize("name", ["tokenizer.json", "generation_config.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["named pipe", "device", "socket"])
def test_what_is_no_file_in_a_local_folder_is_named(
    original: Original, here: Path, kind: str, name: str
) -> None:
    """The libraries that load it would wait for ever, or fill the memory."""
    folder = written(here / "models" / "broken", original.safe)
    odd_files.make(kind, folder / name)
    with pytest.raises(UserError, match=f"models/broken: {name} is a {kind}; wanted config.json"):
        hub.locate("models/broken")


def test_names_that_no_folder_can_have(here: Path) -> None:
    (here / "loop").symlink_to("loop")
    for name in ("a" * 300, "loop", "x/y/z\0", "~nobody-of-this-name/x", "\x1b[2J"):
        with pytest.raises(UserError) as caught:
            hub.locate(name)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400


def test_a_header_of_any_length_is_not_read(here: Path) -> None:
    (here / "model.safetensors").write_bytes(b"\xff" * 8)
    with pytest.raises(OSError, match="its header has 18,446,744,073,709,551,615 bytes"):
        weight_files.weights_sha256(here)


def test_the_wanted_files_are_one_set_of_weights_and_no_code() -> None:
    base = ["config.json", "tokenizer.json", "sentencepiece.bpe.model", "merges.txt", "chat_template.jinja"]
    shards_ = [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    ]
    bins = ["pytorch_model.bin"]
    assert weight_files.wanted([*base, *bins, *FAKES]) == sorted([*base, *bins])
    assert weight_files.wanted([*base, *bins, "model.safetensors", *FAKES]) == sorted(
        [*base, "model.safetensors"]
    )
    assert weight_files.wanted([*base, *bins, *shards_]) == sorted([*base, *shards_])
    assert (
        weight_files.wanted(["adapter_config.json", "adapter_model.safetensors", "model.fp16.safetensors"])
        == []
    )
