"""Pretrained models, adapters and their storage, on tiny models of every architecture that experiments use."""

import gc
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import pytest
import tiny
import torch
from accelerate.state import AcceleratorState
from peft import PeftModel
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import (
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from common import competition, generation, models, tokenization
from common.decoding import DecodingConfig
from common.engines.hf import decode
from common.errors import UserError
from common.files import read_lines
from common.models import LoRAConfig, PretrainedConfig
from common.models.pretrained import pretrained_tokenizer
from common.models.storage import merged
from common.models.tiny import tiny as tiny_folder
from common.models.weights import weights_sha256
from common.tokenization import Frame, LengthConfig, seq2seq_frame, text_frame
from common.training import TrainingConfig, cross_entropy, fit

KINDS = ("bart", "mbart", "qwen2", "gemma3")
GREEDY = DecodingConfig(candidates=1, beams=1, max_new_tokens=12)
LORA = LoRAConfig(rank=8, alpha=16, dropout=0.0)
TAGS = ("#Person1#", "#Person2#", "#PhoneNumber#")
SOURCES = [[7, 8, 9, 10, 11], [14], [20, 21, 22]]
LESSON = ([30, 31, 32, 33], [40, 41, 42, 43, 44])  # what adapters learn by heart
HARDWARE = sys.modules["common.models.pretrained"]  # the package has a function of that name
PACKS = torch.cpu._is_avx512_bf16_supported()  # processors on which bitsandbytes packs 4-bit weights


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDS_MODEL_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def precision_is_chosen_anew() -> Iterator[None]:
    """accelerate settles the precision once a process."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def base_of(kind: str, **settings: Any) -> PretrainedConfig:
    return PretrainedConfig(model=str(louder(kind)), dtype=settings.pop("dtype", "float32"), **settings)


def louder(kind: str) -> Path:
    """A tiny model with larger weights: a fresh one's are so small that adapters can hardly say anything."""
    folder = tiny_folder(f"tiny:{kind}")
    loud = folder.with_name(f"loud-{kind}")
    if not loud.exists():
        model, tokenizer = models.pretrained(
            PretrainedConfig(model=f"tiny:{kind}", dtype="float32"), frozen=False
        )
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
        loud.mkdir()
        models.save(model, tokenizer, loud)
    return loud


def adapted(
    config: PretrainedConfig, lora: LoRAConfig = LORA, tags: Sequence[str] = ()
) -> tuple[PeftModel, PreTrainedTokenizerFast]:
    model, tokenizer = models.pretrained(config, frozen=True)
    torch.manual_seed(0)
    return models.add_lora(model, tokenizer, lora, tags), tokenizer


def batch_of(model: PreTrainedModel, pairs: Any) -> dict[str, torch.Tensor]:
    seq2seq = model.config.is_encoder_decoder
    collate = tokenization.collate_seq2seq if seq2seq else tokenization.collate_causal
    return collate([{"source": s, "target": t} for s, t in pairs], 0)


def teach(model: PreTrainedModel, steps: int = 40, rate: float = 3e-2) -> list[float]:
    """Train by heart; the losses a token."""
    batch = batch_of(model, [LESSON])
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.0
    )
    model.train()
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = cross_entropy(model, batch, 0.0) / 5
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    model.eval()
    return losses


@torch.no_grad()
def logits_of(model: PreTrainedModel) -> torch.Tensor:
    batch = batch_of(model, [LESSON, (SOURCES[0], [5, 6])])
    if model.config.is_encoder_decoder:
        batch["decoder_input_ids"] = batch.pop("labels").clamp(min=0)
    else:
        batch.pop("labels")
    return model(**batch).logits


