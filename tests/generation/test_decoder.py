"""Candidates from token ids: the answers of chat models are tidied, other models' texts are left as they are."""

import pytest
from tokenizers import AddedToken

from common.generation.config import DecodingConfig
from common.generation.decoder import candidates_of
from common.models.config import PretrainedConfig
from common.models.pretrained import load_pretrained
from common.runs.candidates import Candidate
from common.tokenization.tokenizer import PreTrainedTokenizerFast
from tests.support import tiny

ONE = "#Person1#은 우산을 산다."
GREEDY = DecodingConfig(candidates=1, beams=1)


def chat_model() -> PreTrainedTokenizerFast:
    return load_pretrained(PretrainedConfig(model="tiny:qwen2"), frozen=False)[1]


def texts(tokenizer: PreTrainedTokenizerFast, written: list[str]) -> list[str]:
    ids = [
        [
            *tokenizer.encode(text, add_special_tokens=False, split_special_tokens=False),
            tokenizer.eos_token_id,
        ]
        for text in written
    ]
    found = candidates_of(ids, [-1.0] * len(ids), tokenizer, GREEDY, [tokenizer.eos_token_id])
    assert [len(group) for group in found] == [1] * len(ids)
    assert [group[0].tokens for group in found] == list(
        map(len, ids)
    )  # as generated, for the mean log-probability
    return [group[0].text for group in found]


def test_the_answer_of_a_chat_model_is_tidied() -> None:
    written = [ONE, f"<think>비가 온다.</think>\n{ONE}", f"요약: **{ONE}**", "<think>끝나지 않는 생각", f"비.</think>{ONE}"]  # fmt: skip
    assert texts(chat_model(), written) == [ONE, ONE, ONE, "", ONE]


def test_the_text_of_another_model_is_left_as_it_is() -> None:
    written = [f"요약: {ONE}", f"“{ONE}”", "# Person1 #은 &amp; 온다.", f"  {ONE} "]
    for tokenizer in (
        tiny.tokenizer(),
        load_pretrained(PretrainedConfig(model="tiny:gemma3"), frozen=False)[1],
    ):
        assert tokenizer.chat_template is None
        assert texts(tokenizer, written) == [text.strip() for text in written]


@pytest.mark.parametrize(
    ("written", "wanted"), [(f"[THINK]비가 온다.[/THINK]{ONE}", ONE), ("[THINK]비가 온다.", ""), (ONE, ONE), (f"요약: {ONE}", ONE)]
)  # fmt: skip
def test_a_thought_between_special_tokens_is_removed_too(written: str, wanted: str) -> None:
    """Decoding leaves special tokens out, so the text alone does not show where the thought ends."""
    tokenizer = chat_model()
    tokenizer.add_tokens([AddedToken(name, special=True) for name in ("[THINK]", "[/THINK]", "[PAD]")])
    ids = tokenizer.encode(written, split_special_tokens=False)
    assert "[THINK]" not in tokenizer.decode(ids, skip_special_tokens=True)
    assert texts(tokenizer, [written, f"[PAD]{written}[PAD]"]) == [wanted] * 2


def test_samples_are_still_sorted() -> None:
    tokenizer = chat_model()
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in ("요약: 나쁘다.", "요약: 좋다.")]
    config = DecodingConfig(candidates=2, beams=1, temperature=1.0)
    found = candidates_of(ids, [-90.0, -1.0], tokenizer, config)
    assert found == [[Candidate("좋다.", -1.0, len(ids[1])), Candidate("나쁘다.", -90.0, len(ids[0]))]]
