"""Say what is known about this machine's GPUs without torch, whose import takes seconds."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

SECONDS = 5.0
"""Longest wait for nvidia-smi."""
_OTHER_DRIVERS = ("dev/dxg", "dev/kfd", "dev/nvgpu", "dev/nvhost-gpu", "etc/nv_tegra_release")
"""Files of WSL, AMD and Jetson, whose GPUs are not among the devices that are counted here."""


def gpu_count(system: Path = Path("/")) -> int | None:
    """Return the largest number of GPUs that torch may find; None when only torch can tell.

    0 is certain: the system has no driver, CUDA_VISIBLE_DEVICES hides every GPU, or torch was built for CPUs.
    """
    if torch_is_for_cpus():
        return 0
    visible = _visible()
    if visible == 0:
        return 0
    found = _driver_count(system)
    return found if found is None or visible is None else min(found, visible)


def grow_memory(arguments: Sequence[str]) -> None:
    """Let torch enlarge its blocks of GPU memory, unless the user has configured its memory.

    The shapes of batches vary, and of fixed blocks many parts stay unused. torch reads this when it first uses a GPU.
    vLLM manages the memory itself, with many blocks shared between processes, which torch must not move.
    """
    own = any(name in os.environ for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"))
    if not own and not any(argument.rpartition("=")[2] == "vllm" for argument in arguments):
        os.environ["PYTORCH_ALLOC_CONF"] = "expandable_segments:True"


def torch_is_for_cpus() -> bool:
    """Return whether the installed torch is certainly a build without CUDA and ROCm."""
    spec = find_spec("torch")
    path = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    try:
        text = path.read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError):
        return False
    builds = dict(re.findall(r"(?m)^(cuda|hip)\b[^=\n]*=\s*(\S+)", text))
    return builds.get("cuda") == "None" and builds.get("hip", "None") == "None"


def _visible() -> int | None:
    """Return how many GPUs CUDA_VISIBLE_DEVICES lists; None when it is not set."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return None
    names = [name.strip() for name in listed.split(",")]
    # CUDA ignores everything after the first invalid entry.
    return next((place for place, name in enumerate(names) if name in ("", "-1")), len(names))


def _driver_count(system: Path) -> int | None:
    if sys.platform == "darwin":
        return 0
    listed = [*(system / "proc/driver/nvidia/gpus").glob("*")]
    devices = [path for path in (system / "dev").glob("nvidia*") if re.fullmatch(r"nvidia[0-9]+", path.name)]
    if listed or devices:
        return max(len(listed), len(devices))
    others = [*_OTHER_DRIVERS, "proc/driver/nvidia/version", "dev/nvidiactl"]
    known = sys.platform == "linux" and not any((system / name).exists() for name in others)
    return 0 if known and shutil.which("nvidia-smi") is None else None


def best_gpu() -> tuple[float, int] | None:
    """Return the memory (GiB) and the major compute capability of the best GPU that nvidia-smi lists; None if unknown.

    Both are maxima over all GPUs, so that no GPU of this machine offers more.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=memory.total,compute_cap", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    found = [re.fullmatch(r"\s*([0-9]+)\s*,\s*([0-9]+)\.[0-9]+\s*", line) for line in lines]
    if done.returncode or not found or not all(found):
        return None
    parts = [match.groups() for match in found if match]
    return max(int(memory) for memory, _ in parts) / 1024, max(int(major) for _, major in parts)
