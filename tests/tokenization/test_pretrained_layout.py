"""The layout of inputs is the one a pretrained tokenizer produces."""

import pytest

from common.tokenization import examples
from common.tokenization.config import LengthConfig
from common.tokenization.layout import InputTemplate, seq2seq_template, text_template
from tests.support import tiny

pytestmark = pytest.mark.usefixtures("model_cache", "fresh_precision")


def test_a_bart_frame_is_what_its_tokenizer_puts_around() -> None:
    words = tiny.tokenizer()
    assert seq2seq_template(words) == InputTemplate(
        (words.bos_token_id,), (words.eos_token_id,)
    )  # it puts nothing
    from tokenizers.processors import TemplateProcessing

    start, end = ("<s>", words.bos_token_id), ("</s>", words.eos_token_id)
    words.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[start, end]
    )
    assert seq2seq_template(words) == InputTemplate((words.bos_token_id,), (words.eos_token_id,))
    words.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A </s>", special_tokens=[end]
    )  # T5, KoBART
    assert seq2seq_template(words) == InputTemplate((), (words.eos_token_id,))
    rows = tiny.rows(2)
    framed = examples.sources(rows, words, LengthConfig(200), seq2seq_template(words))
    for row in rows:
        assert framed[row.id] == words.encode(row.dialogue)


def test_text_frames_begin_as_the_tokenizer_begins() -> None:
    words = tiny.tokenizer()
    assert text_template(words, "요약해:", "답:") == InputTemplate(
        tuple(words.encode("요약해:")), tuple(words.encode("답:"))
    )
    from tokenizers.processors import TemplateProcessing

    words.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", words.bos_token_id)]
    )
    template = text_template(words, "요약해:", "답:")
    assert template.prefix[0] == words.bos_token_id
    assert words.bos_token_id not in (*template.prefix[1:], *template.suffix)
    words.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", words.eos_token_id)]
    )
    template = text_template(words, "요약해:", "답:")  # an end before the text would be no start
    assert words.eos_token_id not in (*template.prefix, *template.suffix)
