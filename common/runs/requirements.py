"""Check what a stage needs besides valid settings and data: packages, GPUs, models, an API key and room on the disk.

Everything is judged without torch, in a fraction of a second, before anything is written. What cannot be known that early
(the hub's answer, the free memory of a GPU) is left to the stage itself, which checks it before it works.
"""

import dataclasses
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from common.core import gpus
from common.core.errors import UserError
from common.core.files import read_json, shown
from common.core.messages import brief
from common.core.paths import cache_folder
from common.core.vllm_release import require_vllm
from common.data.competition import Competition
from common.models import hub
from common.models.config import PREFIX, LoRAConfig, PretrainedConfig, SmallModelConfig
from common.models.hardware import require_bfloat16, require_memory
from common.models.known import require_findable, require_language, weights_bytes
from common.models.offline_gemma import BYTES
from common.runs.architecture_settings import parts, require_architecture
from common.runs.catalogue import disk_use
from common.runs.disk_room import LEAST_BYTES, LEAST_SMOKE_BYTES, require_free, require_writable

BASE = "base.json"
"""File of a checkpoint that names the pretrained weights it belongs to (`models.storage` writes it)."""
_VALUES = 4
"""Bytes of a weight in a checkpoint; AdamW keeps two more values for each."""
_INSTALL = ".venv/bin/pip install -c constraints.txt -e '.[{}]'"


@dataclasses.dataclass(frozen=True)
class Start:
    """A stage that is about to start."""

    stage: str
    settings: Any
    """The experiment's settings, with those of the command line (for infer, also those of the training)."""
    competition: Competition
    folder: Path
    """The folder of the run, which need not exist."""
    processes: int = 1
    smoke: bool = False


def require_start(start: Start) -> None:
    """Raise UserError when the machine certainly lacks something that the stage needs."""
    bases = _bases(start)
    decoding = getattr(start.settings, "decoding", None)
    engine = getattr(decoding, "engine", "hf") if start.stage == "infer" else "hf"
    _require_packages(bases, engine)
    if start.stage == "train" or engine == "hf":
        for base in bases:
            require_gpu(base)
    if start.stage == "train" and getattr(start.settings, "training", None):
        _require_precision(start.settings.training.precision)
        _require_kernels(start.settings.training.kernels)
    _require_gpus(start, engine, getattr(decoding, "vllm_gpus", 1))
    for base in bases:
        folder = require_findable(base.model, base.revision) if base.model else None
        language = getattr(start.settings, "language", None)
        if start.stage == "train" and isinstance(language, str):
            require_language(folder, language)
        if start.stage == "train" and folder:
            require_architecture(start.settings, folder)
    require_keys(start.settings, may_be_cached=start.stage == "infer")
    if hasattr(start.settings, "require_ready") and start.stage == "train":
        start.settings.require_ready(start.competition)
    require_room(start)


def _bases(start: Start) -> list[PretrainedConfig]:
    """Return the pretrained weights that the stage loads: for infer those that the checkpoint was trained on, if any."""
    if start.stage == "train":
        return list(parts(start.settings, PretrainedConfig))
    recorded = recorded_weights(start.folder / "best")
    return [recorded] if recorded else []


def recorded_weights(best: Path) -> PretrainedConfig | None:
    """Return the pretrained weights that a checkpoint was trained on; None when it holds all weights itself.

    Raises UserError when they were a local folder that is no longer there.
    """
    path = best / BASE
    if not path.is_file():
        return None
    saved = read_json(path)
    try:
        base = PretrainedConfig(**saved["config"])
        commit = saved["source"]["commit"]
    except (TypeError, KeyError):  # the checkpoint is damaged, which is found later
        return None
    if commit is None and not (
        base.model.startswith(PREFIX) or base.model in hub.OFFLINE or hub.is_local(base.model)
    ):
        raise UserError(
            f"{shown(best)} holds adapters for the model in {brief(base.model)}, and there is no such folder now. Move the "
            f"model back, or link to its new place: ln -s NEW_FOLDER {shlex.quote(base.model)}"
        )
    # As `models.storage.recorded_base`.
    revision = None if hub.is_local(base.model) else commit or base.revision
    return dataclasses.replace(base, revision=revision)


def _require_packages(bases: list[PretrainedConfig], engine: str) -> None:
    """Raise UserError when a package that a setting needs is not installed."""
    for base in bases:
        if base.quantization != "none" and not _installed("bitsandbytes"):
            raise UserError(
                f"--quantization {base.quantization}: the package bitsandbytes is not installed; run: "
                f"{_INSTALL.format('train')} (or use --quantization none)."
            )
        if base.attention == "flash_attention_2" and not (_installed("flash_attn") or _installed("kernels")):
            raise UserError(
                "--attention flash_attention_2: the package flash_attn is not installed; install it as "
                "https://github.com/Dao-AILab/flash-attention says, or leave --attention at auto."
            )
    require_engine(engine)


def require_engine(engine: str) -> None:
    """Raise UserError when the package of the engine ctranslate2 is not installed."""
    if engine == "ctranslate2" and not _installed("ctranslate2"):
        raise UserError(
            "--engine ctranslate2: the package ctranslate2 is not installed; run: "
            f"{_INSTALL.format('ctranslate2')} (or use --engine hf)."
        )


def _installed(module: str) -> bool:
    return find_spec(module) is not None