def written(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> list[str]:
    found = decode(model, tokenizer, [LESSON[0], *SOURCES], GREEDY)
    return [group[0].text for group in found]


# ---- LoRA


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
    models.save(model, tokenizer, folder, base)
    assert not (folder / "model.safetensors").exists()
    adapter, whole = (f.stat().st_size for f in (folder / "adapter_model.safetensors", weights_of(kind)))
    assert adapter < whole
    loaded, words = models.load(folder)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    torch.testing.assert_close(logits_of(loaded), logits_of(model), rtol=0, atol=0)
    assert written(loaded, words) == written(model, tokenizer)
    plain, _ = models.pretrained(base, frozen=True)
    assert not torch.allclose(logits_of(plain), logits_of(model), atol=0.1)

    whole_model = merged(loaded)
    assert not isinstance(whole_model, PeftModel)
    torch.testing.assert_close(logits_of(whole_model), logits_of(model), rtol=1e-3, atol=1e-4)


def weights_of(kind: str) -> Path:
    return louder(kind) / "model.safetensors"


def test_targets_that_match_nothing_list_what_there_is() -> None:
    model, tokenizer = models.pretrained(base_of("bart"), frozen=True)
    with pytest.raises(
        UserError, match=r"--targets query: no layer of Bart.*fc1, fc2, k_proj, out_proj, q_proj, v_proj"
    ):
        models.add_lora(model, tokenizer, LoRAConfig(targets=("q_proj", "query")))
    named = models.add_lora(model, tokenizer, LoRAConfig(targets=("fc1", "q_proj")))
    layers = {
        name.split(".lora_")[0].rsplit(".", 1)[-1] for name, p in named.named_parameters() if p.requires_grad
    }
    assert layers == {"fc1", "q_proj"}


def test_added_tags_without_tags_are_refused() -> None:
    model, tokenizer = models.pretrained(base_of("qwen2"), frozen=True)
    with pytest.raises(UserError, match=r"^--added-tags true: there are no tags to add"):
        models.add_lora(model, tokenizer, LoRAConfig(added_tags=True))


def test_a_tiny_model_that_does_not_exist_is_answered_with_those_that_do() -> None:
    expected = r"model 'tiny:bert': there is no tiny .* wanted one of tiny:bart, tiny:mbart, .*tiny:qwen2, tiny:gemma3\."
    with pytest.raises(UserError, match=expected):
        models.pretrained(PretrainedConfig(model="tiny:bert"), frozen=True)


def test_a_revision_of_what_is_not_the_hubs_is_refused(tmp_path: Path) -> None:
    for name in ("tiny:qwen2", str(tiny_folder("tiny:qwen2")), "offline:gemma-3-270m"):
        with pytest.raises(
            UserError, match=f"^--revision v2: {name} is on this machine and has no revisions"
        ):
            models.pretrained(PretrainedConfig(model=name, revision="v2"), frozen=True)
    # An adapter's recorded commit is no revision that anybody asked for.
    base = base_of("qwen2")
    model, tokenizer = adapted(base)
    model.get_base_model().base_source["commit"] = "c" * 40
    models.save(model, tokenizer, tmp_path, base)
    for changes in ({}, {"model": str(louder("qwen2"))}):
        torch.testing.assert_close(logits_of(models.load(tmp_path, **changes)[0]), logits_of(model.eval()))


def test_an_adapter_without_its_base_is_refused(tmp_path: Path) -> None:
    base = PretrainedConfig(model="tiny:qwen2", dtype="float32")
    model, tokenizer = adapted(base)
    models.save(model, tokenizer, tmp_path, base)
    with pytest.raises(UserError, match=r"is an adapter for tiny:qwen2.*but tiny:gemma3 is another model"):
        models.load(tmp_path, model="tiny:gemma3")
    loaded, _ = models.load(tmp_path, model=str(tiny_folder("tiny:qwen2")))  # another place, the same model
    torch.testing.assert_close(logits_of(loaded), logits_of(model.eval()))
    with pytest.raises(ValueError, match="needs `base`"):
        models.save(model, tokenizer, tmp_path)


def test_an_adapter_is_refused_by_a_sibling_of_its_base(tmp_path: Path) -> None:
    """Another fine-tuning of the same model has the same config.json; here one matrix differs, in its last number."""
    base = base_of("qwen2")
    model, tokenizer = adapted(base)
    best, sibling = tmp_path / "best", tmp_path / "sibling"
    best.mkdir()
    models.save(model, tokenizer, best, base)
    shutil.copytree(louder("qwen2"), sibling)
    tensors = load_file(sibling / "model.safetensors")
    tensors["model.layers.1.self_attn.q_proj.weight"][-1, -1] += 1
    save_file(tensors, sibling / "model.safetensors", metadata={"format": "pt", "other": "metadata"})
    with pytest.raises(UserError, match=r"is an adapter for .*\(weights .* is another model"):
        models.load(best, model=str(sibling))
    # The same numbers in a file whose metadata differ are the same model.
    tensors = load_file(louder("qwen2") / "model.safetensors")
    save_file(tensors, sibling / "model.safetensors", metadata={"format": "pt", "other": "metadata"})
    expected = logits_of(model.eval())
    torch.testing.assert_close(logits_of(models.load(best, model=str(sibling))[0]), expected)
    old = json.loads((best / "base.json").read_text(encoding="utf-8"))
    del old["source"]["weights_sha256"]
    (best / "base.json").write_text(json.dumps(old), encoding="utf-8")
    torch.testing.assert_close(logits_of(models.load(best)[0]), expected)


def test_shards_are_weights_like_one_file(tmp_path: Path) -> None:
    model, tokenizer = models.pretrained(base_of("qwen2"), frozen=False)
    tokenizer.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path, max_shard_size="100KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    before = weights_sha256(tmp_path)
    assert before == weights_sha256(tmp_path) != weights_sha256(louder("qwen2"))
    shard = sorted(tmp_path.glob("*.safetensors"))[-1]
    tensors = load_file(shard)
    next(iter(tensors.values())).view(-1)[0] += 1
    save_file(tensors, shard, metadata={"format": "pt"})
    assert weights_sha256(tmp_path) != before


@pytest.mark.parametrize("kind", KINDS)
def test_added_tags_are_learnt_saved_and_survive_decoding(tmp_path: Path, kind: str) -> None:
    base = base_of(kind)
    lora = LoRAConfig(rank=8, alpha=16, dropout=0.0, added_tags=True)
    plain_words = models.pretrained(base, frozen=True)[1]
    model, tokenizer = adapted(base, lora, TAGS)
    new = [tokenizer.convert_tokens_to_ids(tag) for tag in TAGS]
    assert all(len(plain_words.encode(tag, add_special_tokens=False)) > 1 for tag in TAGS)
    assert [tokenizer.encode(tag, add_special_tokens=False) for tag in TAGS] == [[token] for token in new]
    said = "#Person1#은 #PhoneNumber#로 전화한다."
    ids = tokenizer.encode(said, add_special_tokens=False)
    assert tokenizer.decode(ids, skip_special_tokens=True) == said
    assert set(new[::2]) <= set(ids)

    rows = model.get_input_embeddings()(torch.tensor([*new, 50])).detach().clone()
    global LESSON
    kept, LESSON = LESSON, ([new[1], 31], [new[0], 41, new[2], 42, tokenizer.eos_token_id])
    try:
        losses = teach(model, 60)
        assert losses[-1] < 0.5 * losses[0]
        after = model.get_input_embeddings()(torch.tensor([*new, 50])).detach()
        assert [bool((a != b).any()) for a, b in zip(after, rows, strict=True)] == [True, True, True, False]
        models.save(model, tokenizer, tmp_path, base)
        loaded, words = models.load(tmp_path)
        assert [words.convert_tokens_to_ids(tag) for tag in TAGS] == new
        torch.testing.assert_close(loaded.get_input_embeddings()(torch.tensor(new)), after[:3])
        torch.testing.assert_close(logits_of(loaded), logits_of(model))
        (found,) = decode(loaded, words, [LESSON[0]], GREEDY)[0]
        if losses[-1] < 0.05:
            assert "#Person1#" in found.text
            assert "#PhoneNumber#" in found.text
        assert written(loaded, words) == written(model, tokenizer)
        torch.testing.assert_close(logits_of(merged(loaded)), logits_of(model), rtol=1e-3, atol=1e-4)
    finally:
        LESSON = kept


def test_tags_are_trained_in_an_output_layer_of_its_own_too(tmp_path: Path) -> None:
    """Qwen2.5 from 7B on has one, with spare rows that all look alike."""
    model, tokenizer = models.pretrained(base_of("qwen2"), frozen=False)
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
    models.save(model, tokenizer, tmp_path, base)
    loaded, _ = models.load(tmp_path)
    torch.testing.assert_close(logits_of(loaded), logits_of(model))


# ---- fit() with adapters


class CrashError(Exception):
    """Stands for whatever ends a process."""


def fitted(
    folder: Path, base: PretrainedConfig, steps: int = 16, dropout: float = 0.0, crash_at: int = 99
) -> tuple[PeftModel, PreTrainedTokenizerFast, list[float]]:
    """Adapters trained by the real loop, evaluated by generation after every second step."""
    folder.mkdir(exist_ok=True)
    model, tokenizer = adapted(base, LoRAConfig(rank=8, alpha=16, dropout=dropout, targets=("all",)))
    calls = [0]
    rows = datasets.Dataset.from_list([tiny.example(*LESSON)] * 4)
    collate = tokenization.collate_seq2seq if model.config.is_encoder_decoder else tokenization.collate_causal

    def evaluate(now: PreTrainedModel) -> dict[str, float]:
        decode(now, tokenizer, SOURCES, GREEDY)
        calls[0] += 1
        if calls[0] == crash_at:
            raise CrashError
        return {"score": float(len(list(read_lines(folder / "metrics.jsonl"))))}

    fit(
        model,
        rows,
        partial(collate, pad=tokenizer.pad_token_id),
        evaluate,
        TrainingConfig(epochs=steps, tokens_per_batch=4096, learning_rate=1e-2, warmup=0.0, label_smoothing=0.0,
                       evaluate_every=2.0),
        folder,
        seed=1,
        fingerprint="f",
        save_best=lambda best, into, weights: models.save(best, tokenizer, into, base, weights),
    )  # fmt: skip
    losses = [line["train_loss"] for line in read_lines(folder / "metrics.jsonl") if "train_loss" in line]
    return model, tokenizer, losses


@pytest.mark.parametrize("kind", ["bart", "gemma3"])
def test_checkpoints_hold_adapters_alone(tmp_path: Path, kind: str) -> None:
    base = base_of(kind)
    model, _, losses = fitted(tmp_path / "run", base)
    assert losses[-1] < losses[0]
    (newest, *_) = sorted((tmp_path / "run" / "checkpoints").glob("step-*"), reverse=True)
    held = load_file(newest / "trained.safetensors")
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert held.keys() == trained.keys()
    assert all(torch.equal(held[name], p) for name, p in trained.items())
    elsewhere = [
        p for p in newest.iterdir() if p.suffix in (".safetensors", ".bin") and "optimizer" not in p.name
    ]
    assert [p.name for p in elsewhere] == ["trained.safetensors"]
    assert not (tmp_path / "run" / "best" / "model.safetensors").exists()
    loaded, _ = models.load(tmp_path / "run" / "best")
    torch.testing.assert_close(logits_of(loaded), logits_of(model.eval()))


@pytest.mark.parametrize(("kind", "quantization"), [("mbart", "none"), ("gemma3", "nf4")])
def test_adapters_resume_to_the_same_bits(tmp_path: Path, kind: str, quantization: str) -> None:
    base = base_of(kind, quantization=quantization, dtype="auto")
    fitted(tmp_path / "calm", base, 8, dropout=0.2)
    with pytest.raises(CrashError):
        fitted(tmp_path / "run", base, 8, dropout=0.2, crash_at=3)
    assert [p.name for p in sorted((tmp_path / "run" / "checkpoints").glob("step-*"))][-1] == "step-00000004"
    torch.manual_seed(99)
    fitted(tmp_path / "run", base, 8, dropout=0.2)
    files = [Path("best/adapter_model.safetensors"), Path("checkpoints/step-00000008/trained.safetensors")]
    for file in (*files, Path("checkpoints/step-00000008/optimizer.bin"), Path("metrics.jsonl")):
        assert (tmp_path / "run" / file).read_bytes() == (tmp_path / "calm" / file).read_bytes(), file


# ---- QLoRA


@pytest.mark.parametrize(
    ("kind", "quantization", "checkpointing"),
    [("qwen2", "nf4", False), ("qwen2", "nf4", True), ("gemma3", "nf4", True), ("gemma3", "int8", False)],
)
def test_a_quantized_model_learns_through_evaluations_and_comes_back(
    tmp_path: Path, kind: str, quantization: str, checkpointing: bool
) -> None:
    base = base_of(kind, quantization=quantization, gradient_checkpointing=checkpointing, dtype="auto")
    model, tokenizer, losses = fitted(tmp_path / "run", base)
    layer = {"nf4": "Linear4bit", "int8": "Linear8bitLt"}[quantization]
    quantized = [m for m in model.modules() if type(m).__name__ == layer]
    assert len(quantized) >= 14
    assert losses[-1] < 0.7 * losses[0]
    assert losses[-1] < losses[len(losses) // 2] < losses[1] < losses[0]  # also after the first evaluation
    loaded, words = models.load(tmp_path / "run" / "best")
    assert any(type(m).__name__ == layer for m in loaded.modules())
    torch.testing.assert_close(logits_of(loaded), logits_of(model.eval()), rtol=0, atol=0)
    assert written(loaded, words) == written(model, tokenizer)
    with pytest.raises(UserError, match=r"16-bit or 32-bit weights.*--quantization none"):
        merged(loaded)
    in_16_bit, _ = models.load(tmp_path / "run" / "best", quantization="none")
    assert merged(in_16_bit) is not None


def gradients(model: PeftModel) -> float:
    model.train()
    model.zero_grad()
    loss = cross_entropy(model, batch_of(model, [LESSON]), 0.0)
    if not loss.requires_grad:
        return 0.0
    loss.backward()
    return sum(
        float(p.grad.abs().sum())
        for name, p in model.named_parameters()
        if "lora_B" in name and p.grad is not None
    )


def test_bitsandbytes_loses_gradients_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bug that `keep_gradients_on_cpu` avoids; when this fails, bitsandbytes has mended it."""
    if not PACKS:
        pytest.skip("this processor has no AVX512-BF16, so bitsandbytes packs nothing")
    base = base_of("gemma3", quantization="nf4", dtype="auto")
    found = {}
    for told in (True, False):
        if not told:
            monkeypatch.setattr(
                sys.modules["common.models.pretrained"], "keep_gradients_on_cpu", lambda model: None
            )
        model, tokenizer = adapted(base, LoRAConfig(rank=8, alpha=16, dropout=0.0, targets=("all",)))
        before = gradients(model)
        decode(model.eval(), tokenizer, SOURCES, GREEDY)
        found[told] = (before, gradients(model))
        del model
        gc.collect()
    assert found[True][0] > 0
    assert found[True][1] == pytest.approx(found[True][0], rel=0.05)
    assert found[False][1] < 0.7 * found[False][0]


def test_weights_that_are_trained_are_not_quantized() -> None:
    with pytest.raises(UserError, match="--quantization nf4 gives weights that cannot be trained; add LoRA"):
        models.pretrained(base_of("qwen2", quantization="nf4"), frozen=False)


def test_a_gpu_that_is_not_here_is_said_before_any_work() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match=r"needs a GPU with 24 GB and this machine has no GPU.*exp010"):
        models.pretrained(PretrainedConfig(model="no/such-model", gpu_memory=24), frozen=True)


@pytest.mark.parametrize(
    ("frozen", "advice"),
    [(True, "load .* --quantization nf4, or choose a smaller"), (False, "choose a smaller")],
)
def test_weights_that_the_memory_does_not_hold_are_said_in_one_line(
    frozen: bool, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "transformers.AutoModelForCausalLM.from_pretrained", lambda *_, **__: torch.empty(2**58)
    )
    with pytest.raises(UserError, match=f"^out of memory; {advice} --model"):
        models.pretrained(PretrainedConfig(model="tiny:qwen2"), frozen=frozen)


# ---- what the hardware decides


def hardware(
    patch: pytest.MonkeyPatch, *, gpu: bool, ampere: bool = False, flash: bool = False, cpu_bf16: bool = False
) -> None:
    """A machine with or without a GPU; those before Ampere emulate bfloat16, slowly."""
    patch.setattr(torch.cuda, "is_available", lambda: gpu)
    patch.setattr(torch.cuda, "device_count", lambda: int(gpu))
    patch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: ampere or including_emulation
    )
    patch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0) if ampere else (7, 5))
    patch.setattr(HARDWARE, "is_flash_attn_2_available", lambda: flash)
    patch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: cpu_bf16)
    patch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)


@pytest.mark.parametrize(
    ("gpu", "ampere", "cpu_bf16", "expected"),
    [
        (True, True, False, True),
        (True, False, False, False),
        (True, False, True, False),  # the processor beside an old GPU does not count
        (False, False, True, True),
        (False, False, False, False),
        (False, True, False, False),
    ],
)
def test_bf16_is_computed_where_the_device_has_it(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, ampere: bool, cpu_bf16: bool, expected: bool
) -> None:
    hardware(monkeypatch, gpu=gpu, ampere=ampere, cpu_bf16=cpu_bf16)
    assert HARDWARE.computes_in_bf16() is expected
    for frozen in (True, False):  # what is trained is held in 32 bits
        auto = torch.bfloat16 if frozen and expected else torch.float32
        assert HARDWARE._dtype(PretrainedConfig(), frozen) == auto
        for name in ("float32", "bfloat16", "float16"):
            assert HARDWARE._dtype(PretrainedConfig(dtype=name), frozen) == getattr(torch, name)


def test_amx_computes_bf16_too(monkeypatch: pytest.MonkeyPatch) -> None:
    hardware(monkeypatch, gpu=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert HARDWARE.computes_in_bf16()


@pytest.mark.parametrize(
    ("choice", "dtype", "gpu", "ampere", "flash", "expected"),
    [
        ("auto", torch.bfloat16, True, True, True, "flash_attention_2"),
        ("auto", torch.float16, True, True, True, "flash_attention_2"),
        ("auto", torch.float32, True, True, True, "sdpa"),
        ("auto", torch.bfloat16, True, False, True, "sdpa"),
        ("auto", torch.bfloat16, True, True, False, "sdpa"),
        ("auto", torch.bfloat16, False, False, True, "sdpa"),
        ("eager", torch.bfloat16, True, True, True, "eager"),
        ("sdpa", torch.bfloat16, True, True, True, "sdpa"),
        ("flash_attention_2", torch.float32, False, False, False, "flash_attention_2"),
    ],
)
def test_attention_is_what_weights_and_gpu_can(
    monkeypatch: pytest.MonkeyPatch,
    choice: str,
    dtype: torch.dtype,
    gpu: bool,
    ampere: bool,
    flash: bool,
    expected: str,
) -> None:
    hardware(monkeypatch, gpu=gpu, ampere=ampere, flash=flash)
    assert HARDWARE._attention(choice, dtype) == expected


# ---- what comes with the weights


def test_habits_of_the_weights_do_not_decide_how_we_decode(tmp_path: Path) -> None:
    """min_length, penalties and the like in a hub's generation_config.json would be used wherever ours are default."""
    model, tokenizer = models.pretrained(base_of("bart"), frozen=False)
    expected = written(model, tokenizer)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    habits = GenerationConfig(
        repetition_penalty=5.0, no_repeat_ngram_size=1, min_length=9, suppress_tokens=[1, 2, 3, 4, 5, 6, 7],
        forced_bos_token_id=50, decoder_start_token_id=model.config.decoder_start_token_id,
    )  # fmt: skip
    habits.save_pretrained(tmp_path)
    other, _ = models.pretrained(PretrainedConfig(model=str(tmp_path), dtype="float32"), frozen=False)
    assert other.generation_config.forced_bos_token_id == 50  # the one thing kept: what a text begins with
    other.generation_config.forced_bos_token_id = None
    assert written(other, tokenizer) == expected


def test_every_end_that_the_checkpoint_names_ends_a_summary(tmp_path: Path) -> None:
    """Instruct models end a turn with another token than the tokenizer's eos_token."""
    model, tokenizer = models.pretrained(base_of("qwen2"), frozen=False)
    free = generated(model, tokenizer, GREEDY)
    turn = free[0][5]
    assert turn not in tokenizer.all_special_ids  # to the tokenizer a word like any
    expected = [ids[: ids.index(turn)] if turn in ids else ids for ids in free]
    (tmp_path / "named").mkdir()
    models.save(model, tokenizer, tmp_path / "named")
    GenerationConfig(eos_token_id=[tokenizer.eos_token_id, turn]).save_pretrained(tmp_path / "named")

    named = PretrainedConfig(model=str(tmp_path / "named"), dtype="float32")
    adapter, words = adapted(named)
    (tmp_path / "best").mkdir()
    models.save(adapter, words, tmp_path / "best", named)
    whole, loaded = models.load(tmp_path / "named")[0], models.load(tmp_path / "best")[0]
    for each in (models.pretrained(named, frozen=True)[0], whole, adapter.eval(), loaded):
        assert generated(each, words, GREEDY) == expected
        counts = [group[0].tokens for group in decode(each, words, SOURCES, GREEDY)]
        assert counts[0] == len(expected[0]) + 1  # the end counts
        beams = replace(GREEDY, candidates=2, beams=2)
        assert not any(turn in ids for ids in generated(each, words, beams))


@pytest.mark.parametrize("kind", KINDS)
def test_a_tokenizer_is_the_same_after_a_run(tmp_path: Path, kind: str) -> None:
    model, tokenizer = models.pretrained(base_of(kind), frozen=False)
    models.save(model, tokenizer, tmp_path)
    loaded, words = models.load(tmp_path)
    for text in ("#Person1#: 내일 만나요?\n ㅋㅋ 3시  </s>", "", "<|im_start|>user", "ko_KR 가"):
        assert words.encode(text) == tokenizer.encode(text)
    assert (words.pad_token_id, words.eos_token_id) == (tokenizer.pad_token_id, tokenizer.eos_token_id)
    torch.testing.assert_close(logits_of(loaded), logits_of(model.eval()), rtol=0, atol=0)


def test_a_tokenizer_without_padding_pads_with_another_token(tmp_path: Path) -> None:
    words = tiny.tokenizer()
    words.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings.pop("pad_token")
    path.write_text(json.dumps(settings), encoding="utf-8")
    assert AutoTokenizer.from_pretrained(tmp_path).pad_token is None
    assert pretrained_tokenizer(tmp_path).pad_token == words.eos_token
    settings.pop("eos_token")
    path.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(UserError, match="has no eos_token, so summaries would never end"):
        pretrained_tokenizer(tmp_path)


def test_a_sentencepiece_tokenizer_is_converted_to_the_ids_of_fairseq(tmp_path: Path) -> None:
    """facebook/mbart-large-50 has no tokenizer.json. Its ids by fairseq: <s>, <pad>, </s>, <unk>, pieces, languages."""
    texts = [text for row in tiny.rows(60) for text in (row.dialogue.replace("\n", " "), *row.summaries)]
    name = str(tmp_path / "sentencepiece.bpe")
    SentencePieceTrainer.train(sentence_iterator=iter(texts), model_prefix=name, vocab_size=100,
                               character_coverage=1.0, minloglevel=2)  # fmt: skip
    (tmp_path / "sentencepiece.bpe.vocab").unlink()
    pieces = SentencePieceProcessor(model_file=f"{name}.model")
    assert pieces.vocab_size() == 100
    settings = {"tokenizer_class": "MBart50Tokenizer", "src_lang": None, "tgt_lang": None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    model, _ = models.pretrained(base_of("mbart"), frozen=False)
    model.config.save_pretrained(tmp_path)

    tokenizer = pretrained_tokenizer(tmp_path)
    assert tokenizer.convert_tokens_to_ids(["<s>", "<pad>", "</s>", "<unk>"]) == [0, 1, 2, 3]
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (1, 2)
    korean = tokenizer.convert_tokens_to_ids("ko_KR")
    assert korean == 100 + 1 + 13  # the 14th language; of the real one 250014
    saved = tmp_path / "best"
    saved.mkdir()
    model.resize_token_embeddings(len(tokenizer))
    models.save(model, tokenizer, saved)
    _, loaded = models.load(saved)
    frame = seq2seq_frame(tokenizer, "ko_KR")
    assert frame == seq2seq_frame(loaded, "ko_KR") == Frame((korean,), (2,), (korean,))
    for row in tiny.rows(5, "dev", 9):
        # A piece's id is one higher than sentencepiece's, where <unk> is 0 and there is no <pad>.
        expected = [token + 1 if token else 3 for token in pieces.encode(row.summaries[0])]
        for words in (tokenizer, loaded):
            assert words.encode(row.summaries[0], add_special_tokens=False) == expected
            target = [korean, *expected, words.eos_token_id]
            assert words.batch_decode([target], skip_special_tokens=True) == [row.summaries[0]]
            (source,) = tokenization.sources([row], words, LengthConfig(400), frame).values()
            assert (source[0], source[-1]) == (korean, 2)
            assert words.decode(source[1:-1]).split() == row.dialogue.split()


# ---- frames


def test_a_bart_frame_is_what_its_tokenizer_puts_around() -> None:
    words = tiny.tokenizer()
    assert seq2seq_frame(words) == Frame((words.bos_token_id,), (words.eos_token_id,))  # it puts nothing
    from tokenizers.processors import TemplateProcessing

    start, end = ("<s>", words.bos_token_id), ("</s>", words.eos_token_id)
    words.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[start, end]
    )
    assert seq2seq_frame(words) == Frame((words.bos_token_id,), (words.eos_token_id,))
    words.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A </s>", special_tokens=[end]
    )  # T5, KoBART
    assert seq2seq_frame(words) == Frame((), (words.eos_token_id,))
    rows = tiny.rows(2)
    framed = tokenization.sources(rows, words, LengthConfig(200), seq2seq_frame(words))
    for row in rows:
        assert framed[row.id] == words.encode(row.dialogue)


def test_text_frames_begin_as_the_tokenizer_begins() -> None:
    words = tiny.tokenizer()
    assert text_frame(words, "요약해:", "답:") == Frame(
        tuple(words.encode("요약해:")), tuple(words.encode("답:"))
    )
    from tokenizers.processors import TemplateProcessing

    words.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", words.bos_token_id)]
    )
    frame = text_frame(words, "요약해:", "답:")
    assert frame.before[0] == words.bos_token_id
    assert words.bos_token_id not in (*frame.before[1:], *frame.after)


