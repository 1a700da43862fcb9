"""Translation models begin with the language asked for."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import M2M100ForConditionalGeneration, PreTrainedTokenizerFast

from common.augment.settings import settings as defaults
from common.augment.translators import load
from common.core.config import override
from common.data.dialogue import parse
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
