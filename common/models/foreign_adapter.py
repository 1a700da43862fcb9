"""Read an adapter that another library trained (PEFT, TRL, Unsloth, LLaMA-Factory), and check what its files say. Never imports torch."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import kind_of, open_regular, read_json, shown, unreadable
from common.core.messages import brief, listed
from common.models.hub import is_local
from common.models.weight_files import header_of

CONFIG, WEIGHTS, PICKLED = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
TASKS = {"causal": "CAUSAL_LM", "seq2seq": "SEQ_2_SEQ_LM"}
"""Architecture of the base → PEFT's name of the task."""
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_CHANGE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
_TYPES = ("F64", "F32", "F16", "BF16")
_DEFAULTS = {"r": 8, "lora_alpha": 8, "lora_dropout": 0.0}  # PEFT's
_NUMBERS = (
    ("r", "a whole number from 1 to 4,096"),
    ("lora_alpha", "a number above 0 and at most 65,536"),
    ("lora_dropout", "a number of at least 0 and below 1"),
)
_RENAMED = re.compile(r"(-unsloth)?(-bnb)?-4bit$|-(awq|gptq|int4|int8|gptq-int4|gptq-int8)$")
_EMBEDDINGS = re.compile(
    r"(^|\.)(embed_tokens|lm_head|wte|shared|embed_in|embed_out)(\.base_layer)?\.weight$"
)
_TOWER = re.compile(
    r"(^|[._])(visual|vision|vision_tower|vision_model|audio_tower|multi_modal_projector)([._]|$)"
)


@dataclass(frozen=True)
class ForeignAdapter:
    """What the files of an adapter say."""

    folder: Path
    config: dict[str, Any]
    """The content of adapter_config.json."""
    shapes: dict[str, tuple[int, ...]]
    """Shape of each tensor of the weights, by name."""
    base: str
    """The model that it was trained on, as its config names it: a hub id, or a path on another machine; "" without one."""

    @property
    def layers(self) -> list[str]:
        """The last parts of the names of the adapted layers, sorted: q_proj, v_proj."""
        found = {name.partition(".lora_")[0].rpartition(".")[2] for name in self.shapes if ".lora_" in name}
        return sorted(found)

    @property
    def quantized(self) -> bool:
        """Whether the name of its base says that training loaded it in 4 bits with bitsandbytes, as Unsloth does."""
        return self.base.lower().endswith("bnb-4bit")


def read_adapter(folder: Path) -> ForeignAdapter:
    """Return what the files of an adapter say.

    Raises UserError when the folder is not one of a LoRA adapter in safetensors, when it adapts images or sound, or when
    its initialization changed the weights of the base.
    """
    try:
        kind = kind_of(folder)
    except OSError as error:
        raise UserError(
            f"from={shown(folder)}: cannot be read ({error.strerror}); wanted the folder of an adapter."
        ) from error
    if kind != "folder":
        raise UserError(
            f"from={shown(folder)}: {f'is a {kind}' if kind else 'not there'}; wanted the folder of an adapter."
        )
    if not (folder / CONFIG).is_file():
        inner = sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}"))
        hint = f" Its folders {listed(inner, 5)} have one." if inner else ""
        raise UserError(
            f"from={shown(folder)}: no {CONFIG}; wanted the folder that PEFT's save_pretrained wrote.{hint}"
        )
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict):
        raise UserError(
            f"{shown(folder / CONFIG)}: holds a {type(config).__name__}, wanted a table; copy the file again."
        )
    _require_lora(folder, config)
    base = config.get("base_model_name_or_path")
    adapter = ForeignAdapter(folder, config, _shapes(folder), base if isinstance(base, str) else "")
    tower = next((name for name in adapter.shapes if _TOWER.search(name)), None)
    if tower:
        raise UserError(
            f"{shown(folder / WEIGHTS)}: adapts layers for images or sound, such as {brief(tower, 100)}; wanted an adapter of "
            "the text layers alone. Train it again without them."
        )
    return adapter


def _require_lora(folder: Path, config: dict[str, Any]) -> None:
    where = shown(folder / CONFIG)
    if config.get("peft_type") != "LORA":
        raise UserError(
            f"{where}: peft_type is {brief(config.get('peft_type'))}, wanted LORA; other adapters cannot be used."
        )
    if config.get("task_type") not in (None, *TASKS.values()):
        raise UserError(
            f"{where}: task_type is {brief(config['task_type'])}, wanted {' or '.join(TASKS.values())}; this adapter does "
            "not write text."
        )
    for name, wanted in _NUMBERS:
        value = config.get(name, _DEFAULTS[name])
        if isinstance(value, bool) or not isinstance(value, int | float) or not _fits(name, value):
            raise UserError(f"{where}: {name} is {brief(value)}, wanted {wanted}; copy the file again.")
    if config.get("alora_invocation_tokens"):
        raise UserError(
            f"{where}: alora_invocation_tokens is set, so the adapter works only after these tokens; such adapters cannot be used here."
        )
    begun = config.get("init_lora_weights")
    if isinstance(begun, str) and begun.lower().startswith(_CHANGE_BASE):
        raise UserError(
            f"{where}: init_lora_weights is {brief(begun)}, which changed the weights of the base, so the adapter does not "
            "fit the plain base. Save it again with path_initial_model_for_weight_conversion, as PEFT's documentation says."
        )