def require_gpu(base: PretrainedConfig) -> None:
    """Raise UserError when the weights need a GPU, and this machine certainly has none that suits them."""
    count = gpus.gpu_count()
    if base.attention == "flash_attention_2" and count == 0:
        raise UserError(
            "--attention flash_attention_2 needs a CUDA GPU, and this machine has none; leave --attention at auto."
        )
    if not base.gpu_memory:
        return
    if count == 0:
        require_memory(base, 0.0)
    best = gpus.best_gpu()
    if best is not None:
        memory, major = best
        require_bfloat16(base, supported=major >= 8)  # Ampere
        require_memory(base, memory)


def _require_precision(precision: str) -> None:
    if precision == "fp16" and gpus.gpu_count() == 0 and sys.platform != "darwin":
        raise UserError("--precision fp16 needs a GPU, and this machine has none; leave --precision at auto.")


def _require_kernels(kernels: str) -> None:
    if kernels != "liger":
        return
    if gpus.gpu_count() == 0:
        raise UserError(
            "--kernels liger needs an NVIDIA GPU, and this machine has none; leave --kernels at torch."
        )
    if not _installed("liger_kernel"):
        raise UserError(
            "--kernels liger: the package liger_kernel is not installed; run: "
            f"{_INSTALL.format('liger')} (or leave --kernels at torch)."
        )


def _require_gpus(start: Start, engine: str, sharded: int) -> None:
    """Raise UserError when more processes or shards are wanted than there are GPUs, or a second process cannot help.

    Processes also run on CPUs.
    """
    if start.processes > 1 and not hasattr(start.settings, "decoding"):
        raise UserError(
            f"gpus={start.processes}: this experiment has no model that processes could share, and each would do the whole work "
            "again; leave gpus= out."
        )
    count = gpus.gpu_count()
    if count and start.processes > count:
        raise UserError(
            f"gpus={start.processes} needs {start.processes} GPUs, but this machine has {count}; lower it."
        )
    if engine != "vllm":
        return
    other = "use --engine hf, or --engine ctranslate2 for BART and mBART on a CPU"
    if count == 0:
        raise UserError(f"--engine vllm needs a CUDA GPU, and this machine has none; {other}.")
    require_vllm()
    if count is None:
        return
    if start.processes * sharded > count:
        raise UserError(
            f"--vllm-gpus {sharded}: this machine has {count} GPUs; lower it."
            if start.processes == 1
            else f"gpus={start.processes} with --vllm-gpus {sharded} needs {start.processes * sharded} GPUs, but this machine "
            f"has {count}; lower one of them."
        )


def require_keys(settings: Any, *, may_be_cached: bool = True) -> None:
    """Raise UserError when an API is asked and its key, its model or another of its settings is missing or invalid.

    `may_be_cached`: without a key the work succeeds when every answer is in the cache, so that the key is required here
    only when there is no cache.
    """
    # Settings that ask an API have imported it; its HTTP client takes a while.
    if "common.llm.config" not in sys.modules:
        return
    from common.llm import LLMConfig, require_ready
    from common.llm.cache import default_path

    if may_be_cached and default_path().exists():
        return
    for config in parts(settings, LLMConfig):
        require_ready(config)


# --- room on the disk


def require_room(start: Start) -> None:
    """Raise UserError when the run's folder cannot be written, or its disk has less room than the stage certainly fills.

    What the run's folder holds already counts as room, because the stage replaces it or goes on from it.
    """
    require_writable(start.folder)
    least = LEAST_SMOKE_BYTES if start.smoke else LEAST_BYTES
    training = getattr(start.settings, "training", None)
    trained = (
        _trained_weights(start.settings) if start.stage == "train" and training and not start.smoke else 0
    )
    kept = _checkpoints(training) if trained else 0
    moments = _VALUES * (4 if trained and training and training.ema else 3)
    wanted = trained * (_VALUES + kept * moments)
    advice = (
        f", or lower --keep-checkpoints (now {training.keep_checkpoints})" if kept > 1 and training else ""
    )
    require_free(start.folder, max(least, wanted - disk_use(start.folder)), advice)
    for base in parts(start.settings, PretrainedConfig):
        if base.model in hub.OFFLINE and not (made := cache_folder() / base.model.partition(":")[2]).exists():
            require_writable(made)
            require_free(made, BYTES, ", or set KDS_MODEL_CACHE to a folder on another disk")


def _trained_weights(settings: Any) -> int:
    """Return the smallest number of weights that the training can have; adapters and unknown models count as 0."""
    adapters = next(parts(settings, LoRAConfig), None) is not None and getattr(settings, "adapter", True)
    for size in parts(settings, SmallModelConfig):
        return size.weights // 2 + size.width * int(getattr(settings, "vocabulary", 0))
    for base in parts(settings, PretrainedConfig):
        folder = (
            hub.on_this_machine(base.model, base.revision or hub.PINNED.get(base.model))
            if base.model
            else None
        )
        return 0 if adapters or folder is None else weights_bytes(folder) // _VALUES
    return 0


def _checkpoints(training: Any) -> int:
    """Return how many checkpoints the shortest training with these settings leaves on the disk."""
    evaluations = int(min(training.epochs / training.evaluate_every, training.patience))
    return max(1, min(int(training.keep_checkpoints), evaluations))
