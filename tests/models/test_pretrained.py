"""Pretrained models and tokenizers: what is refused, what the hardware decides, what comes with the weights."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import (
    AutoTokenizer,
    BertConfig,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from common.core import distributed
from common.core.errors import UserError
from common.generation.config import DecodingConfig
from common.generation.hf import decode
from common.models.config import PretrainedConfig
from common.models.pretrained import load_pretrained, pretrained_tokenizer, set_language
from common.models.storage import load_model, save_model
from common.models.tiny import tiny as tiny_folder
from common.tokenization import examples
from common.tokenization.config import LengthConfig
from common.tokenization.examples import training_examples
from common.tokenization.layout import InputTemplate, seq2seq_template
from tests.support import tiny
from tests.support.adapted import GREEDY, KINDS, SOURCES, adapted, base_of, logits_of, louder, written

pytestmark = pytest.mark.usefixtures("model_cache", "fresh_precision")

HARDWARE = sys.modules["common.models.pretrained"]  # the package has a function of that name


def test_a_tiny_model_that_does_not_exist_is_answered_with_those_that_do() -> None:
    expected = r"model 'tiny:bert': there is no tiny .* wanted one of tiny:bart, tiny:mbart, .*tiny:qwen2, tiny:qwen3, tiny:gemma3\."
    with pytest.raises(UserError, match=expected):
        load_pretrained(PretrainedConfig(model="tiny:bert"), frozen=True)


def test_a_revision_of_what_is_not_the_hubs_is_refused(tmp_path: Path) -> None:
    for name in ("tiny:qwen2", str(tiny_folder("tiny:qwen2")), "offline:gemma-3-270m"):
        with pytest.raises(
            UserError, match=f"^--revision v2: {name} is on this machine and has no revisions"
        ):
            load_pretrained(PretrainedConfig(model=name, revision="v2"), frozen=True)
    # An adapter's recorded commit is no revision that anybody asked for.
    base = base_of("qwen2")
    model, tokenizer = adapted(base)
    model.get_base_model().base_source["commit"] = "c" * 40
    save_model(model, tokenizer, tmp_path, base)
    for changes in ({}, {"model": str(louder("qwen2"))}):
        torch.testing.assert_close(logits_of(load_model(tmp_path, **changes)[0]), logits_of(model.eval()))


def test_weights_that_are_trained_are_not_quantized() -> None:
    with pytest.raises(UserError, match="--quantization nf4 gives weights that cannot be trained; add LoRA"):
        load_pretrained(base_of("qwen2", quantization="nf4"), frozen=False)


def test_a_gpu_that_is_not_here_is_said_before_any_work() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match=r"needs a GPU with 24 GB and this machine has no GPU.*exp010"):
        load_pretrained(PretrainedConfig(model="no/such-model", gpu_memory=24), frozen=True)


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
        load_pretrained(PretrainedConfig(model="tiny:qwen2"), frozen=frozen)


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
        ("auto", torch.float32, True, True, True, None),
        ("auto", torch.bfloat16, True, False, True, None),
        ("auto", torch.bfloat16, True, True, False, None),
        ("auto", torch.bfloat16, False, False, True, None),
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
    expected: str | None,
) -> None:
    hardware(monkeypatch, gpu=gpu, ampere=ampere, flash=flash)
    assert HARDWARE._attention(choice, dtype) == expected


def test_habits_of_the_weights_do_not_decide_how_we_decode(tmp_path: Path) -> None:
    """min_length, penalties and the like in a hub's generation_config.json would be used wherever ours are default."""
    model, tokenizer = load_pretrained(base_of("bart"), frozen=False)
    expected = written(model, tokenizer)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    habits = GenerationConfig(
        repetition_penalty=5.0, no_repeat_ngram_size=1, min_length=9, suppress_tokens=[1, 2, 3, 4, 5, 6, 7],
        forced_bos_token_id=50, decoder_start_token_id=model.config.decoder_start_token_id,
    )  # fmt: skip
    habits.save_pretrained(tmp_path)
    other, _ = load_pretrained(PretrainedConfig(model=str(tmp_path), dtype="float32"), frozen=False)
    assert other.generation_config.forced_bos_token_id == 50  # the one thing kept: what a text begins with
    other.generation_config.forced_bos_token_id = None
    assert written(other, tokenizer) == expected