def test_mbart_reads_and_writes_its_language(tmp_path: Path) -> None:
    model, tokenizer = models.pretrained(base_of("mbart"), frozen=False)
    korean = tokenizer.convert_tokens_to_ids("ko_KR")
    frame = seq2seq_frame(tokenizer, "ko_KR")
    assert frame == Frame((korean,), (tokenizer.eos_token_id,), (korean,))
    found, _ = tokenization.examples(tiny.rows(3), tokenizer, LengthConfig(300), frame, tmp_path / "cache")
    for source, target in zip(found["source"], found["target"], strict=True):
        assert (source[0], source[-1]) == (korean, tokenizer.eos_token_id)
        assert (target[0], target[-1]) == (korean, tokenizer.eos_token_id)
        assert korean not in target[1:]
    models.set_language(model, tokenizer, "ko_KR")
    config = DecodingConfig(candidates=2, beams=2, max_new_tokens=4)
    for settings in (config, GREEDY):
        assert {ids[0] for ids in generated(model, tokenizer, settings)} == {korean}
    (tmp_path / "best").mkdir()
    models.save(model, tokenizer, tmp_path / "best")
    loaded, words = models.load(tmp_path / "best")
    assert {ids[0] for ids in generated(loaded, words, config)} == {korean}
    with pytest.raises(UserError, match="language 'xx_XX' is not a token of"):
        seq2seq_frame(tokenizer, "xx_XX")


