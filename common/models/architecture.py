"""Read a model's architecture from its config.json, before any weights are loaded."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from common.core.errors import UserError, first_line
from common.core.files import read_json, shown
from common.core.messages import brief
from common.core.provenance import installed_version

Architecture = Literal["seq2seq", "causal"]
DESCRIPTIONS = {"seq2seq": "an encoder-decoder", "causal": "a decoder-only language model"}
# Ends of the names of model classes that cannot generate text.
HEADLESS = ("ForMaskedLM", "ForPreTraining", "Classification", "ForQuestionAnswering")


def architecture(folder: Path) -> Architecture:
    """Return the architecture by config.json: "seq2seq" for an encoder-decoder, "causal" for a decoder-only model.

    Raises UserError when transformers does not know the model type (custom code of a model is never run) or the model
    cannot generate text.
    """
    from transformers import AutoConfig, __version__
    from transformers.models.auto import configuration_auto, modeling_auto

    path = folder / "config.json"
    found = read_json(path)
    kind = found.get("model_type")
    if kind not in configuration_auto.CONFIG_MAPPING_NAMES:
        raise _unknown_type(path, found, __version__)
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # config classes that check their values raise many types
        raise UserError(
            f"{shown(path)}: transformers {__version__} cannot read it ({first_line(error)}). Fix it, or choose "
            "another --model."
        ) from error
    result: Architecture = "seq2seq" if config.is_encoder_decoder else "causal"
    heads = found.get("architectures") or []
    writers = (
        modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
        if result == "seq2seq"
        else modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    )
    if kind not in writers and kind in modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise UserError(
            f"{shown(path)}: {kind} is a model of images and text, and transformers {__version__} cannot load its language "
            "model alone. Choose another --model, such as a text model of the same family."
        )
    if kind not in writers or (heads and all(head.endswith(HEADLESS) for head in heads)):
        raise UserError(
            f"{shown(path)}: {', '.join(heads) or kind} cannot generate text; wanted {DESCRIPTIONS['seq2seq']} "
            f"or {DESCRIPTIONS['causal']}. Choose another --model."
        )
    return result


def require_architecture(folder: Path, wanted: Architecture) -> None:
    """Raise UserError unless the folder holds a model of the `wanted` architecture."""
    found = architecture(folder)
    if found != wanted:
        kind = read_json(folder / "config.json")["model_type"]
        raise UserError(
            f"{shown(folder)}: {kind} is {DESCRIPTIONS[found]} and cannot be used here; wanted {DESCRIPTIONS[wanted]}. "
            "Choose another --model, or an experiment for this kind of model (`make list`)."
        )


def require_known_type(folder: Path) -> None:
    """Raise UserError when config.json is no JSON object, or when transformers certainly does not know its model type.

    It reads text only; `architecture` asks transformers.
    """
    path = folder / "config.json"
    found = read_json(path)
    if not isinstance(found, dict):
        raise UserError(
            f"{shown(path)}: holds a {type(found).__name__}, wanted a table with model_type, as save_pretrained writes it. "
            "Copy the file again, or choose another --model."
        )
    kind = found.get("model_type")
    if isinstance(kind, str) and (not (types := _types()) or f'"{kind}"' in types):
        return
    raise _unknown_type(path, found, installed_version("transformers") or "")


def _unknown_type(path: Path, found: dict[str, object], release: str) -> UserError:
    """Return the error for a config.json whose model type is not known to this release of transformers."""
    custom = "; it has custom code (auto_map), which is never run" if "auto_map" in found else ""
    return UserError(
        f"{shown(path)}: model_type {brief(found.get('model_type'))} is not known to transformers {release}{custom}. "
        "Choose a model of a known architecture (BART, T5, mBART, Qwen2, Llama, Gemma3 …)."
    )


def _types() -> str:
    """Return the source text in which transformers lists its model types; "" when it cannot be read."""
    spec = find_spec("transformers")
    if spec is None or spec.origin is None:
        return ""
    try:
        files = sorted((Path(spec.origin).parent / "models" / "auto").glob("*.py"))
        return "".join(path.read_text(encoding="utf-8") for path in files)
    except (OSError, UnicodeDecodeError):
        return ""
