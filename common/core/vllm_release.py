"""Name the release of vLLM that the engine vllm is written for, and refuse another one without importing it."""

import sys
from importlib.util import find_spec
from pathlib import Path

from common.core.errors import UserError
from common.core.files import shown
from common.core.messages import brief
from common.core.provenance import installed_version

VLLM = "0.32"
"""The release: the first two numbers of the version in constraints-vllm.txt."""
PLUGIN = "vllm_bnb_plugin"
"""Module with which vLLM reads 4-bit weights; its package is vllm-bnb-plugin."""
INSTALL = (
    "python3.11 -m venv .venv-vllm && .venv-vllm/bin/pip install -c constraints-vllm.txt -e '.[train,vllm]'"
)
"""The command that installs vLLM and the plugin in a virtual environment of its own."""
USE = f"{INSTALL}, then .venv-vllm/bin/python -m common infer EXPERIMENT --engine vllm"
"""What to do to decode with vLLM."""


def require_vllm() -> None:
    """Raise UserError when this Python has no vLLM, or another release than the one that our code is written for."""
    if find_spec("vllm") is None:
        raise UserError(
            f"--engine vllm: the package vllm is not installed in {shown(Path(sys.prefix))}; run: {USE} (or use --engine hf)."
        )
    version = installed_version("vllm")
    if version and not version.startswith(f"{VLLM}."):
        raise UserError(
            f"--engine vllm: vllm {brief(version)} is installed in {shown(Path(sys.prefix))}, wanted {VLLM}; run: {USE} "
            "(or use --engine hf)."
        )
