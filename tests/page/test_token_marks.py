from common.page.token_marks import free_mark, marked, rule_of
from common.rouge import get_tokenizer
from tests.support.rouge_texts import AWKWARD, daily_talk_summaries


def _plain(text: str) -> str:
    return text.replace("|", "")


def test_the_marks_lie_where_the_metric_s_tokens_begin() -> None:
    texts = [
        *daily_talk_summaries()[:500],
        "#Person1#은 3.5점을 받았다.",
        "  공백  두 개 ",
        "줄\n바꿈",
        "👍 좋다",
    ]
    assert free_mark(texts) == "|"
    found = marked(texts, "leaderboard", "|")
    tokens = get_tokenizer("mecab").tokenize_all(texts)
    assert [text.replace("|", " ").split() for text in found] == tokens
    assert list(map(_plain, found)) == texts
    assert "#|Person|1|#|은 3|.|5|점|을" in found[-4]


def test_difficult_texts_come_back_whole() -> None:
    texts = [text for text in AWKWARD if "|" not in text]
    for profile in ("leaderboard", "korouge", "rouge101"):
        assert list(map(_plain, marked(texts, profile, "|"))) == texts


def test_only_tokens_of_an_analyser_need_marks() -> None:
    assert [rule_of(name) for name in ("leaderboard", "korouge", "rouge101", "google")] == [
        "marked", "whitespace", "sentences", "alnum",
    ]  # fmt: skip
    assert marked(["가나다라"], "korouge", "|") == ["가나다라"]


def test_the_mark_occurs_in_no_text() -> None:
    assert free_mark(["a|b", "c"]) == "\ue000"
    assert free_mark(["|\ue000\ue001"]) == "\ue002"
