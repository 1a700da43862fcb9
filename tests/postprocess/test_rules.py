"""Post-processing rules: golden cases, properties, and the real gold summaries where they are at hand."""

import csv
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.data.dialogue import TAG, tags
from common.data.rows import read_references, read_split
from common.postprocess.repetition import remove_repetition
from common.postprocess.rules import RULES, PostprocessConfig, apply, nfc, pipeline, whitespace, within
from common.postprocess.sentences import limit_length, sentences
from common.postprocess.tags import tag_repair
from tests.support import REAL_DATA

REAL = REAL_DATA / "dialogue_summarization"
DEFAULT = PostprocessConfig()

PIECES = (
    "#Person1#", "#Person2#", "# Person1 #", "#person1#", "##Person2#", "#Person1", "Person2#", "#PhoneNumber#", "#", " ", " ",
    " ", "\n", "은", "는", "이", "가", "만", "의", "에게도", "문제를", "늦었다", "간다.", "바다", "말했고", "하지만,", "3.5", "Mr.", "U.S.",
    "...", "…", ".", ",", "?", "!", "\"", "'", "라고", "e\u0301", "\u1112\u1161", "\u200b", "20세",
)  # fmt: skip
messy = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
loopy = st.lists(st.sampled_from(("가", "나", "다.", "#Person1#은", "가,")), max_size=24).map(" ".join)
texts = st.one_of(messy, loopy)


def intact(text: str) -> str:
    return TAG.sub("", text)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("#Person1# 은 집에 간다.", "#Person1#은 집에 간다."),
        ("# Person1 # 는 #person5# 에게서 듣는다.", "#Person1#는 #Person5#에게서 듣는다."),
        ("##Person1# 과 #Person5 는 만난다.", "#Person1#과 #Person5#는 만난다."),
        ("#Person1# 가 늦었다.", "#Person1#가 늦었다."),
        ("#Person1# 에게도 #Person2# 의 책을", "#Person1#에게도 #Person2#의 책을"),
        ("#PhoneNumber# 로 전화한다.", "#PhoneNumber#로 전화한다."),
        ("#Person1# 을, #Person2# 를", "#Person1#을, #Person2#를"),
        # 이 and its like: by what follows
        ("#Person1# 이 늦었다.", "#Person1#이 늦었다."),
        ("#Person1# 이 #Person5# 에게 묻는다.", "#Person1#이 #Person5#에게 묻는다."),
        ("#Person1# 이 문제를 안다.", "#Person1# 이 문제를 안다."),
        ("#Person1# 이 바다", "#Person1# 이 바다"),
        ("#Person1# 만 온다.", "#Person1#만 온다."),
        ("#Person1# 만 20세", "#Person1# 만 20세"),
        ("#Person1# 만 원을", "#Person1# 만 원을"),
        ("#Person1# 은 반지를", "#Person1# 은 반지를"),
        ("#Person1# 도 좋다.", "#Person1#도 좋다."),
        # words that only begin like a particle
        ("#Person1# 은행에 간다.", "#Person1# 은행에 간다."),
        ("#Person1# 가방", "#Person1# 가방"),
        ("#Person1# 모두", "#Person1# 모두"),
        ("#Person 은 모른다.", "#Person 은 모른다."),
    ],
)
def test_tag_repair(raw: str, wanted: str) -> None:
    assert tag_repair(raw) == wanted


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (" 하나  둘\n셋\u00a0넷 ", "하나 둘 셋 넷"),
        ("왔다 . 그리고 , 갔다 ?!", "왔다. 그리고, 갔다?!"),
        ("그 .NET 책은 3 .5 판", "그 .NET 책은 3 .5 판"),
        ("", ""),
    ],
)
def test_whitespace(raw: str, wanted: str) -> None:
    assert whitespace(raw) == wanted


def test_nfc_composes_and_drops_the_invisible() -> None:
    assert nfc("\ufeff\u1112\u200b\u1161\u11ab글") == "한글"


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("가 나 다 가 나 다 가 나 다", "가 나 다"),
        ("가 나 다. 가 나 다.", "가 나 다."),
        ("가 나 다, 가 나 다.", "가 나 다."),
        ("먼저 가 나 다 가 나 다 끝", "먼저 가 나 다 끝"),
        ("가 나 다 라 가 나 다 라 가 나 다 라 가 나", "가 나 다 라"),
        ("가 가 가 가", "가"),
        ("가 나 가 나 가 나 가 나", "가 나"),
        ("#Person1#은 잔다. #Person1#은 잔다.", "#Person1#은 잔다."),
        # emphasis, parallels and repeats at a distance are no loops
        ("정말 정말 좋다.", "정말 정말 좋다."),
        ("더 더 더 좋다.", "더 더 더 좋다."),
        ("오늘 갈지 내일 갈지 오늘 갈지", "오늘 갈지 내일 갈지 오늘 갈지"),
        ("가 나 다 라 가 나 다", "가 나 다 라 가 나 다"),
        ("", ""),
    ],
)
def test_remove_repetition(raw: str, wanted: str) -> None:
    assert remove_repetition(raw) == wanted


