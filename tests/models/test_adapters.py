"""LoRA adapters on tiny models of every architecture that experiments use."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import Qwen2Config, Qwen2ForCausalLM

from common.core.errors import UserError
from common.generation.hf import decode
from common.models.adapters import add_lora
from common.models.config import LoRAConfig, PretrainedConfig
from common.models.pretrained import load_pretrained
from common.models.storage import load_model, merge_adapters, save_model
from tests.support.adapted import GREEDY, KINDS, adapted, base_of, logits_of, louder, teach, written

pytestmark = pytest.mark.usefixtures("model_cache", "fresh_precision")

TAGS = ("#Person1#", "#Person2#", "#PhoneNumber#")


@pytest.mark.parametrize("targets", ["attention", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_adapters_learn_alone_and_come_back_from_disk(tmp_path: Path, kind: str, targets: str) -> None:
    base = base_of(kind)
    model, tokenizer = adapted(base, LoRAConfig(rank=8, alpha=16, dropout=0.0, targets=(targets,)))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
    layers = {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in trained}
    causal = kind in ("qwen2", "gemma3")
    attention = {"q_proj", "k_proj", "v_proj", "o_proj" if causal else "out_proj"}
    forward = {"gate_proj", "up_proj", "down_proj"} if causal else {"fc1", "fc2"}
    assert layers == (attention if targets == "attention" else attention | forward)
    losses = teach(model, 60)
    assert min(losses) < 0.75 * losses[0]  # at this rate a step may jump, on some processors the last one
    for name, parameter in model.named_parameters():
        assert (name in trained) != torch.equal(parameter, before[name]), name

    folder = tmp_path / "best"
    folder.mkdir()
    save_model(model, tokenizer, folder, base)
    assert not (folder / "model.safetensors").exists()
    adapter, whole = (f.stat().st_size for f in (folder / "adapter_model.safetensors", weights_of(kind)))
    assert adapter < whole
    loaded, words = load_model(folder)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    torch.testing.assert_close(logits_of(loaded), logits_of(model), rtol=0, atol=0)
    assert written(loaded, words) == written(model, tokenizer)
    plain, _ = load_pretrained(base, frozen=True)
    assert not torch.allclose(logits_of(plain), logits_of(model), atol=0.1)

    whole_model = merge_adapters(loaded)
    assert not isinstance(whole_model, PeftModel)
    torch.testing.assert_close(logits_of(whole_model), logits_of(model), rtol=1e-3, atol=1e-4)


def weights_of(kind: str) -> Path:
    return louder(kind) / "model.safetensors"


def test_targets_that_match_nothing_list_what_there_is() -> None:
    model, tokenizer = load_pretrained(base_of("bart"), frozen=True)
    with pytest.raises(
        UserError, match=r"--targets query: no layer of Bart.*fc1, fc2, k_proj, out_proj, q_proj, v_proj"
    ):
        add_lora(model, tokenizer, LoRAConfig(targets=("q_proj", "query")))
    named = add_lora(model, tokenizer, LoRAConfig(targets=("fc1", "q_proj")))
    layers = {
        name.split(".lora_")[0].rsplit(".", 1)[-1] for name, p in named.named_parameters() if p.requires_grad
    }
    assert layers == {"fc1", "q_proj"}


def test_added_tags_without_tags_are_refused() -> None:
    model, tokenizer = load_pretrained(base_of("qwen2"), frozen=True)
    with pytest.raises(UserError, match=r"^--added-tags true: there are no tags to add"):
        add_lora(model, tokenizer, LoRAConfig(added_tags=True))


@pytest.mark.parametrize("kind", KINDS)
def test_added_tags_are_learnt_saved_and_survive_decoding(tmp_path: Path, kind: str) -> None:
    base = base_of(kind)
    lora = LoRAConfig(rank=8, alpha=16, dropout=0.0, added_tags=True)
    plain_words = load_pretrained(base, frozen=True)[1]
    model, tokenizer = adapted(base, lora, TAGS)
    new = [tokenizer.convert_tokens_to_ids(tag) for tag in TAGS]
    assert all(len(plain_words.encode(tag, add_special_tokens=False)) > 1 for tag in TAGS)
    assert [tokenizer.encode(tag, add_special_tokens=False) for tag in TAGS] == [[token] for token in new]
    said = "#Person1#은 #PhoneNumber#로 전화한다."
    ids = tokenizer.encode(said, add_special_tokens=False)
    assert tokenizer.decode(ids, skip_special_tokens=True) == said
    assert set(new[::2]) <= set(ids)

    rows = model.get_input_embeddings()(torch.tensor([*new, 50])).detach().clone()
    lesson = ([new[1], 31], [new[0], 41, new[2], 42, tokenizer.eos_token_id])
    losses = teach(model, 60, lesson=lesson)
    assert losses[-1] < 0.5 * losses[0]
    after = model.get_input_embeddings()(torch.tensor([*new, 50])).detach()
    assert [bool((a != b).any()) for a, b in zip(after, rows, strict=True)] == [True, True, True, False]
    save_model(model, tokenizer, tmp_path, base)
    loaded, words = load_model(tmp_path)
    assert [words.convert_tokens_to_ids(tag) for tag in TAGS] == new
    torch.testing.assert_close(loaded.get_input_embeddings()(torch.tensor(new)), after[:3])
    torch.testing.assert_close(logits_of(loaded, lesson), logits_of(model, lesson))
    (found,) = decode(loaded, words, [lesson[0]], GREEDY)[0]
    if losses[-1] < 0.05:
        assert "#Person1#" in found.text
        assert "#PhoneNumber#" in found.text
    assert written(loaded, words, lesson) == written(model, tokenizer, lesson)
    torch.testing.assert_close(
        logits_of(merge_adapters(loaded), lesson), logits_of(model, lesson), rtol=1e-3, atol=1e-4
    )


def test_tags_are_trained_in_an_output_layer_of_its_own_too(tmp_path: Path) -> None:
    """Qwen2.5 from 7B on has one, with spare rows that all look alike."""
    model, tokenizer = load_pretrained(base_of("qwen2"), frozen=False)
    config = Qwen2Config(**{**model.config.to_dict(), "tie_word_embeddings": False, "vocab_size": 460})
    torch.manual_seed(3)
    Qwen2ForCausalLM(config).save_pretrained(tmp_path / "untied")
    tokenizer.save_pretrained(tmp_path / "untied")
    base = PretrainedConfig(model=str(tmp_path / "untied"), dtype="float32")
    model, tokenizer = adapted(base, LoRAConfig(rank=8, alpha=16, dropout=0.0, added_tags=True), TAGS)
    new = [tokenizer.convert_tokens_to_ids(tag) for tag in TAGS]
    output = model.get_output_embeddings()
    before = output(torch.eye(64)).detach()[:, [*new, 50]].T.clone()
    assert not torch.equal(before[0], before[1])
    teach(model, 5)
    after = output(torch.eye(64)).detach()[:, [*new, 50]].T
    assert [bool((a != b).any()) for a, b in zip(after, before, strict=True)] == [True, True, True, False]
    save_model(model, tokenizer, tmp_path, base)
    loaded, _ = load_model(tmp_path)
    torch.testing.assert_close(logits_of(loaded), logits_of(model))