def test_every_end_that_the_checkpoint_names_ends_a_summary(tmp_path: Path) -> None:
    """Instruct models end a turn with another token than the tokenizer's eos_token."""
    model, tokenizer = load_pretrained(base_of("qwen2"), frozen=False)
    free = generated(model, tokenizer, GREEDY)
    turn = free[0][5]
    assert turn not in tokenizer.all_special_ids  # to the tokenizer a word like any
    expected = [ids[: ids.index(turn)] if turn in ids else ids for ids in free]
    (tmp_path / "named").mkdir()
    save_model(model, tokenizer, tmp_path / "named")
    GenerationConfig(eos_token_id=[tokenizer.eos_token_id, turn]).save_pretrained(tmp_path / "named")

    named = PretrainedConfig(model=str(tmp_path / "named"), dtype="float32")
    adapter, words = adapted(named)
    (tmp_path / "best").mkdir()
    save_model(adapter, words, tmp_path / "best", named)
    whole, loaded = load_model(tmp_path / "named")[0], load_model(tmp_path / "best")[0]
    for each in (load_pretrained(named, frozen=True)[0], whole, adapter.eval(), loaded):
        assert generated(each, words, GREEDY) == expected
        counts = [group[0].tokens for group in decode(each, words, SOURCES, GREEDY)]
        assert counts[0] == len(expected[0]) + 1  # the end counts
        beams = replace(GREEDY, candidates=2, beams=2)
        assert not any(turn in ids for ids in generated(each, words, beams))


@pytest.mark.parametrize("kind", KINDS)
def test_a_tokenizer_is_the_same_after_a_run(tmp_path: Path, kind: str) -> None:
    model, tokenizer = load_pretrained(base_of(kind), frozen=False)
    save_model(model, tokenizer, tmp_path)
    loaded, words = load_model(tmp_path)
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
    # KoGPT2's tokenizer names no end token, but its config.json does.
    for config in (
        {"eos_token_id": words.eos_token_id},
        {"text_config": {"eos_token_id": [words.eos_token_id, 7]}},
    ):
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        assert pretrained_tokenizer(tmp_path).eos_token_id == words.eos_token_id
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": None}), encoding="utf-8")
    with pytest.raises(UserError, match="has no eos_token"):
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
    model, _ = load_pretrained(base_of("mbart"), frozen=False)
    model.config.save_pretrained(tmp_path)

    tokenizer = pretrained_tokenizer(tmp_path)
    assert tokenizer.convert_tokens_to_ids(["<s>", "<pad>", "</s>", "<unk>"]) == [0, 1, 2, 3]
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (1, 2)
    korean = tokenizer.convert_tokens_to_ids("ko_KR")
    assert korean == 100 + 1 + 13  # the 14th language; of the real one 250014
    saved = tmp_path / "best"
    saved.mkdir()
    model.resize_token_embeddings(len(tokenizer))
    save_model(model, tokenizer, saved)
    _, loaded = load_model(saved)
    template = seq2seq_template(tokenizer, "ko_KR")
    assert template == seq2seq_template(loaded, "ko_KR") == InputTemplate((korean,), (2,), (korean,))
    for row in tiny.rows(5, "dev", 9):
        # A piece's id is one higher than sentencepiece's, where <unk> is 0 and there is no <pad>.
        expected = [token + 1 if token else 3 for token in pieces.encode(row.summaries[0])]
        for words in (tokenizer, loaded):
            assert words.encode(row.summaries[0], add_special_tokens=False) == expected
            target = [korean, *expected, words.eos_token_id]
            assert words.batch_decode([target], skip_special_tokens=True) == [row.summaries[0]]
            (source,) = examples.sources([row], words, LengthConfig(400), template).values()
            assert (source[0], source[-1]) == (korean, 2)
            assert words.decode(source[1:-1]).split() == row.dialogue.split()