def test_remove_repetition_takes_its_bound() -> None:
    assert remove_repetition("가 나 가 나 다", 2) == "가 나 다"
    assert remove_repetition("가 나 다 가 나 다", 4) == "가 나 다 가 나 다"
    with pytest.raises(UserError, match="1 or more"):
        remove_repetition("가", 0)


@pytest.mark.parametrize(
    "parts",
    [
        ["회의가 끝났다.", "모두 집에 갔다."],
        ["정말 갈까요?", "좋아요!", "그래."],
        ["값은 3.5 달러이고 오후 3. 30분에 온다.", "끝."],
        ["Mr. Han은 Dr. Oh와 U.S. 지사에서 만났다.", "그는 웃었다."],
        ["음... 생각해 본다고 했다.", "그렇다."],
        ['그는 "갈래? 좋아." 라고 물었다.', "답이 없었다."],
        ["'끝났다.'라고 적었다.", "정말이다."],
        ["(늦었다. 그래서) 뛰었다.", "왔다."],
        ["one.co.kr 주소를 적었다.", "#Person1#은 웃었다."],
    ],
)
def test_sentences(parts: list[str]) -> None:
    assert sentences(" ".join(parts)) == parts


def test_sentences_without_a_space() -> None:
    assert sentences("왔다.그리고 갔다.") == ["왔다.", "그리고 갔다."]
    assert sentences(" ") == []


def test_limit_length_keeps_whole_sentences() -> None:
    text = "#Person1#은 빵을 샀다. #Person2#는 우유를 샀다. 둘은 함께 먹었다."
    assert limit_length(text, len(text)) == text
    assert limit_length(text, len(text) - 1) == "#Person1#은 빵을 샀다. #Person2#는 우유를 샀다."
    assert limit_length(text, 35) == "#Person1#은 빵을 샀다."
    assert limit_length("Mr. Han은 3.5 달러를 냈다. 끝이다.", 24) == "Mr. Han은 3.5 달러를 냈다."


@pytest.mark.parametrize(
    ("text", "limit", "wanted"),
    [
        ("#Person1#은 밥을 먹고 #Person2#는 산책을 했다.", 20, "#Person1#은 밥을 먹고"),
        ("#Person1#은 밥을 먹지만, #Person2#는 굶었다.", 20, "#Person1#은 밥을 먹지만"),
        ("#Person1#은 서울에서 부산까지 기차를 탔다.", 19, "#Person1#은 서울에서"),
        ("#Person1#은 창고 정리를 하고 있는 친구를 봤다.", 24, "#Person1#은 창고 정리를 하고 있는"),
        ("그래서, 아주 길고 지루한 이야기가 이어졌다.", 12, "그래서, 아주 길고"),
        ("가나다라마바사", 3, "가나다"),
        ("#Person1#은", 4, "#Person1#"),
        ("가#Person1#은", 4, "가"),
        ("값은 1,000원 그리고 2,000원이다.", 14, "값은 1,000원 그리고"),
    ],
)
def test_limit_length_cuts_a_long_sentence(text: str, limit: int, wanted: str) -> None:
    assert limit_length(text, limit) == wanted


def test_limit_length_counts_composed_characters() -> None:
    assert limit_length(unicodedata.normalize("NFD", "한글 요약"), 5) == "한글 요약"
    with pytest.raises(UserError, match="1 or more"):
        limit_length("가", 0)


@pytest.mark.parametrize("name", sorted(RULES))
@given(text=texts, bound=st.integers(1, 40))
def test_each_rule_is_idempotent(name: str, text: str, bound: int) -> None:
    rule = pipeline([name], max_characters=bound, repetition_words=1 + bound % 5)
    once = rule(text)
    assert rule(once) == once


