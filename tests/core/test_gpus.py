"""GPUs are counted by the files of their drivers, as far as these are sure."""

import os
import sys
from pathlib import Path

import pytest

from common.core import gpus
from common.core.gpus import best_gpu, gpu_count, torch_is_for_cpus

MACHINES: dict[str, tuple[tuple[str, ...], str | None, int | None]] = {
    "no driver": ((), None, 0),
    "two": (("proc/driver/nvidia/gpus/0000:17:00.0", "proc/driver/nvidia/gpus/0000:65:00.0"), None, 2),
    "two, one visible": (("dev/nvidia0", "dev/nvidia1", "dev/nvidiactl"), "1", 1),
    "one, two named": (("dev/nvidia0",), "0,1", 1),
    "named by id": (("dev/nvidia0", "dev/nvidia1"), "MIG-aa,MIG-bb", 2),
    "hidden by nothing": (("dev/nvidia0",), "", 0),
    "hidden by -1": (("dev/nvidia0", "dev/nvidia1"), "0,-1,1", 1),
    "hidden, whatever there is": ((), "-1", 0),
    "a driver without devices": (("proc/driver/nvidia/version",), None, None),
    "Windows below": (("dev/dxg",), None, None),
    "AMD": (("dev/kfd",), None, None),
    "Jetson": (("etc/nv_tegra_release",), None, None),
}


@pytest.mark.skipif(sys.platform != "linux", reason="drivers of Linux")
@pytest.mark.parametrize("name", MACHINES)
def test_gpus_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    files, visible, wanted = MACHINES[name]
    monkeypatch.setattr(gpus, "torch_is_for_cpus", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert gpu_count(tmp_path) == wanted


def test_a_torch_for_cpus_finds_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    assert torch_is_for_cpus() == (torch.version.cuda is None and torch.version.hip is None)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    monkeypatch.setattr(gpus, "torch_is_for_cpus", lambda: True)
    assert gpu_count(tmp_path) == 0


@pytest.mark.parametrize(
    ("says", "wanted"),
    [
        ("echo '81559, 9.0'", (81559 / 1024, 9)),
        ("echo '11264, 7.5'; echo '24564, 8.9'", (24564 / 1024, 8)),
        ("echo '[N/A], 9.0'", None),
        ("echo 'No devices were found'; exit 6", None),
        ("exit 0", None),
        ("sleep 9", None),
    ],
)
def test_the_best_gpu_is_what_nvidia_smi_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, wanted: tuple[float, int] | None
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{says}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(gpus, "SECONDS", 1.0)
    assert best_gpu() == wanted


def test_without_nvidia_smi_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert best_gpu() is None


@pytest.mark.parametrize(
    ("own", "arguments", "wanted"),
    [
        ({}, ["--epochs=1"], {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}),
        (
            {"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:64"},
            [],
            {"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:64"},
        ),
        ({"PYTORCH_ALLOC_CONF": ""}, [], {"PYTORCH_ALLOC_CONF": ""}),
        ({}, ["--engine", "vllm"], {}),
        ({}, ["--decoding.engine=vllm"], {}),
        ({}, ["--engine=hf"], {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}),
    ],
)
def test_gpu_memory_grows_unless_the_user_or_vllm_decides(
    monkeypatch: pytest.MonkeyPatch, own: dict[str, str], arguments: list[str], wanted: dict[str, str]
) -> None:
    names = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
    for name in names:
        monkeypatch.setenv(name, "")  # so that what is set here is undone at the end
        monkeypatch.delenv(name)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    gpus.grow_memory(arguments)
    assert {name: os.environ[name] for name in names if name in os.environ} == wanted