def test_mbart_reads_and_writes_its_language(tmp_path: Path) -> None:
    model, tokenizer = load_pretrained(base_of("mbart"), frozen=False)
    korean = tokenizer.convert_tokens_to_ids("ko_KR")
    template = seq2seq_template(tokenizer, "ko_KR")
    assert template == InputTemplate((korean,), (tokenizer.eos_token_id,), (korean,))
    found, _ = training_examples(tiny.rows(3), tokenizer, LengthConfig(300), template, tmp_path / "cache")
    for source, target in zip(found["source"], found["target"], strict=True):
        assert (source[0], source[-1]) == (korean, tokenizer.eos_token_id)
        assert (target[0], target[-1]) == (korean, tokenizer.eos_token_id)
        assert korean not in target[1:]
    set_language(model, tokenizer, "ko_KR")
    config = DecodingConfig(candidates=2, beams=2, max_new_tokens=4)
    for settings in (config, GREEDY):
        assert {ids[0] for ids in generated(model, tokenizer, settings)} == {korean}
    (tmp_path / "best").mkdir()
    save_model(model, tokenizer, tmp_path / "best")
    loaded, words = load_model(tmp_path / "best")
    assert {ids[0] for ids in generated(loaded, words, config)} == {korean}
    with pytest.raises(UserError, match="language 'xx_XX' is not a token of"):
        seq2seq_template(tokenizer, "xx_XX")


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
    model, _ = load_pretrained(base_of("bart"), frozen=False)
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


@pytest.mark.parametrize("kind", ["bart", "mbart", "qwen2", "gemma3"])
def test_only_the_first_process_gets_weights_to_shard(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The others get the same model on the meta device: names, shapes, types, ties, buffers and end tokens."""

    def described(model: PreTrainedModel) -> Any:
        tensors = [*model.named_parameters(), *model.named_buffers()]
        kept = {name: (tensor.shape, tensor.dtype, tensor.requires_grad) for name, tensor in tensors}
        return kept, type(model), model.config.to_dict(), model.generation_config.to_dict(), model.training

    config = PretrainedConfig(model=f"tiny:{kind}")
    whole, _ = load_pretrained(config, frozen=False, sharded=True, together=False)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    empty, _ = load_pretrained(config, frozen=False, sharded=True, together=False)
    assert all(parameter.is_meta for parameter in empty.parameters())
    assert not any(parameter.is_meta for parameter in whole.parameters())
    assert described(empty) == described(whole)


@pytest.mark.parametrize("start", [None, 7])
def test_a_pair_of_encoder_and_decoder_needs_a_start_token(tmp_path: Path, start: int | None) -> None:
    """Two BERTs (kykim/bertshared-kor-base): their common config has no bos_token_id at all."""
    words = tiny.tokenizer()
    part = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    config = EncoderDecoderConfig.from_encoder_decoder_configs(part, part)
    config.decoder_start_token_id, config.pad_token_id = start, words.pad_token_id
    model = EncoderDecoderModel(config)
    model.generation_config = GenerationConfig(decoder_start_token_id=start)
    model.save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    base = PretrainedConfig(model=str(tmp_path), dtype="float32")
    if start is None:
        with pytest.raises(UserError, match=r"config\.json: no decoder_start_token_id and no bos_token_id"):
            load_pretrained(base, "seq2seq", frozen=False)
        return
    loaded, _ = load_pretrained(base, "seq2seq", frozen=False)
    greedy = decode(loaded.eval(), words, SOURCES, GREEDY)
    assert all(1 <= found.tokens <= GREEDY.max_new_tokens for (found,) in greedy)
