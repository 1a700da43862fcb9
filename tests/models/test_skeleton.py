"""What makes a model's folder unusable is said in one line: ids without embeddings, missing weights, other shapes."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from common.core.errors import UserError
from common.models.config import PretrainedConfig
from common.models.pretrained import load_pretrained
from common.models.storage import decoding_dtype, save_base
from tests.support import tiny
from tests.support.architectures import written


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return written("llama", tmp_path / "llama")


def refusal(folder: Path) -> str:
    """The line with which the folder is refused."""
    with pytest.raises(UserError) as refused:
        load_pretrained(PretrainedConfig(model=str(folder), dtype="float32"), frozen=True)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def more(*special: str, pad: str | None = None, template: str | None = None) -> PreTrainedTokenizerFast:
    """The models' tokenizer with more special tokens."""
    tokenizer = tiny.tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    if pad:
        tokenizer.add_special_tokens({"pad_token": pad})
    tokenizer.chat_template = template
    return tokenizer


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused_before_the_weights_are_read(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.tokenizer(500).save_pretrained(llama)
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", None)
    found = refusal(llama)
    assert "llama: the tokenizer has 4" in found
    assert "tokens, but the model has embeddings for 400 (token " in found
    with pytest.raises(UserError, match="embeddings for 400"):  # an experiment that does not train
        save_base(PretrainedConfig(model=str(llama)), "causal", llama.parent)


@pytest.mark.parametrize(
    ("tokenizer", "token"),
    [
        (more(pad="[PAD]"), "'[PAD]' has id 400"),
        (more("<image>", template="<image>{{ messages[0]['content'] }}"), "'<image>' has id 400"),
    ],
)
def test_special_tokens_that_are_written_need_embeddings(
    llama: Path, tokenizer: PreTrainedTokenizerFast, token: str
) -> None:
    tokenizer.save_pretrained(llama)
    assert token in refusal(llama)


def test_a_special_token_that_nothing_writes_needs_no_embedding(llama: Path) -> None:
    """Gemma 3's tokenizer has one for images, which its text models lack."""
    more("<image>").save_pretrained(llama)
    model, tokenizer = load_pretrained(PretrainedConfig(model=str(llama)), frozen=True)
    assert len(tokenizer) == 401
    assert model.get_input_embeddings().weight.shape[0] == 400


def test_missing_weights_are_not_made_up(llama: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = llama / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    assert (
        "LlamaForCausalLM has weights that are missing here, such as model.layers.1.mlp.up_proj.weight."
        in refusal(llama)
    )
    assert "LOAD REPORT" not in "".join(capfd.readouterr())


def test_a_vision_tower_may_be_missing(tmp_path: Path) -> None:
    folder = written("gemma3_vision", tmp_path / "gemma")
    path = folder / "model.safetensors"
    save_file(
        {k: v for k, v in load_file(path).items() if "vision" not in k}, path, metadata={"format": "pt"}
    )
    load_pretrained(PretrainedConfig(model=str(folder)), frozen=True)


def test_weights_of_another_shape_are_refused(llama: Path) -> None:
    path = llama / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"intermediate_size": 96}), encoding="utf-8")
    assert "llama: the weights have other shapes than config.json says. Copy both" in refusal(llama)


@pytest.mark.parametrize(
    ("device", "causal", "computes", "expected"),
    [
        ("cuda", True, True, torch.bfloat16),
        ("cuda", True, False, torch.float32),
        ("cuda", False, True, torch.float32),
        ("cpu", True, True, torch.float32),  # converted after merging
    ],
)
def test_fully_trained_causal_models_decode_in_bf16_on_gpus(
    monkeypatch: pytest.MonkeyPatch, device: str, causal: bool, computes: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr("common.models.storage.computes_in_bf16", lambda: computes)
    assert decoding_dtype(torch.device(device), causal=causal) == expected


def edited(path: Path, **values: object) -> None:
    """Change values of a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(content | values), encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"pad_token_id": 32000}, "transformers cannot build the model (Padding_idx must be within"),
        ({"hidden_act": "swishh"}, "transformers cannot build the model ('swishh')"),
        ({"hidden_size": -64}, "transformers cannot build the model (Trying to create tensor with negative"),
        ({"num_attention_heads": 3, "head_dim": None}, "The hidden size (64) is not a multiple of the number of"),
        ({"hidden_size": "64"}, "Field 'hidden_size' expected int, got str"),
    ],
)  # fmt: skip
def test_a_config_that_makes_no_model_is_one_line_with_the_cause(
    llama: Path, values: dict[str, object], part: str
) -> None:
    edited(llama / "config.json", **values)
    found = refusal(llama)
    assert "llama/config.json: " in found and part in found


@pytest.mark.parametrize("content", ["", '{"eos', "[1]"])
def test_a_generation_config_that_cannot_be_read_is_one_line(llama: Path, content: str) -> None:
    (llama / "generation_config.json").write_text(content, encoding="utf-8")
    assert "llama/generation_config.json: transformers cannot read it (" in refusal(llama)


@pytest.mark.parametrize(
    ("kind", "file", "name", "value"),
    [
        ("llama", "generation_config.json", "eos_token_id", 99999),
        ("llama", "generation_config.json", "eos_token_id", [2, 400]),
        ("llama", "generation_config.json", "eos_token_id", "</s>"),
        ("bart", "generation_config.json", "forced_bos_token_id", -1),
        ("bart", "config.json", "decoder_start_token_id", 4000),
    ],
)
def test_start_and_end_tokens_that_the_model_lacks_are_refused(
    tmp_path: Path, kind: str, file: str, name: str, value: object
) -> None:
    folder = written(kind, tmp_path / kind)
    edited(folder / file, **{name: value})
    wrong = value[-1] if isinstance(value, list) else value
    assert f"{kind}/{file}: {name} is {wrong!r}; wanted the id of a token, from 0 to 399." in refusal(folder)


@pytest.mark.parametrize(
    ("file", "content"),
    [("tokenizer.json", '{"version": "1.0"}'), ("tokenizer.json", "{"), ("tokenizer_config.json", "[]")],
)
def test_a_tokenizer_that_cannot_be_read_is_one_line(llama: Path, file: str, content: str) -> None:
    (llama / file).write_text(content, encoding="utf-8")
    assert "llama: transformers cannot read the tokenizer (" in refusal(llama)