def generated(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, config: DecodingConfig
) -> list[list[int]]:
    """The tokens of summaries that are decoded to text."""
    seen: list[list[int]] = []
    real = tokenizer.batch_decode

    def spy(ids: Any, **settings: Any) -> Any:
        seen.extend(ids)
        return real(ids, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizer, "batch_decode", spy)
        decode(model, tokenizer, SOURCES, config)
    return seen


def test_a_korean_tokenizer_beside_a_bart_keeps_hangul(tmp_path: Path) -> None:
    """AutoTokenizer takes it for RoBERTa's when no class is named, and then every syllable is gone."""
    model, _ = models.pretrained(base_of("bart"), frozen=False)
    model.save_pretrained(tmp_path)
    inner = Tokenizer(BPE(unk_token="<unk>"))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    sentence = "내일 도서관 앞에서 만나요."
    special = ["<s>", "</s>", "<pad>", "<unk>"]
    inner.train_from_iterator([sentence] * 9, BpeTrainer(vocab_size=60, special_tokens=special))
    inner.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"})
    )
    tokenizer = pretrained_tokenizer(tmp_path)
    assert tokenizer.decode(tokenizer.encode(sentence, add_special_tokens=False)) == sentence


def test_merging_a_model_without_adapters_changes_nothing() -> None:
    model, _ = models.pretrained(base_of("bart"), frozen=False)
    assert merged(model) is model


