"""The page's own tokens and differences, against the scorer's."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from common.page.token_marks import free_mark, marked
from common.rouge import corpus, get_tokenizer
from common.rouge.tokenizers import split_sentences_101
from tests.support.browser import Browser
from tests.support.rouge_texts import AWKWARD, daily_talk_summaries

TEXTS = [text for text in AWKWARD if "\ud800" not in text] + daily_talk_summaries()[:40]


@pytest.fixture
def tokens(browser: Browser, talk: Path) -> Browser:
    browser.open(talk, "#/examples")
    return browser


def _keys(browser: Browser, texts: list[str], mark: str, rule: str) -> list[list[str]]:
    script = "return arguments[0].map((text) => page.pieces(text, arguments[1], arguments[2]).filter((one) => one.key !== null).map((one) => one.key));"
    return browser.run(script, texts, mark, rule)  # type: ignore[no-any-return]


def test_tokens_are_those_of_the_metric(tokens: Browser) -> None:
    without_tags = [text for text in TEXTS if "#" not in text]
    plain = [text for text in without_tags if not any(c in text for c in "\x1c\x1f\x85\ufeff\u200b")]
    assert _keys(tokens, plain, "|", "whitespace") == [
        get_tokenizer("whitespace").tokenize(text.strip()) if text.strip() else [] for text in plain
    ]
    wanted = [[word for part in split_sentences_101(text) for word in part if word] for text in plain]
    assert _keys(tokens, plain, "|", "sentences") == wanted
    mark = free_mark(plain)
    analysed = [
        [token for token in found if token.strip()] for found in get_tokenizer("mecab").tokenize_all(plain)
    ]
    spelled = ["".join(found) == "".join(text.split()) for found, text in zip(analysed, plain, strict=True)]
    found = _keys(tokens, marked(plain, "leaderboard", mark), mark, "marked")
    assert sum(spelled) > 25
    assert [a for a, whole in zip(found, spelled, strict=True) if whole] == [
        a for a, whole in zip(analysed, spelled, strict=True) if whole
    ]


def test_pieces_are_the_whole_text_and_a_tag_is_one(tokens: Browser) -> None:
    for rule in ("marked", "whitespace", "sentences", "alnum"):
        script = "return arguments[0].map((text) => page.pieces(text, '\\ue000', arguments[1]).map((one) => one.text).join(''));"
        assert tokens.run(script, TEXTS, rule) == TEXTS
    [text] = marked(["#Person8#은 #Person9#에게 묻는다."], "leaderboard", "|")
    assert _keys(tokens, [text], "|", "marked") == [
        ["#Person8#", "은", "#Person9#", "에게", "묻", "는다", "."]
    ]
    assert _keys(tokens, ["Say #Person1#'s name"], "|", "alnum") == [["say", "#Person1#", "s", "name"]]


def test_a_difference_gives_back_both_texts(tokens: Browser) -> None:
    texts = [text for text in TEXTS if len(text) < 200]
    pairs = [[a, b] for a, b in zip(texts, texts[1:] + texts[:1], strict=True)]
    found = tokens.run(
        "return arguments[0].map(([a, b]) => page.difference(page.pieces(a, '|', 'whitespace'), page.pieces(b, '|', 'whitespace'), true));",
        pairs,
    )
    for (a, b), runs in zip(pairs, found, strict=True):
        own = "".join(run["text"] for run in runs if run["kind"] != "lost")
        assert own.split() == a.split(), (a, b)
        lost = [word for run in runs if run["kind"] == "lost" for word in run["text"].lower().split()]
        added = [word for run in runs if run["kind"] == "added" for word in run["text"].lower().split()]
        # What is common, is common: taking the added words away and putting the lost ones in gives the other text's words.
        assert sorted(own.lower().split() + lost) == sorted(b.lower().split() + added)


def test_a_difference_marks_what_the_other_lacks(tokens: Browser) -> None:
    def runs(a: str, b: str) -> list[tuple[str, str]]:
        script = "return page.difference(page.pieces(arguments[0], '|', 'marked'), page.pieces(arguments[1], '|', 'marked'), true);"
        return [(run["kind"], run["text"]) for run in tokens.run(script, a, b)]

    assert runs("나|는 밥|을 먹|었|다", "나|는 밥|을 먹|었|다") == [("same", "나는 밥을 먹었다")]
    assert runs("나|는 죽|을 먹|었|다", "나|는 밥|을 먹|었|다") == [
        ("same", "나는 "), ("lost", "밥"), ("same", " "), ("added", "죽"), ("same", "을 먹었다"),
    ]  # fmt: skip
    assert runs("가 나", "다 라") == [("lost", "다 라"), ("same", " "), ("added", "가 나")]
    assert runs("", "다") == [("lost", "다"), ("same", " ")]


def test_agreement_is_rouge_1(tokens: Browser) -> None:
    texts = [text.replace("#", "") for text in daily_talk_summaries()[:60]]
    pairs = list(pairwise(texts))
    found = tokens.run(
        "return arguments[0].map(([a, b]) => page.overlap(page.pieces(a, '|', 'marked'), page.pieces(b, '|', 'marked')));",
        [marked([a, b], "leaderboard", "|") for a, b in pairs],
    )
    wanted = corpus([a for a, _ in pairs], [b for _, b in pairs], "leaderboard").per_example["rouge1"]
    assert found == pytest.approx(list(wanted))


def test_very_long_texts_do_not_stop_the_page(tokens: Browser) -> None:
    script = (
        "const a = page.pieces('가 '.repeat(50000), '|', 'whitespace'), b = page.pieces('나 '.repeat(50000), '|', 'whitespace');"
        "return page.difference(a, b, true).map((run) => run.kind);"
    )
    assert json.dumps(tokens.run(script)) == '["lost", "same", "added", "same"]'
