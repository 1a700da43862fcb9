"""Addresses and words of another language that the dialogue does not contain."""

import pytest

from common import llm
from common.data.dialogue import tags
from common.llm import summary_check
from common.llm.languages import foreign_words, links, not_english
from tests.llm.conftest import Ask
from tests.support import scripted_server
from tests.support.llm_world import ask_about, config
from tests.support.scripted_server import chat

TALK = "#Person1#: 넷플릭스에서 영화 봤어? Facebook에 올렸어.\n#Person2#: shop.example.com에도 있어. 주소는 HTTPS://Example.org/a야."
GOOD = "#Person1#은 시장에서 물건을 사 달라고 부탁하고, #Person2#는 그러겠다고 한다."


@pytest.mark.parametrize(
    "text",
    [
        "#Person1#은 TV와 PC, DVD를 산다.", "#Person1#은 10 km를 걷고 5kg을 든다.", "#Person1#은 iPhone으로 Netflix를 본다.", "#Person1#은 John Smith를 만난다.",
        "#Person1#은 facebook에 올린다.", "#Person1#은 shop.example.com을 알려 준다.", "#Person1#은 https://example.org/a를 알려 준다.", "오전 9 am에 e-mail을 쓴다.",
        "U.S.A.와 Wi-Fi, CD-ROM.", "#Person1#은 A형이고 B는 아니다.", "#Person1#은 3.5시간을 기다린다.", "#Person1#은 Dr. Kim을 만난다.", "3×4는 12이다.",
    ],
)  # fmt: skip
def test_names_acronyms_units_and_words_of_the_dialogue_are_good(text: str) -> None:
    assert (foreign_words(text, TALK), links(text, TALK)) == ("", "")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("#Person1#은 schedule을 확인한다.", "schedule"), ("#Person1#은 The Lord of the Rings를 본다.", "The Lord of the Rings"),
        ("#Person1# says hello to #Person2#라고 한다.", "says hello to"), ("#Person1#은 He Is Late라고 한다.", "He Is Late"),
        ("#Person1#은 cuộc họp에 간다.", "cuộc họp"), ("#Person1#은 ｍｅｅｔｉｎｇ에 간다.", "meeting"), ("#Person1#은 웃는다. It was good fun.", "It was good fun"),
        ("#Person1#은 très에 간다.", "très"),
    ],
)  # fmt: skip
def test_a_second_language_is_a_fault(text: str, part: str) -> None:
    assert foreign_words(text, TALK) == f"대화에 없는 외국어가 섞임: {part}"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("#Person1#은 https://other.example.com/a?b=1에서 산다.", "https://other.example.com/a?b=1"), ("#Person1#은 www.other.kr을 본다.", "www.other.kr"),
        ("#Person1#은 other.co.kr에서 산다.", "other.co.kr"), ("#Person1#은 me@other.com으로 쓴다.", "me@other.com"), ("자세히는 [여기](http://other.org).", "http://other.org"),
        ("#Person1#은 쉰다. (출처: other.com/talk)", "other.com/talk"), ("#Person1#은 ftp://other.net을 쓴다.", "ftp://other.net"), ("bit.ly/3abc를 본다.", "bit.ly/3abc"),
    ],
)  # fmt: skip
def test_an_address_that_the_dialogue_lacks_is_a_fault(text: str, part: str) -> None:
    assert links(text, TALK) == f"대화에 없는 주소를 씀: {part}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [("#Person1# is late.", ""), ("#Person1# orders naïve café food.", ""), ("#Person1# loves 김치.", ""), ("#Person1# loves 비빔밥.", "영어가 아닌 글자가 섞임: 비 빔 밥"),
     ("#Person1# says 你好.", "영어가 아닌 글자가 섞임: 你 好"), ("#Person1# is \ufffd.", "깨진 글자가 있음")],
)  # fmt: skip
def test_english(text: str, fault: str) -> None:
    talk = "#Person1#: I like 김치."
    assert not_english(text, talk) == fault
    check = summary_check({"dev_1": tags(talk)}, {"dev_1": talk}, "en")
    assert check(ask_about(talk, "dev_1"), text) == fault


@pytest.mark.parametrize(
    ("addition", "part"),
    [
        (" 자세히는 https://other.example.com을 본다.", "주소"), (" 문의는 help@other.com으로 한다.", "help@other.com"), (" 他们明天见面。", "섞임: 他"), (" また明日。", "섞임: ま"),
        (" Они встретятся.", "섞임"), (" พบกัน", "섞임"), (" They will meet again tomorrow.", "외국어가 섞임"),
    ],
)  # fmt: skip
def test_an_otherwise_good_answer_is_asked_for_once_more(ask: Ask, addition: str, part: str) -> None:
    asked: list[str] = []
    answer, usage = ask(chat(GOOD + addition), chat(GOOD))
    assert (answer.text, answer.retried, usage.calls) == (GOOD, True, 2)

    def script(call: scripted_server.Call) -> scripted_server.Reply:
        asked.append(call.body["messages"][-1]["content"])
        return chat(GOOD + addition)

    talk = "#Person1#: 장 봐 줘.\n#Person2#: 그럴게."
    with scripted_server.serve(script) as server:
        check = summary_check({"row_0": tags(talk)}, {"row_0": talk})
        (failed,), _ = llm.ask([ask_about(talk)], config(server.url), check)
    assert failed.text == ""
    assert part in failed.problem
    assert part in asked[1]
