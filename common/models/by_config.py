"""Refuse settings that an architecture does not allow, by config.json and the libraries' source text: nothing is imported."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from common.core.errors import UserError
from common.core.files import read_json, shown
from common.models.config import LoRAConfig

_COUNTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
"""Names that architectures give the number of their experts."""
_CLASS = re.compile(r"(?m)^class (\w+)")
_WEIGHT = re.compile(
    r"self\.(\w+) = nn\.Parameter\(\s*torch\.\w+\(\(?(?:self|config)\.\w*experts, [^,()]+, [^,()]+\)"
)
"""A weight that holds all experts of a layer."""
_LIGER = re.compile(r"MODEL_TYPE_TO_APPLY_LIGER_FN\s*=\s*(\{.*?\n\})", re.DOTALL)


def require_dropout(folder: Path, config: LoRAConfig) -> None:
    """Raise UserError when adapters with dropout are wanted on the experts of the model whose config.json is in a folder.

    What this cannot tell is refused when the adapters are added (`models.adapters.add_lora`).
    """
    if not config.dropout:
        return
    experts = expert_names(folder)
    wanted = [target for target in config.targets if (target == "all" and experts) or target in experts]
    if wanted:
        kind = read_json(folder / "config.json")["model_type"]
        raise UserError(
            f"--dropout {config.dropout}: adapters of the experts of {kind} (--targets {','.join(wanted)}) cannot use dropout; "
            "use --dropout 0, or leave the experts out with --targets attention."
        )


def expert_names(folder: Path) -> set[str]:
    """Return the last parts of the names of the weights that hold all experts of a layer, such as gate_up_proj.

    `folder`: has config.json. Empty for a model without experts, and where transformers' source does not tell.
    """
    config = read_json(folder / "config.json")
    text = _text(config)
    count = next((text[name] for name in _COUNTS if isinstance(text.get(name), int)), 0)
    dense, layers = text.get("first_k_dense_replace"), text.get("num_hidden_layers")
    if not count or text.get("enable_moe_block") is False:
        return set()
    if isinstance(dense, int) and isinstance(layers, int) and dense >= layers:
        return set()
    source = _modeling_source(str(text.get("model_type") or config.get("model_type")))
    parts = _CLASS.split(source)  # text before the first class, then name and text of each
    return {
        name
        for owner, body in zip(parts[1::2], parts[2::2], strict=True)
        if "expert" in owner.lower()
        for name in _WEIGHT.findall(body)
    }


def require_liger(folder: Path) -> None:
    """Raise UserError when the installed Liger has no kernels for the model whose config.json is in a folder.

    Nothing is raised where Liger's source does not tell.
    """
    config = read_json(folder / "config.json")
    kinds = {str(config.get("model_type")), str(_text(config).get("model_type"))}
    known = _liger_types()
    if known and (config.get("is_encoder_decoder") or not kinds & known):
        raise UserError(
            f"--kernels liger: Liger has no kernels for {config.get('model_type')} ({shown(folder / 'config.json')}); leave "
            "--kernels at torch."
        )


def _text(config: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a config that describes the language model."""
    inner = config.get("text_config")
    return {**config, **inner} if isinstance(inner, dict) else config


def _modeling_source(kind: str) -> str:
    """Return the source of transformers' model of a type; "" when it is not found."""
    models = _package("transformers")
    parts = kind.replace("-", "_").split("_")
    # The types of parts of a model have longer names than its module, such as qwen3_5_moe_text.
    for count in range(len(parts), 0, -1):
        name = "_".join(parts[:count])
        if models and (text := _read(models / "models" / name / f"modeling_{name}.py")):
            return text
    return ""


def _liger_types() -> set[str]:
    """Return the model types that the installed Liger has kernels for; empty when its source does not tell."""
    package = _package("liger_kernel")
    found = _LIGER.search(_read(package / "transformers" / "monkey_patch.py")) if package else None
    if not found:
        return set()
    try:
        table = ast.parse(found[1], mode="eval").body
    except SyntaxError:
        return set()
    keys = table.keys if isinstance(table, ast.Dict) else []
    return {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def _package(name: str) -> Path | None:
    spec = find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
