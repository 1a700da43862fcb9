"""Cleaning, turns and truncation: golden cases, properties, and the real dialogues where they are at hand."""

import csv
import math
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.core.errors import UserError
from common.data.dialogue import MARKER, TAG, Turn, clean, parse, render, tags, truncate
from common.data.repairs import odd_tag, repair_tags
from tests.support import REAL_DATA

REAL = REAL_DATA / "dialogue_summarization"

PIECES = (
    "#Person1#", "#Person2#:", "# Person1 #", "#person3#", "＃Person2＃", "##Person1#", "#Person1", "Person2#", "Person",
    "#PhoneNumber#", "# email #", "#Foo#", "#", "＃", ":", "：", " ", "  ", "\u00a0", "\u3164", "\t", "\n", "\r\n", "\r",
    "\u2028", "\u200b", "\ufeff", "\x07", "\u1112", "\u1161", "\u11ab", "e\u0301", "\u0301", "12", "１", "안녕", "은", "네.",
    "#사람1#", "사람2#", "#사람1", "사람 2", "Ｐｅｒｓｏｎ", "\\n", "\\r\\n", "\\", "n", "<br>", "[", "]", "<", ">",
    "…", "\"", "(", "a", "\ud800",
)  # fmt: skip
messy = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
word = st.sampled_from(
    ("오늘", "내일은", "회의를", "미룰까요?", "좋아요.", "#Person1#은", "#PhoneNumber#로", "3시에", "연락해")
)
words = st.lists(word, max_size=12).map(" ".join)
speaker = st.integers(1, 4).map(lambda number: f"#Person{number}#")
turns = st.lists(st.builds(Turn, speaker, words), max_size=12)


def by_pieces(text: str) -> int:
    """About additive, as a tokenizer is: two special tokens, three characters a token, at least one a word."""
    return 2 + sum(math.ceil(len(part) / 3) for part in text.split()) + text.count("\n")


lengths: st.SearchStrategy[Callable[[str], int]] = st.sampled_from((len, by_pieces))


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("#Person1#: 안녕 \r\n #Person2#:  네 ", "#Person1#: 안녕\n#Person2#: 네"),
        ("#Person1#: 안녕\r#Person2#: 네", "#Person1#: 안녕\n#Person2#: 네"),
        ("#Person1#: 안녕\n\n\n#Person2#: 네", "#Person1#: 안녕\n#Person2#: 네"),
        ("#Person1#: 안녕 #Person2#: 네", "#Person1#: 안녕\n#Person2#: 네"),
        ("#Person1#: 안녕.#Person2#: 네", "#Person1#: 안녕.\n#Person2#: 네"),
        ("＃Person1＃： 안녕", "#Person1#: 안녕"),
        ("# Person1 # : 안녕", "#Person1#: 안녕"),
        ("#Person 1#:안녕", "#Person1#: 안녕"),
        ("#Person1: 안녕", "#Person1#: 안녕"),
        ("\ufeff#Person1#:\u00a0\u200b안\x00녕", "#Person1#: 안녕"),
        ("#Person1#: \u1112\u1161\u11ab글", "#Person1#: 한글"),
        ("#Person1#: \u1112\u200b\u1161글", "#Person1#: 하글"),
        ("#Person1#은 #Person5#에게 묻는다", "#Person1#은 #Person5#에게 묻는다"),
        ("\"#Person1#: 이런 식\"", "\"#Person1#: 이런 식\""),
        ("#Person1#Person2#: 네", "#Person1#Person2#: 네"),
        # speakers in other forms
        ("#Person1#: 안녕\n사람2#: 네", "#Person1#: 안녕\n#Person2#: 네"),
        ("#Person1#: 안녕\n사람2: 네", "#Person1#: 안녕\n#Person2#: 네"),
        ("사람 1 : 안녕\n#사람2: 네", "#Person1#: 안녕\n#Person2#: 네"),
        ("Person1: 안녕\n[Person 2]: 네", "#Person1#: 안녕\n#Person2#: 네"),
        ("#Person1:# 안녕", "#Person1#: 안녕"),
        ("#Person1#: 안녕.사람2#: 네", "#Person1#: 안녕.\n#Person2#: 네"),
        ("#Person1#: 사람2: 라고 적혔어", "#Person1#: 사람2: 라고 적혔어"),
        ("#Person1#\n: 안녕\n#Person2# \n\n ：네", "#Person1#: 안녕\n#Person2#: 네"),
        ("#Person1#\u2028: 안녕 #Person2#\r:네", "#Person1#: 안녕\n#Person2#: 네"),
        # line breaks that were written out
        ("#Person1#: 안녕\\n#Person2#: 네\\n", "#Person1#: 안녕\n#Person2#: 네"),
        ("#Person1#: 안녕 \\r\\n사람2#: 네", "#Person1#: 안녕\n#Person2#: 네"),
        ("#Person1#: 안녕\\\\n #Person2#: 네", "#Person1#: 안녕\n#Person2#: 네"),
        ("#Person1#: 안녕.\\n잘 지내?", "#Person1#: 안녕.\n잘 지내?"),
        ("#Person1#: Hi.\\nHow are you?", "#Person1#: Hi.\nHow are you?"),
        ("#Person1#: 안녕<br>#Person2#: 네<BR />응", "#Person1#: 안녕\n#Person2#: 네\n응"),
        ("#Person1#: C:\\new 폴더에 \\n을 써", "#Person1#: C:\\new 폴더에 \\n을 써"),
        ("", ""),
        (" \n ", ""),
    ],
)  # fmt: skip
def test_clean(raw: str, wanted: str) -> None:
    assert clean(raw) == wanted


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("#person1#은 #PERSON2#와", "#Person1#은 #Person2#와"),
        ("##Person1## 은", "#Person1# 은"),
        ("#Person1은 갔고 Person2#는", "#Person1#은 갔고 #Person2#는"),
        ("# Person1##", "#Person1#"),
        ("#Person12", "#Person12#"),
        ("# phonenumber #로", "#PhoneNumber#로"),
        ("#Person１#", "#Person1#"),
        ("#PErson1#은 ＃Ｐｅｒｓｏｎ２＃와", "#Person1#은 #Person2#와"),
        ("#사람1#과 # 사람 4 #는 #인물3#을", "#Person1#과 #Person4#는 #Person3#을"),
        ("#사람1은 화자4#에게", "#Person1#은 #Person4#에게"),
        # two readings, or not ours: as it was
        ("#Person1##Person2#", "#Person1##Person2#"),
        ("#Person1#Person2#", "#Person1#Person2#"),
        ("C# Person1 #Person2#", "C# Person1 #Person2#"),
        ("#Email 주소", "#Email 주소"),
        ("#Foo##Person1#", "#Foo##Person1#"),
        ("#Person1##Foo#", "#Person1##Foo#"),
        ("Person1 혼자", "Person1 혼자"),
        ("#맛집 #Person", "#맛집 #Person"),
        ("#사람3명 #사람들# 사람2", "#사람3명 #사람들# 사람2"),
        ("저 두사람2# 일", "저 두사람2# 일"),
        ("#Person1# Person2 #Person3#", "#Person1# Person2 #Person3#"),
    ],
)
def test_repair_tags(raw: str, wanted: str) -> None:
    assert repair_tags(raw) == wanted


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        ("#Person1#은 #Email#로", None),
        ("C# 사람 #맛집", None),
        ("#Person1#과 #사람2#는", "#사람2#"),
        ("#Person1#: 네\n사람2: 응", "사람2:"),
        ("#Person1# : 네\n#Person2#: 응", None),
    ],
)
def test_the_first_tag_in_another_form(text: str, odd: str | None) -> None:
    assert odd_tag(text) == odd


