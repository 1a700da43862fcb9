"""Translation models begin with the language asked for."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import M2M100ForConditionalGeneration, PreTrainedTokenizerFast

from common.augment import translators
from common.augment.settings import settings as defaults
from common.augment.translators import load
from common.core.config import override
from common.core.errors import UserError
from common.data.dialogue import parse
from common.generation import ctranslate2, hf
from common.models.tiny import tiny as tiny_folder
from tests.support import tiny


@pytest.mark.parametrize(
    ("model", "tokens"), [("tiny:m2m100", ("__ko__", "__en__")), ("tiny:nllb", ("kor_Hang", "eng_Latn"))]
)
def test_translations_begin_with_the_language_asked_for(
    talk: Path, model: str, tokens: tuple[str, str]
) -> None:
    """Of a tiny model whose weights are so large that the language decides what it says; saved where a user would."""
    reference = M2M100ForConditionalGeneration.from_pretrained(tiny_folder(model)).eval()
    words = PreTrainedTokenizerFast.from_pretrained(tiny_folder(model))
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.mul_(8)
    folder = talk / "models" / "loud"
    reference.save_pretrained(folder)
    words.save_pretrained(folder)
    config = override(defaults("back_translation"), [f"--model={folder}", "--beams=1", "--max-new-tokens=8", "--accept-noncommercial-licence"])[0].method.translator  # fmt: skip
    loaded = load(config)
    texts = ["내일 몇 시에 만날까요?", "네.", "오후 세 시에 도서관 앞에서 만나요. 늦지 마세요."]
    found = {target: loaded.translate(texts, "ko", target) for target in ("en", "ko")}  # type: ignore[arg-type]
    assert loaded.translate([], "ko", "en") == []
    source, english = (words.convert_tokens_to_ids(token) for token in tokens)
    for target, token in (("en", english), ("ko", source)):
        for text, said in zip(texts, found[target], strict=True):
            ids = [source, *words.encode(text, add_special_tokens=False), words.eos_token_id]
            made = reference.generate(
                torch.tensor([ids]), forced_bos_token_id=token, num_beams=1, max_new_tokens=8, do_sample=False
            )
            assert made[0, 1] == token
            assert said == words.decode(made[0, 2:], skip_special_tokens=True).strip()
    assert found["en"] != found["ko"]
    faster = load(replace(config, engine="ctranslate2"))
    assert faster.translate(texts, "ko", "en") == found["en"]
    assert loaded.record["model"] == str(folder)


def test_the_hubs_own_tokenizer_of_m2m100_is_read(talk: Path) -> None:
    """As facebook/m2m100_418M ships it: sentencepiece and vocab.json, no tokenizer.json, languages beyond the vocabulary."""
    import sentencepiece
    from transformers import M2M100Config, M2M100Tokenizer

    texts = [row.dialogue for row in tiny.rows(40)]
    folder = talk / "models" / "m2m100"
    folder.mkdir(parents=True)
    with (folder / "pieces.model").open("wb") as model_file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model_file,
            vocab_size=200,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "pieces.model"))
    names = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        *(pieces.id_to_piece(i) for i in range(3, pieces.get_piece_size())),
    ]
    (folder / "vocab.json").write_text(
        json.dumps({name: i for i, name in enumerate(names)}), encoding="utf-8"
    )
    words = M2M100Tokenizer(
        str(folder / "vocab.json"), str(folder / "pieces.model"), src_lang="ko", tgt_lang="en"
    )
    for path in list(folder.iterdir()):
        path.unlink()
    words.save_pretrained(folder)
    torch.manual_seed(0)
    size = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}  # fmt: skip
    reference = M2M100ForConditionalGeneration(M2M100Config(vocab_size=len(names) + 108, **size)).eval()
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.mul_(8)
    reference.save_pretrained(folder)
    assert not (folder / "tokenizer.json").exists()
    config = override(defaults("back_translation"), [f"--model={folder}", "--beams=1", "--max-new-tokens=8"])[
        0
    ].method.translator
    loaded, said = load(config), [turn.text for turn in parse(texts[0])]
    for source, target in (("ko", "en"), ("en", "ko")):
        found = loaded.translate(said, source, target)  # type: ignore[arg-type]
        words.src_lang = source
        for text, translation in zip(said, found, strict=True):
            made = reference.generate(
                **words(text, return_tensors="pt"), forced_bos_token_id=words.get_lang_id(target), num_beams=1,
                max_new_tokens=8, do_sample=False,
            )  # fmt: skip
            assert translation == words.decode(made[0, 2:], skip_special_tokens=True).strip()
        assert any(found)
    assert load(replace(config, engine="ctranslate2")).translate(said, "en", "ko") == found


@pytest.mark.parametrize("engine", ["hf", "ctranslate2"])
def test_a_batch_that_does_not_fit_into_memory_is_halved(
    talk: Path, engine: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And later batches start with what fits; each text gets the translation that it gets in a whole batch."""
    config = override(defaults("back_translation"), ["--model=tiny:m2m100", "--max-new-tokens=8"])[
        0
    ].method.translator
    config = replace(config, engine=engine)
    texts = [f"{number}번 버스는 몇 시에 와요?" for number in range(10)]
    whole = load(config).translate(texts, "ko", "en")
    sizes = small_memory(monkeypatch, engine, 3)
    loaded = load(config)
    with caplog.at_level("WARNING"):
        assert loaded.translate(texts, "ko", "en") == whole
    said = [line for line in caplog.messages if line.startswith("out of memory with ")]
    assert said[0].startswith("out of memory with 10 texts at once; going on with half as many")
    assert len(said) == sum(size > 3 for size in sizes) <= 3
    sizes.clear()
    assert loaded.translate(texts, "ko", "en") == whole
    assert max(sizes) <= 3


@pytest.mark.parametrize("engine", ["hf", "ctranslate2"])
def test_one_text_that_does_not_fit_gets_the_advice(
    talk: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = override(defaults("back_translation"), ["--model=tiny:m2m100"])[0].method.translator
    small_memory(monkeypatch, engine, 0)
    with pytest.raises(
        UserError, match=r"^out of memory; one text alone does not fit: use fewer --beams, a lower"
    ):
        load(replace(config, engine=engine)).translate(["버스는 몇 시에 와요?", "네."], "ko", "en")


def small_memory(monkeypatch: pytest.MonkeyPatch, engine: str, most: int) -> list[int]:
    """Let an engine run out of memory with more than `most` texts; return the sizes of its batches."""
    sizes: list[int] = []

    def checked(batch: Sequence[Any], error: str) -> None:
        sizes.append(len(batch))
        if len(batch) > most:
            raise RuntimeError(error)

    if engine == "hf":

        def decode(model: Any, tokenizer: Any, sources: Sequence[Any], *rest: Any, **more: Any) -> Any:
            checked(sources, "CUDA out of memory. Tried to allocate 2.00 GiB.")
            return hf.decode(model, tokenizer, sources, *rest, **more)

        monkeypatch.setattr(translators, "decode", decode)
        return sizes
    make = ctranslate2.translation

    def translation(*arguments: Any) -> Any:
        run = make(*arguments)

        def limited(sources: Sequence[Any], *rest: Any) -> Any:
            checked(sources, "CUDA failed with error out of memory")
            return run(sources, *rest)

        return limited

    monkeypatch.setattr(ctranslate2, "translation", translation)
    return sizes
