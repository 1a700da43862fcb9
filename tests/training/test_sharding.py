"""Several processes: what they do together is what one does alone, and when one dies nothing is lost."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from common.core import distributed
from common.core.json_lines import read_lines
from common.models import tiny as models
from common.models.storage import load_model
from common.training import checkpoints
from tests.support import REPOSITORY, tiny, worker

pytestmark = pytest.mark.slow


def torchrun(folder: Path, *words: str, **environment: str) -> "subprocess.Popen[str]":
    """Two processes over gloo."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *words]
    return subprocess.Popen(
        command, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"} | environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, encoding="utf-8",
    )  # fmt: skip


@pytest.fixture(scope="module")
def together(
    tmp_path_factory: pytest.TempPathFactory, model_cache: Path
) -> tuple[Path, list[dict[str, Any]]]:
    """What two processes did (tests/support/worker.py): their folder, and what each found."""
    folder = tmp_path_factory.mktemp("together")
    worker.train("bart", folder / "alone", replace(worker.CONFIG, accumulation=2))
    process = torchrun(REPOSITORY, "-m", "tests.support.worker", str(folder))
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return folder, [torch.load(folder / f"found_{rank}.pt", weights_only=False) for rank in (0, 1)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same training in this process, which takes twice the batches a step: weights and metrics by kind."""
    found: dict[str, Any] = {}
    for kind in worker.COLLATE:
        folder = tmp_path_factory.mktemp("alone") / "run"
        result = worker.train(kind, folder, replace(worker.CONFIG, accumulation=2))
        found[kind] = (
            load_file(folder / "best" / "model.safetensors"),
            list(read_lines(folder / "metrics.jsonl")),
            result,
        )
        still = replace(worker.STILL, accumulation=2 * worker.STILL.accumulation)
        found[f"still {kind}"] = worker.train(kind, folder.with_name("still"), still)
    still = replace(worker.STILL, accumulation=2 * worker.STILL.accumulation)
    for kind in worker.LOADED:
        folder = tmp_path_factory.mktemp("loaded") / kind
        found[f"loaded {kind}"] = worker.train(kind, folder, still, loaded=True)
    for otherwise in worker.OTHERWISE:
        still = replace(worker.STILL, accumulation=2 * worker.STILL.accumulation, label_smoothing=0.0)
        folder = tmp_path_factory.mktemp(otherwise)
        found[f"still {otherwise}"] = worker.train("qwen2", folder, still, otherwise=otherwise)
    AcceleratorState._reset_state(reset_partial_state=True)
    return found


def test_every_process_sees_what_all_have(together: tuple[Path, list[dict[str, Any]]]) -> None:
    for found in together[1]:
        assert found["gathered"] == [0, "of 2", 1, "of 2"]
    assert distributed.gather([1, 2]) == [1, 2]
    assert (distributed.rank(), distributed.count()) == (0, 1)


@pytest.mark.parametrize("sharding", ["none", "fsdp"])
@pytest.mark.parametrize("kind", ["bart", "qwen2"])
def test_two_processes_learn_what_one_learns(
    together: tuple[Path, list[dict[str, Any]]], alone: dict[str, Any], kind: str, sharding: str
) -> None:
    """Also in the last step of an epoch, in which one of them has no batch; clipped, averaged, evaluated, saved."""
    folder, found = together[0] / f"{sharding}-{kind}", [f[f"{sharding} {kind}"] for f in together[1]]
    weights, metrics, result = alone[kind]
    assert [f["result"] for f in found] == [result["result"]] * 2
    assert result["result"].steps == 6  # five batches an epoch: two, two and one
    other = load_file(folder / "best" / "model.safetensors")
    assert other.keys() == weights.keys()
    start = tiny.model(kind, worker.WORDS, worker.SIZE).state_dict()
    moved = max(float((weights[name] - start[name]).abs().max()) for name in weights)
    assert moved > 3e-3
    for name, weight in weights.items():
        if name.endswith("k_proj.bias"):
            continue  # softmax cancels it: its gradient is rounding noise alone, and Adam walks along
        # Adam divides tiny gradients by their own size: where they are rounding noise, the step is too.
        apart = (other[name] - weight).abs()
        assert float(apart.mean()) < 1e-5, name
        assert float(apart.max()) < 1e-3, name
    theirs = list(read_lines(folder / "metrics.jsonl"))
    assert [line["step"] for line in theirs] == [line["step"] for line in metrics]
    for line, same in zip(theirs, metrics, strict=True):
        assert line["train_loss"] == pytest.approx(same["train_loss"], rel=1e-4)
        # Every id counts once: the scores of the whole split, in both processes.
        assert line["rouge"] == pytest.approx(same["rouge"], abs=1e-6)
        assert line["distinct"] == same["distinct"]


@pytest.mark.parametrize("sharding", ["none", "fsdp"])
@pytest.mark.parametrize("kind", ["bart", "qwen2", *worker.OTHERWISE])
def test_two_processes_have_the_gradient_of_one(
    together: tuple[Path, list[dict[str, Any]]], alone: dict[str, Any], kind: str, sharding: str
) -> None:
    """Unclipped, so in size too, which Adam would hide; with accumulation, and with a process that has no batch."""
    steps = alone[f"still {kind}"]["gradients"]
    assert len(steps) == 2
    for found in together[1]:
        theirs = found[f"still {sharding} {kind}"]["gradients"]
        assert len(theirs) == 2
        for ours, other in zip(steps, theirs, strict=True):
            assert other.keys() == ours.keys()
            assert max(float(gradient.abs().max()) for gradient in ours.values()) > 1e-2
            for name, gradient in ours.items():
                torch.testing.assert_close(other[name], gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", worker.LOADED)
def test_the_first_process_loads_the_weights_for_all(
    together: tuple[Path, list[dict[str, Any]]], alone: dict[str, Any], kind: str
) -> None:
    """The other one never has them whole; both have their shards, and the loss and gradients that one process has."""
    first, second = (found[f"loaded {kind}"] for found in together[1])
    assert (first["weights before"], second["weights before"]) == (first["whole"], 0)
    assert first["held"] + second["held"] == first["whole"]
    assert first["sharded"] == second["sharded"] == first["parameters"]
    steps = alone[f"loaded {kind}"]["gradients"]
    assert max(float(gradient.abs().max()) for gradient in steps[0].values()) > 1e-2
    for share in (first, second):
        for ours, other in zip(steps, share["gradients"], strict=True):
            assert other.keys() == ours.keys()
            for name, gradient in ours.items():
                torch.testing.assert_close(other[name], gradient, rtol=1e-3, atol=1e-6)
    folder = together[0] / f"loaded-{kind}"
    saved, original = (
        load_file(f / "model.safetensors") for f in (folder / "best", models.tiny(f"tiny:{kind}"))
    )
    assert saved.keys() == original.keys()
    assert all(torch.equal(weight, saved[name]) for name, weight in original.items())  # nothing was learned


@pytest.mark.parametrize("kind", ["bart", "qwen2"])
def test_sharded_processes_hold_a_share_of_the_weights(
    together: tuple[Path, list[dict[str, Any]]], kind: str
) -> None:
    shares = [found[f"fsdp {kind}"] for found in together[1]]
    for share in shares:
        assert share["sharded"] == share["parameters"] > 10
        assert share["held"] < 0.6 * share["whole"]
    assert sum(share["held"] for share in shares) == shares[0]["whole"]
    for found in together[1]:
        assert found[f"none {kind}"]["sharded"] == 0
        assert "DistributedDataParallel" in found[f"none {kind}"]["kinds"]


@pytest.mark.parametrize(("sharding", "kind"), [("none", "bart"), ("fsdp", "qwen2")])
def test_two_processes_resume_to_the_same_bits(
    together: tuple[Path, list[dict[str, Any]]], sharding: str, kind: str
) -> None:
    calm, killed = (together[0] / f"{sharding}-{kind}{which}" for which in ("", "-killed"))
    assert len(checkpoints.steps(killed / "checkpoints")) == 2
    assert (calm / "best" / "model.safetensors").read_bytes() == (
        killed / "best" / "model.safetensors"
    ).read_bytes()
    scores = [
        [{n: line[n] for n in ("train_loss", "rouge")} for line in read_lines(f / "metrics.jsonl")]
        for f in (calm, killed)
    ]
    assert scores[0] == scores[1]


def test_sharded_adapters_are_saved_whole(
    together: tuple[Path, list[dict[str, Any]]], model_cache: Path
) -> None:
    held = load_file(together[0] / "lora" / "best" / "adapter_model.safetensors")
    assert held
    assert all(tensor.ndim == 2 and 4 in tensor.shape for tensor in held.values())
    assert any(float(tensor.abs().max()) > 0 for name, tensor in held.items() if "lora_B" in name)
    model, _ = load_model(together[0] / "lora" / "best")
    assert model.get_base_model().config.model_type == "qwen2"


@pytest.mark.parametrize("name", worker.DECODING)
def test_two_processes_decode_what_one_decodes(
    together: tuple[Path, list[dict[str, Any]]], tmp_path: Path, name: str
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the workers have; another number changes last digits
    try:
        expected = worker.candidates("bart", tmp_path, name)
    finally:
        torch.set_num_threads(threads)
    for found in together[1]:
        assert list(found[name]) == list(expected)
        for one, other in zip(found[name].values(), expected.values(), strict=True):
            assert [c.text for c in one] == [c.text for c in other]
    assert (together[0] / f"{name}.jsonl").read_bytes() == (tmp_path / f"{name}.jsonl").read_bytes()
    assert not list(together[0].glob(f"{name}.[0-9]*"))


def test_what_does_not_go_together_is_said(together: tuple[Path, list[dict[str, Any]]]) -> None:
    for found in together[1]:
        assert "--sharding fsdp does not work with --precision fp16" in found["fp16"]
        assert "other settings, data or another number of processes" in found["other"]