@given(messy)
def test_no_odd_tag_is_left_after_cleaning(text: str) -> None:
    cleaned = clean(text)
    assert odd_tag(cleaned) is None or repair_tags(cleaned) == cleaned


@given(messy)
def test_clean_is_idempotent(text: str) -> None:
    once = clean(text)
    assert clean(once) == once


@given(messy)
def test_clean_leaves_tidy_encodable_text(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert "  " not in cleaned and "\n\n" not in cleaned and " \n" not in cleaned and "\n " not in cleaned
    assert not set(cleaned) & {"\r", "\t", "\u00a0", "\u200b", "\ufeff", "\x07"}
    assert cleaned == cleaned.strip()


@given(messy)
def test_clean_loses_no_tag(text: str) -> None:
    assert len(tags(text)) <= len(tags(clean(text)))


@given(turns)
def test_parse_and_render_round_trip(some: list[Turn]) -> None:
    assert parse(render(some)) == tuple(some)
    assert render(parse(render(some))) == render(some)


@given(messy)
def test_turns_of_any_cleaned_text_survive_rendering(text: str) -> None:
    some = parse(clean(text))
    assert parse(render(some)) == some


def test_rendered_turns_are_clean() -> None:
    text = render([Turn("#Person1#", "안녕하세요."), Turn("#Person2#", ""), Turn("#Person1#", "네.")])
    assert text == "#Person1#: 안녕하세요.\n#Person2#:\n#Person1#: 네."
    assert clean(text) == text


def test_parse_joins_lines_without_a_tag() -> None:
    assert parse("머리말\n#Person1#: 하나\n둘\n…\n#Person2#: 셋") == (
        Turn("", "머리말"),
        Turn("#Person1#", "하나 둘"),
        Turn("", MARKER),
        Turn("#Person2#", "셋"),
    )
    assert parse("") == ()


@pytest.mark.parametrize(
    ("dialogue", "wanted"),
    [
        ("하나\n…\n둘\n셋", (Turn("", "하나"), Turn("", MARKER), Turn("", "둘 셋"))),
        ("#Person1#: 하나\n…\n…\n둘", (Turn("#Person1#", "하나"), Turn("", MARKER), Turn("", MARKER), Turn("", "둘"))),
        ("#Person1#\n…\n#Person1#", (Turn("", "#Person1#"), Turn("", MARKER), Turn("", "#Person1#"))),
        ("…\n#Person1#: 하나", (Turn("", MARKER), Turn("#Person1#", "하나"))),
    ],
)  # fmt: skip
def test_parse_appends_nothing_to_the_marker(dialogue: str, wanted: tuple[Turn, ...]) -> None:
    assert parse(dialogue) == wanted
    assert parse(render(wanted)) == wanted


def test_tags_in_order_with_repeats() -> None:
    assert tags("#Person2#가 #Person1#에게 #Email#로, #Person2#도. #아님# # Person1 #") == [
        "#Person2#", "#Person1#", "#Email#", "#Person2#",
    ]  # fmt: skip


def dialogue(count: int) -> str:
    return "\n".join(f"#Person{1 + index % 2}#: {index:02} 번째 말이에요" for index in range(count))


def test_truncate_leaves_what_fits() -> None:
    text = dialogue(5)
    assert truncate(text, len(text), len).text == text
    assert truncate(text, len(text), len).turns_cut == 0
    assert truncate("", 0, len).text == ""


def test_truncate_keeps_head_and_more_of_the_tail() -> None:
    result = truncate(dialogue(20), 200, len)
    kept = [turn.text[:2] for turn in parse(result.text)]
    assert kept == ["00", "01", "02", MARKER, "14", "15", "16", "17", "18", "19"]
    assert (result.turns, result.turns_cut) == (20, 11)
    assert result.characters_cut == 11 * len("#Person1#: 00 번째 말이에요")


def test_truncate_shortens_a_last_turn_that_is_too_long() -> None:
    text = "#Person1#: 네.\n#Person2#: 그래요.\n#Person1#: " + "자 " * 50 + "#Person2# 씨가 정하세요."
    result = truncate(text, 60, len)
    lines = result.text.split("\n")
    assert lines[0] == "#Person1#: 네." and lines[-1].startswith("#Person1#: … 자")
    assert lines[-1].endswith("#Person2# 씨가 정하세요.") and len(result.text) <= 60
    assert truncate("#Person1#: " + "말 " * 50 + "끝", 30, len).text.startswith("#Person1#: 말 말")


def test_truncate_says_what_it_needs() -> None:
    text = "#Person1#: 안녕하세요 여러분\n#Person2#: 네 반갑습니다"
    with pytest.raises(UserError, match=r"cut to 12: .* need (\d+)") as caught:
        truncate(text, 12, len)
    minimum = int(str(caught.value).split("need ")[1].split(".")[0])
    assert len(truncate(text, minimum, len).text) == minimum
    with pytest.raises(UserError):
        truncate(text, minimum - 1, len)


def test_truncate_calls_length_about_once_a_turn() -> None:
    calls = []

    def counted(text: str) -> int:
        calls.append(text)
        return by_pieces(text)

    truncate(dialogue(60), 150, counted)
    assert len(calls) <= 60 + 10


@given(turns, st.integers(0, 120), lengths)
def test_truncate_keeps_its_promises(some: list[Turn], budget: int, length: Callable[[str], int]) -> None:
    text = render(some)
    try:
        result = truncate(text, budget, length)
    except UserError:
        return
    assert length(result.text) <= budget
    assert result.turns == len(some)
    if length(text) <= budget:
        assert (result.text, result.turns_cut, result.characters_cut) == (text, 0, 0)
        return
    assert result.turns_cut > 0
    left = [turn for turn in parse(result.text) if turn != Turn("", MARKER)]
    whole = [turn for turn in left if MARKER not in turn.text]
    assert len(some) - result.turns_cut == len(whole)
    assert not Counter(whole) - Counter(some)
    assert not Counter(tags(result.text)) - Counter(tags(text))
    assert left[-1].speaker == some[-1].speaker
    kept_characters = sum(len(render([turn]).replace(" …", "").replace("… ", "")) for turn in left)
    lost = sum(len(render([turn])) for turn in some) - kept_characters
    assert abs(result.characters_cut - lost) <= 1
    assert "#" not in TAG.sub("", result.text)


def real(name: str) -> list[dict[str, str]]:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"the organisers' {name} is not at {REAL}")
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("name", ["dev.csv", "test.csv"])
def test_real_dialogues(name: str) -> None:
    rows = real(name)
    for row in rows:
        cleaned = clean(row["dialogue"])
        assert clean(cleaned) == cleaned
        assert "".join(cleaned.split()) == "".join(row["dialogue"].split()), row["fname"]
        some = parse(cleaned)
        assert render(some) == cleaned, row["fname"]
        assert all(turn.speaker for turn in some), row["fname"]
        assert len(truncate(cleaned, 200, len).text) <= 200
