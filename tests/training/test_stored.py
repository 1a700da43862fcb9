"""A checkpoint's files hold data alone: no code in them runs, and what does not fit is refused with one line."""

import json
import logging
import pickle
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from common.core.errors import UserError
from common.core.files import sha256_file, write_json
from common.training import checkpoints, loop, stored
from tests.support.fitting import CONFIG, ending, train

pytestmark = pytest.mark.usefixtures("fresh_precision")


class CrashError(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture(scope="module")
def stopped(examples: datasets.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training with a moving average that crashed after its second checkpoint; to be copied, never changed."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patch:
        crash_after(patch, 4)
        with pytest.raises(CrashError):
            train(folder, examples, config=replace(CONFIG, ema=0.9))
    return folder


def crash_after(patch: pytest.MonkeyPatch, step: int) -> None:
    real, calls = loop.take_step, [0]

    def crashing(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] > step:
            raise CrashError
        return real(*arguments)

    patch.setattr(loop, "take_step", crashing)


def copied(stopped: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Return a copy of the crashed training with its newest checkpoint alone, and that checkpoint."""
    shutil.copytree(stopped, tmp_path / "run")
    *older, newest = checkpoints.steps(tmp_path / "run" / "checkpoints")
    for folder in older:
        shutil.rmtree(folder)
    return tmp_path / "run", newest


def sign(checkpoint: Path) -> None:
    """Write the manifest again, so that whatever is in the folder counts as intact."""
    files = sorted(p for p in checkpoint.rglob("*") if p.is_file() and p.name != "manifest.json")
    write_json(checkpoint / "manifest.json", {str(p.relative_to(checkpoint)): sha256_file(p) for p in files})


class Planted:
    """When it is unpickled, it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


FILES = (
    "trained.safetensors",
    "optimizer.safetensors",
    "average.safetensors",
    "state.json",
    "random_0.json",
    "metrics.jsonl",
)
OF_ACCELERATE = ("optimizer.bin", "scheduler.bin", "scaler.pt", "model.safetensors", "random_states_0.pkl", "custom_checkpoint_0.pkl",
                 "custom_checkpoint_1.pkl", "custom_checkpoint_2.pkl", "sampler.bin", "share_0.pt", "pytorch_model.bin")  # fmt: skip


@pytest.mark.parametrize("form", ["pickle", "torch"])
@pytest.mark.parametrize("name", FILES)
def test_no_file_of_a_checkpoint_runs_code(
    examples: datasets.Dataset, stopped: Path, tmp_path: Path, name: str, form: str
) -> None:
    folder, newest = copied(stopped, tmp_path)
    assert sorted(p.name for p in newest.iterdir()) == sorted([*FILES, "manifest.json"])
    trap = Planted(tmp_path / "executed")
    if form == "pickle":
        (newest / name).write_bytes(pickle.dumps(trap))
    else:
        torch.save(trap, newest / name)
    for other in OF_ACCELERATE:
        torch.save(trap, newest / other)
    sign(newest)
    with pytest.raises(UserError, match=rf"{newest.name} does not fit this training: {name}") as refused:
        train(folder, examples, config=replace(CONFIG, ema=0.9))
    assert "\n" not in str(refused.value)
    assert "restart=1" in str(refused.value)
    assert not (tmp_path / "executed").exists()
    torch.save(trap, tmp_path / "trap")
    torch.load(tmp_path / "trap", weights_only=False)  # it would have worked
    assert (tmp_path / "executed").exists()


def tensors(name: str, change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def spoil(checkpoint: Path) -> None:
        found = load_file(checkpoint / name)
        change(found)
        save_file(found, checkpoint / name)

    return spoil


def values(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def spoil(checkpoint: Path) -> None:
        found = json.loads((checkpoint / name).read_text(encoding="utf-8"))
        changed = change(found)
        write_json(checkpoint / name, found if changed is None else changed)

    return spoil


def first(found: dict[str, torch.Tensor], kind: str) -> str:
    return next(name for name in sorted(found) if kind in name)


def wider(kind: str) -> Callable[[dict[str, torch.Tensor]], object]:
    def change(found: dict[str, torch.Tensor]) -> None:
        name = first(found, kind)
        found[name] = torch.zeros(*found[name].shape, 2)

    return change


def without(*keys: str) -> Callable[[Any], Any]:
    def change(found: Any) -> None:
        for key in keys[:-1]:
            found = found[key]
        del found[keys[-1]]

    return change


def shorter(*keys: str) -> Callable[[Any], Any]:
    def change(found: Any) -> None:
        for key in keys:
            found = found[key]
        found.pop()

    return change


def with_value(value: Any, *keys: str) -> Callable[[Any], Any]:
    def change(found: Any) -> None:
        for key in keys[:-1]:
            found = found[key]
        found[keys[-1]] = value

    return change


MISFITS: dict[str, tuple[Callable[[Path], None], str]] = {
    "weight of another shape": (tensors("trained.safetensors", wider("weight")), r"trained.*is torch\.float32 \["),
    "weight missing": (tensors("trained.safetensors", lambda t: t.pop(first(t, "weight"))), "trained.* lacks"),
    "weight of another name": (tensors("trained.safetensors", lambda t: t.update(a=torch.zeros(1))), "an unknown 'a'"),
    "weight of another type": (
        tensors("trained.safetensors", lambda t: t.update({first(t, "weight"): t[first(t, "weight")].half()})),
        r"torch\.float16",
    ),
    "moment of another shape": (tensors("optimizer.safetensors", wider("exp_avg ")), r"optimizer.*'exp_avg .*wanted"),
    "moment missing": (tensors("optimizer.safetensors", lambda t: t.pop(first(t, "exp_avg_sq "))), "optimizer.* lacks"),
    "steps of another shape": (tensors("optimizer.safetensors", wider("step ")), "optimizer.*'step "),
    "average of another shape": (tensors("average.safetensors", wider("weight")), "average.*wanted"),
    "average gone": (lambda c: (c / "average.safetensors").unlink(), r"average\.safetensors cannot be read"),
    "optimizer empty": (lambda c: (c / "optimizer.safetensors").write_bytes(b""), r"optimizer\.safetensors cannot be"),
    "a group missing": (values("state.json", shorter("learning_rates")), "1 entries, wanted 2"),
    "a rate that is text": (values("state.json", with_value("x", "learning_rates", 0)), "is a JSON str, wanted float"),
    "no progress": (values("state.json", without("progress")), "differs in 'progress'"),
    "no step": (values("state.json", without("progress", "step")), "progress differs in 'step'"),
    "a step that is text": (values("state.json", with_value("4", "progress", "step")), "step is a JSON str"),
    "another step": (values("state.json", with_value(3, "progress", "step")), "it was saved at step 3"),
    "state that is a list": (values("state.json", lambda _: []), "is a JSON list, wanted dict"),
    "state that is a number": (values("state.json", lambda _: 7), "is a JSON int, wanted dict"),
    "a scaler": (values("state.json", with_value({"scale": 1.0}, "scaler")), "scaler differs in 'scale'"),
    "random states gone": (lambda c: (c / "random_0.json").unlink(), r"random_0\.json is not valid JSON \(.*No such file"),
    "random states null": (values("random_0.json", lambda _: []), "is a JSON list"),
    "torch's state cut": (values("random_0.json", lambda r: with_value(r["torch"][:-2], "torch")(r)), "no state of a random"),
    "torch's state no hex": (values("random_0.json", with_value("zz", "torch")), "no state of a random"),
    "Python's state short": (values("random_0.json", shorter("python", "numbers")), "entries, wanted 625"),
    "Python's state negative": (values("random_0.json", with_value(-1, "python", "numbers", 0)), "no state of a random"),
    "numpy's state too large": (values("random_0.json", with_value(2**70, "numpy", "keys", 0)), "no state of a random"),
    "numpy's state of another kind": (values("random_0.json", with_value("PCG", "numpy", "name")), "no state of a random"),
}  # fmt: skip


@pytest.mark.parametrize("misfit", MISFITS)
def test_a_checkpoint_that_does_not_fit_is_one_line(
    examples: datasets.Dataset, stopped: Path, tmp_path: Path, misfit: str
) -> None:
    folder, newest = copied(stopped, tmp_path)
    spoil, message = MISFITS[misfit]
    spoil(newest)
    sign(newest)
    with pytest.raises(UserError, match=message) as refused:
        train(folder, examples, config=replace(CONFIG, ema=0.9))
    assert "\n" not in str(refused.value)
    assert str(newest.name) in str(refused.value)
    assert "restart=1" in str(refused.value)


def test_a_checkpoint_of_an_older_layout_is_one_line(
    examples: datasets.Dataset, stopped: Path, tmp_path: Path
) -> None:
    folder, newest = copied(stopped, tmp_path)
    (newest / "state.json").rename(newest / "run.json")
    sign(newest)
    with pytest.raises(UserError, match=r"written by an older version of this code.*restart=1 to start over"):
        train(folder, examples, config=replace(CONFIG, ema=0.9))


def test_random_states_come_back(tmp_path: Path) -> None:
    device = torch.device("cpu")
    for second_of_a_pair in (False, True):  # gauss() makes two numbers and keeps one
        random.seed(1)
        if second_of_a_pair:
            random.gauss(0, 1)
            np.random.standard_normal()
        write_json(tmp_path / "random.json", stored.random_states(device))
        expected = (random.random(), random.gauss(0, 1), np.random.standard_normal(), torch.rand(3).tolist())
        random.seed(9), np.random.seed(9), torch.manual_seed(9)
        stored.load_random_states(tmp_path / "random.json", device)
        found = (random.random(), random.gauss(0, 1), np.random.standard_normal(), torch.rand(3).tolist())
        assert found == expected


def test_a_gradient_scaler_resumes_with_its_scale(
    examples: datasets.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As fp16's does, with one that works on a CPU."""
    start, made = Accelerator.__init__, []

    def scaling(self: Accelerator, **settings: Any) -> None:
        start(self, **settings)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=512.0, growth_interval=3)
        made.append(self.scaler)

    monkeypatch.setattr(Accelerator, "__init__", scaling)
    train(tmp_path / "calm", examples)
    with pytest.MonkeyPatch.context() as patch:
        crash_after(patch, 5)
        with pytest.raises(CrashError):
            train(tmp_path / "run", examples)
    train(tmp_path / "run", examples)
    assert ending(tmp_path / "run") == ending(tmp_path / "calm")
    assert made[0].state_dict() == made[2].state_dict()
    assert made[2].get_scale() > 512.0


def test_another_number_of_threads_is_said(
    examples: datasets.Dataset,
    stopped: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, _ = copied(stopped, tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    crash_after(monkeypatch, 0)
    try:
        with caplog.at_level(logging.WARNING, logger="common"), pytest.raises(CrashError):
            train(folder, examples, config=replace(CONFIG, ema=0.9))
    finally:
        torch.set_num_threads(threads)
    assert [m for m in caplog.messages if "threads" in m] == [
        f"resuming with {threads + 1} threads a training that had {threads}: the weights will not be bit-identical to those of "
        "an uninterrupted run (OMP_NUM_THREADS sets the number)"
    ]