@given(texts, st.integers(1, 60))
def test_limit_keeps_its_promises(text: str, limit: int) -> None:
    result = limit_length(text, limit)
    composed = unicodedata.normalize("NFC", text)
    assert bool(result) == bool(text)
    assert composed.strip().startswith(result) or composed.startswith(result)
    assert not Counter(tags(result)) - Counter(tags(composed))
    assert len(result) <= limit or TAG.fullmatch(result)
    if len(composed) <= limit:
        assert result == composed
    if "#" not in intact(composed):
        assert "#" not in intact(result)


@given(texts, st.integers(1, 5))
def test_repetition_only_removes(text: str, n: int) -> None:
    result = remove_repetition(text, n)
    assert not Counter(result.split()) - Counter(text.split())
    assert not Counter(tags(result)) - Counter(tags(text))
    assert set(result.split()) <= set(text.split())
    assert bool(result) == bool(text)
    if "#" not in intact(text):
        assert "#" not in intact(result)


@given(texts)
def test_tag_repair_loses_no_tag_and_no_letter(text: str) -> None:
    result = tag_repair(text)
    assert len(tags(result)) >= len(tags(text))
    if "#" not in intact(text):
        assert [tag.lower() for tag in tags(result)] == [tag.lower() for tag in tags(text)]
        assert "".join(result.split()).lower() == "".join(text.split()).lower()


@given(texts)
def test_default_pipeline_gives_one_tidy_line(text: str) -> None:
    result = apply(DEFAULT, text)
    assert "\n" not in result and "  " not in result and result == result.strip()
    assert unicodedata.is_normalized("NFC", result)
    assert bool(result) == bool(nfc(text).strip())


@given(
    st.lists(st.sampled_from(("가", "나 다", "#Person1#은 간다.")), min_size=1, max_size=4), st.integers(2, 6)
)
def test_a_loop_is_said_once(unit: list[str], copies: int) -> None:
    span = " ".join(unit)
    if len(span.split()) < 3:
        return
    assert len(remove_repetition(" ".join([span] * copies)).split()) <= len(span.split())


def test_rules_run_in_the_declared_order() -> None:
    text = "가 나 다.\n가 나 다 . 라 마 바."
    assert pipeline(["whitespace", "remove_repetition"])(text) == "가 나 다. 라 마 바."
    assert pipeline(["limit_length", "whitespace"], max_characters=7)(text) == "가 나 다."
    assert pipeline([])(text) == text


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match=r"unknown rule shout; choose from limit_length, nfc, "):
        pipeline(["nfc", "shout"])
    with pytest.raises(
        UserError, match=r"unknown setting words; choose from repetition_words, max_characters"
    ):
        pipeline(["nfc"], words=3)
    with pytest.raises(UserError, match="max_characters is 0"):
        apply(PostprocessConfig(max_characters=0), "가")


LIMIT = 500
"""`[submission] max_characters` of both Korean competitions."""


def test_every_gold_summary_of_the_sample_passes_unchanged() -> None:
    talk = load_competition("daily_talk")
    assert talk.submission.max_characters == LIMIT
    config = within(DEFAULT, LIMIT)
    texts = [text for row in read_split(talk, "train").rows for text in row.summaries]
    texts += [
        text for split in ("dev", "test") for group in read_references(talk, split).values() for text in group
    ]
    assert len(texts) == 5000 + 200 + 3 * 200
    assert [text for text in texts if apply(config, text) != text] == []


def test_a_sentence_that_a_submission_may_have_is_kept() -> None:
    long = " ".join(f"#Person1#은 {number}번째 이야기를 #Person2#에게 길게 들려준다." for number in range(20))
    config = within(DEFAULT, LIMIT)
    assert apply(config, long[: LIMIT - 1] + ".") == long[: LIMIT - 1] + "."
    cut = apply(config, long)
    assert len(cut) <= LIMIT < len(long)
    assert cut == " ".join(sentences(long)[: len(sentences(cut))])
    assert len(cut) + 1 + len(sentences(long)[len(sentences(cut))]) > LIMIT


@pytest.mark.parametrize(("name", "allowed"), [("dev.csv", []), ("train.csv", ["whitespace"])])
def test_gold_summaries_pass_unchanged(name: str, allowed: list[str]) -> None:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"the organisers' {name} is not at {REAL}")
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    config = within(DEFAULT, LIMIT)
    changed = [row["summary"] for row in rows if apply(config, row["summary"]) != row["summary"]]
    # One summary of train has a line break.
    assert ["whitespace" for text in changed if apply(config, text) == whitespace(text)] == allowed
    assert len(changed) == len(allowed)
