"""Pickled weights are converted once, bit for bit, and only tensors are read."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel

from common.core import verified_folder
from common.core.errors import UserError
from common.models import conversion, hub
from common.models.weight_files import CARD
from tests.support.hub_server import (
    COMMIT,
    DYING,
    FAKES,
    Home,
    Hub,
    Original,
    closed_port,
    logits,
    names,
    pickled,
    served,
    written,
)


def shards(model: PreTrainedModel, folder: Path) -> dict[str, bytes]:
    """The state dict pickled in two files and an index, as before safetensors."""
    state = model.state_dict()
    names = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    map_ = {key: names[number % 2] for number, key in enumerate(state)}
    files = {name: pickled({k: v for k, v in state.items() if map_[k] == name}, folder) for name in names}
    index = json.dumps({"metadata": {"total_size": 1}, "weight_map": map_}).encode()
    return {**files, "pytorch_model.bin.index.json": index}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) for kind in ("one file", "legacy")] + ["shards"]
)
def test_pickled_weights_are_converted_once(original: Original, tmp_path: Path, kind: str) -> None:
    if kind == "shards":
        weights = shards(original.model, tmp_path)
    else:
        weights = {"pytorch_model.bin": pickled(original.model.state_dict(), tmp_path, kind == "legacy")}
    with served(Hub({"team/old": original.bare | weights | FAKES})) as it:
        source = Home(tmp_path, it.url).locate("team/old")
    assert source.folder == tmp_path / "models" / f"team--old@{COMMIT}"
    assert source.commit == COMMIT
    assert verified_folder.problem(source.folder) is None
    expected = {"model.safetensors"}
    if kind == "shards":
        expected = {
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
        }
    assert names(source.folder) == set(original.bare) | expected | {"manifest.json", CARD}
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
    conversion.convert(folder, tmp_path / "new")
    with safe_open(tmp_path / "new" / "model.safetensors", "pt") as made:
        assert made.metadata() == {"format": "pt"}
        assert set(made.keys()) == set(state)
        for name, tensor in state.items():
            assert made.get_tensor(name).dtype == tensor.dtype
            assert torch.equal(made.get_tensor(name), tensor)


@pytest.mark.slow
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