def _fits(name: str, value: float) -> bool:
    if name == "r":
        return isinstance(value, int) and 1 <= value <= 4096
    return 0 < value <= 65536 if name == "lora_alpha" else 0 <= value < 1


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    path = folder / WEIGHTS
    if not path.exists():
        if (folder / PICKLED).exists():
            raise UserError(
                f"{shown(folder / PICKLED)}: pickled weights, which can run any code, are not loaded; wanted {WEIGHTS}. Save "
                "the adapter again with safe_serialization=True."
            )
        raise UserError(
            f"from={shown(folder)}: no {WEIGHTS}; copy the whole folder that PEFT's save_pretrained wrote."
        )
    try:
        with open_regular(path) as file:
            header, begin = header_of(file, path.name)
            shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
            types = {str(entry["dtype"]): name for name, entry in header.items()}
            end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
            size = path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{shown(path)}: not a safetensors file ({type(error).__name__}); copy it again."
        ) from error
    if size != begin + end:
        raise UserError(f"{shown(path)}: has {size:,} bytes, wanted {begin + end:,}; copy it again.")
    if other := sorted(set(types) - set(_TYPES)):
        raise UserError(
            f"{shown(path)}: {brief(types[other[0]], 100)} has the type {brief(other[0], 20)}, wanted {', '.join(_TYPES)}; save the "
            "adapter again without quantization."
        )
    if not any(".lora_" in name for name in shapes):
        raise UserError(
            f"{shown(path)}: has no LoRA weights among its {len(shapes)} tensors; wanted names with .lora_A."
        )
    return shapes


def require_named_base(adapter: ForeignAdapter, base: str) -> None:
    """Raise UserError when the adapter's config names another model of the hub than `base`.

    Quantized copies, such as those of Unsloth, count as the same model. A path of another machine and a local `base` have
    no comparable name; their shapes are compared later.
    """
    trained = adapter.base
    both = all(_HUB_ID.fullmatch(name) and not is_local(name) for name in (trained, base))
    if both and _plain(trained) != _plain(base):
        raise UserError(
            f"{shown(adapter.folder / CONFIG)}: the adapter was trained on {brief(trained)}, but base={brief(base)}; wanted "
            "the same model, without quantization. If both have the same weights, give base= a folder with them."
        )


def _plain(name: str) -> str:
    last = name.rpartition("/")[2].lower()
    shorter = _RENAMED.sub("", last)
    return shorter if shorter == last else _plain(shorter)


def require_plain_base(folder: Path, base: str) -> None:
    """Raise UserError when the weights in a folder are quantized; adapters are loaded on 16-bit weights and quantized here."""
    if read_json(folder / "config.json").get("quantization_config"):
        raise UserError(
            f"base={brief(base)}: its weights are quantized; wanted the model in 16 bits, which is quantized when it is "
            'loaded (args="--quantization nf4").'
        )


def require_fitting(adapter: ForeignAdapter, wanted: dict[str, tuple[int, ...]], base: str) -> None:
    """Raise UserError unless the adapter has exactly the tensors, with these shapes, that its config gives on the base."""
    path = shown(adapter.folder / WEIGHTS)
    other = f"base={brief(base)} is not the model that it was trained on"
    for name, shape in adapter.shapes.items():
        if ".lora_" not in name and name not in wanted and _EMBEDDINGS.search(name):
            raise UserError(
                f"{path}: holds the whole embeddings ({brief(name, 100)}), which are no part of an adapter. Save it again with "
                "save_embedding_layers=False if no token was added; otherwise merge it where it was trained."
            )
        if name not in wanted:
            raise UserError(f"{path}: adapts {brief(name, 100)}, which this base does not have; {other}.")
        if shape != wanted[name]:
            raise UserError(
                f"{path}: {brief(name, 100)} has the shape {json.dumps(shape)}, wanted {json.dumps(wanted[name])}; {other}, or "
                f"{CONFIG} belongs to another adapter."
            )
    if missing := sorted(set(wanted) - set(adapter.shapes)):
        raise UserError(
            f"{path}: lacks {len(missing)} tensors, such as {brief(missing[0], 100)}; {other}, or {CONFIG} belongs to another "
            "adapter."
        )