@pytest.mark.parametrize("kind", ["qwen2", "gemma3"])
def test_what_is_evaluated_on_a_cpu_has_its_adapters_merged_and_what_is_trained_stays(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.models.storage.computes_in_bf16", lambda: False)
    model, _ = adapted(base_of(kind), LORA)
    teach(model, 5)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    copied = models.for_evaluation(model)
    assert not isinstance(copied, PeftModel) and not copied.training
    torch.testing.assert_close(logits_of(copied), logits_of(model), rtol=1e-3, atol=1e-4)
    assert isinstance(model, PeftModel)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) and parameter.requires_grad == ("lora_" in name)
    monkeypatch.setattr("common.models.storage.computes_in_bf16", lambda: True)
    assert {p.dtype for p in models.for_evaluation(model).parameters()} == {torch.bfloat16}


def test_what_cannot_be_copied_cheaply_is_evaluated_itself() -> None:
    whole, _ = models.pretrained(base_of("gemma3"), frozen=False)
    with_encoder, _ = adapted(base_of("bart"), LORA)
    quantized, _ = adapted(base_of("qwen2", quantization="nf4"), LORA)
    for model in (whole, with_encoder, quantized):
        assert models.for_evaluation(model) is model


@pytest.mark.parametrize("merge", [True, False])
def test_training_is_judged_as_the_run_decodes(merge: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = adapted(base_of("gemma3"), LORA)
    judged: list[PreTrainedModel] = []

    def watched(model: PreTrainedModel, *rest: Any, **how: Any) -> Any:
        judged.append(model)
        return decode(model, *rest, **how)

    monkeypatch.setattr(generation, "decode", watched)
    evaluate = generation.dev_evaluation(
        competition.load("daily_talk"), tiny.rows(3), tokenizer, LengthConfig(120),
        text_frame(tokenizer, "", "\n"), replace(GREEDY, max_new_tokens=4, merge=merge),
    )  # fmt: skip
    assert evaluate(model)["distinct"] > 0
    assert [isinstance(one, PeftModel) for one in judged] == [not merge]
