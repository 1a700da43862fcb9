"""Checks of `make doctor` on the machine: Python, packages, torch, GPU, processor, memory, disk."""

import configparser
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.cli.doctor_check import INSTALL, Check
from common.cli.doctor_extras import tried
from common.core.files import existing_parent, root, shown
from common.core.messages import size_text
from common.core.paths import cache_folder
from common.core.provenance import installed_version

CODE = Path(__file__).resolve().parents[2]
SECONDS = 120.0
"""Longest wait for the imports of torch and the extras; on a busy machine torch alone may take 20 seconds."""
_GB = 2**30
_LEAST_DISK = 2_000_000_000
_LEAST_MEMORY = 2 * _GB
_NAME = re.compile(r"\s*([A-Za-z0-9._-]+)")


def start_probe() -> subprocess.Popen[str]:
    """Start the import of torch and of the installed extras in a process of its own; `probed` reads its answers."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("doctor_probe.py")), "torch", *tried()]
    return subprocess.Popen(
        command, cwd=root(), text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )  # fmt: skip


def probed(process: subprocess.Popen[str], seconds: float = SECONDS) -> dict[str, dict[str, Any]]:
    """Return module → what its import showed; the module during which the process died has the reason as "error"."""
    reason = ""
    try:
        text, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        text, _ = process.communicate()
        reason = f"its import did not end within {seconds:.0f} seconds"
    found: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        if line.startswith('{"name": '):
            answer = json.loads(line)
            found[answer["name"]] = answer
    asked = list(process.args)[3:]  # type: ignore[arg-type]
    died = next((str(name) for name in asked if name not in found), None)
    if died is not None:
        found[died] = {"error": reason or f"its import ended Python with exit code {process.returncode}"}
    return found


def python() -> Iterator[Check]:
    """Check the version of Python and where it runs."""
    place = (
        shown(Path(sys.prefix))
        if sys.prefix != sys.base_prefix
        else f"{sys.prefix}, not a virtual environment"
    )
    found = f"{platform.python_version()} in {place}"
    good = sys.version_info >= (3, 11)
    yield Check(
        "Python", "ok" if good else "wrong", found, "" if good else "make PYTHON=python3.12 setup", True
    )


def packages() -> Iterator[Check]:
    """Compare the installed packages with setup.cfg (which are needed) and constraints.txt (which versions)."""
    config = configparser.ConfigParser()
    config.read(CODE / "setup.cfg", encoding="utf-8")
    lines = config["options"]["install_requires"].splitlines()
    lines += config["options.extras_require"]["train"].splitlines()
    names = [match[1] for line in lines if _applies(line) and (match := _NAME.match(line))]
    pinned = {}
    for line in (CODE / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, equals, version = line.partition("==")
        if equals:
            pinned[_normal(name)] = version.split(";")[0].strip()
    missing, other = [], []
    for name in names:
        version = (installed_version(name) or "").partition("+")[0]
        if not version:
            missing.append(name)
            continue
        wanted = pinned.get(_normal(name), version)
        if version != wanted.partition("+")[0]:
            other.append(f"{name} {version} instead of {wanted}")
    install = INSTALL.format("train,dev")
    if missing:
        yield Check("packages", "missing", f"not installed: {', '.join(missing)}", install, True)
    if other:  # it may work all the same
        yield Check("packages", "wrong", f"other versions than constraints.txt: {', '.join(other)}", install)
    if not missing and not other:
        yield Check("packages", "ok", f"{len(names)} installed, versions as in constraints.txt", "", True)


def _applies(line: str) -> bool:
    _, semicolon, marker = line.partition(";")
    return not semicolon or "Linux" not in marker or platform.system() == "Linux"


def _normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name.strip()).lower()


def torch(found: dict[str, dict[str, Any]]) -> Iterator[Check]:
    """Check torch and the GPUs it can use."""
    about = found["torch"]
    if "missing" in about or "error" in about:
        text = about.get("error") or f"the package {about['missing']} is not installed"
        status: Any = "missing" if "missing" in about else "wrong"
        yield Check("torch", status, text, INSTALL.format("train,dev"), True)
        return
    build = f"CUDA {about['cuda']}" if about["cuda"] else "CPU build"
    yield Check("torch", "ok", f"{about['version']}, {build}", "", True)
    for gpu in about["gpus"]:
        memory = f"{gpu['name']}, {gpu['total'] / _GB:.0f} GB, {gpu['free'] / _GB:.0f} GB free"
        if gpu["error"]:
            fix = "install the torch build for this GPU: https://pytorch.org/get-started/locally"
            yield Check("GPU", "wrong", f"{memory}: {gpu['error']}", fix)
        elif not gpu["bf16"]:
            yield Check(
                "GPU",
                "ok",
                f"{memory}, no bf16: trains in fp16",
                "4-bit recipes: --dtype float16 --gpu-memory 0",
            )
        elif gpu["free"] < gpu["total"] / 2:
            yield Check("GPU", "wrong", f"{memory}, bf16: another program holds the rest", "nvidia-smi")
        else:
            yield Check("GPU", "ok", f"{memory}, bf16")
    if about["gpus"]:
        return
    if not Path("/proc/driver/nvidia/version").exists() and not shutil.which("nvidia-smi"):
        yield Check("GPU", "missing", "none; experiments that need none work", "make list")
    elif os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        yield Check("GPU", "wrong", "CUDA_VISIBLE_DEVICES hides all GPUs", "unset CUDA_VISIBLE_DEVICES")
    else:
        reason = (
            "; ".join(about["warnings"])
            or f"torch ({build}) finds no GPU, although this machine has NVIDIA's driver"
        )
        yield Check("GPU", "wrong", reason, "nvidia-smi, then install the torch build for this driver: "
                    "https://pytorch.org/get-started/locally")  # fmt: skip


def processor_and_memory() -> Iterator[Check]:
    """Check the processor's cores and the memory that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = os.environ.get("OMP_NUM_THREADS", "")
    limited = f", OMP_NUM_THREADS={threads}" if threads.isdecimal() else ""
    yield Check("CPU", "ok", f"{cores} cores usable, {platform.machine()}{limited}")
    total, free = _memory()
    low = free is not None and free < _LEAST_MEMORY
    size = f"{total / _GB:.1f} GB"
    text = size if free is None else f"{size}, {free / _GB:.1f} GB free"
    yield Check("memory", "wrong" if low else "ok", text, "close other programs" if low else "")


def _memory() -> tuple[int, int | None]:
    """Return total and available bytes; a container's limit counts. None when the system does not say what is free."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), None
    sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    total, free = sizes["MemTotal"], sizes.get("MemAvailable", sizes["MemFree"])
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no container, or no limit ("max")
        return total, free
    return min(total, limit), max(0, min(free, limit - used))


def disks() -> Iterator[Check]:
    """Check the free space for runs and for models from the hub, which may be on different disks."""
    places = {"disk": root() / "outputs", "model cache": _hub_cache(), "converted": cache_folder()}
    seen: set[int] = set()
    for name, path in places.items():
        there = existing_parent(path.resolve())
        device = there.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(there).free
        low = free < _LEAST_DISK
        runs = name == "disk"
        fix = (
            "delete what du -sh outputs/*/* .cache shows and nobody needs"
            if runs
            else "set HF_HOME or KDS_MODEL_CACHE to a folder on another disk"
        )
        yield Check(name, "wrong" if low else "ok", f"{size_text(free)} free for {shown(path)}"
                    + (f", wanted {size_text(_LEAST_DISK)}" if low else ""), fix if low else "", runs)  # fmt: skip


def _hub_cache() -> Path:
    home = os.environ.get("HF_HOME") or str(
        Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    )
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
