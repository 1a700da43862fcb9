"""Each guard fires on a case of its own."""

from dataclasses import replace

import numpy as np
import pytest

from common.augment.guards import GUARDS, Duplicates, near_forbidden, other_fold
from common.augment.products import Product, exchange
from common.data.competition import NEAR_COPY
from common.data.near_copies import copy_index
from tests.support.guarded import CONFIG, PARENT, TALK, reason, verdict

TOLD = (
    "#Person1#: 어제 산 우산을 그만 버스에 놓고 내렸답니다. 정말 속상해요.\n"
    "#Person2#: 아이고, 어쩌나.\n"
    "#Person1#: 분실물 센터에 전화를 걸어 볼까 해요.\n"
    "#Person2#: 전화는 #PhoneNumber#이고요. 바로 지금 걸어 보세요.\n"
    "#Person1#: 고마워요. 얼른 전화해 볼게요."
)
GOOD = Product(TOLD, PARENT.summaries)


def changed(old: str, new: str) -> Product:
    assert old in TOLD
    return Product(TOLD.replace(old, new, 1), PARENT.summaries)


def summarised(text: str) -> Product:
    return Product(TOLD, (text,))


def test_a_good_paraphrase_passes() -> None:
    assert verdict(GOOD) == ""


CASES: dict[str, list[tuple[str, Product]]] = {
    "blank": [
        ("no dialogue", Product(" \n", PARENT.summaries)),
        ("no summary", summarised("  ")),
        ("none", Product(TOLD, ())),
        ("a turn", changed("아이고, 어쩌나.", "")),
    ],
    "summary_tags": [
        ("lost", summarised("우산을 버스에 두고 내려서 #Person2#가 분실물 센터 번호를 알려 준다.")),
        ("other", summarised(PARENT.summaries[0].replace("#Person2#", "#Person3#"))),
        ("lower case", summarised(PARENT.summaries[0].replace("#Person2#", "#persona2#"))),
        ("twice", summarised(PARENT.summaries[0] + " #Person2#가 돕는다.")),
        ("one too many", Product(TOLD, PARENT.summaries * 2)),
    ],
    "tags": [
        ("lost", changed("#PhoneNumber#", "전화 번호")),
        ("twice", changed("#PhoneNumber#", "#PhoneNumber# #PhoneNumber#")),
        ("another", changed("#PhoneNumber#", "#Email#")),
        ("inside out", changed("분실물 센터", "#Address# 센터")),
    ],
    "broken_tag": [
        ("hash", changed("고마워요", "고마워요#")),
        ("bare name", changed("고마워요", "Person1 고마워요")),
        ("spelt out", changed("고마워요", "phone number 고마워요")),
        ("in the summary", summarised(PARENT.summaries[0] + "#")),
    ],
    "turns": [
        ("other order", Product("\n".join([*TOLD.split("\n")[1::-1], *TOLD.split("\n")[2:]]), PARENT.summaries)),
        ("lines without a speaker", Product("서문\n" + TOLD, PARENT.summaries)),
    ],
    "length": [
        ("long", changed("고마워요", "고마워요 " + " ".join(f"{i}번째로 말씀드리는 이야기" for i in range(30)))),
    ],
    "summary_length": [
        ("short", summarised("#Person1#과 #Person2#.")),
        ("long", summarised(PARENT.summaries[0] + " 그리고 나서 둘은 한참 동안 날씨와 점심 이야기를 더 나누고 헤어지기로 하였다고 한다. 그다음 날도 만난다.")),
    ],
    "hangul": [
        ("english", Product(
            "#Person1#: I left my umbrella on the bus, so sad.\n#Person2#: Oh no.\n#Person1#: I will call lost and found."
            "\n#Person2#: It is #PhoneNumber#. Call them now.\n#Person1#: Thanks.", PARENT.summaries)),
        ("english summary", summarised("#Person1# left an umbrella, #Person2# gives the number.")),
    ],
    "script": [
        ("hanja", changed("분실물", "紛失物")),
        ("kana", changed("아이고", "アイゴー")),
        ("cyrillic in a summary", summarised(PARENT.summaries[0].replace("센터", "Ж센터"))),
        ("broken bytes", changed("아이고", "아이\ufffd고")),
    ],
    "repetition": [
        ("phrase", changed("고마워요.", "고마워요 고마워요 고마워요 고마워요 고마워요")),
        ("letter", changed("고마워요.", "고마워요" + "ㅋ" * 12)),
    ],
    "summary_numbers": [("made up", summarised(PARENT.summaries[0].replace("우산을", "우산 2개를")))],
    "copy": [
        ("itself", Product(TALK, PARENT.summaries)),
        ("one letter", Product(TALK.replace("속상하네요.", "속상하네요!"), PARENT.summaries)),
    ],
    "other_story": [
        ("another", Product(
            "#Person1#: 저녁으로 김치찌개를 끓일까 하는데 어떠세요.\n#Person2#: 좋지요, 그럼.\n#Person1#: 두부는 시장에서 사 올게요."
            "\n#Person2#: 주문하려면 #PhoneNumber#입니다. 고기도 부탁해요.\n#Person1#: 알겠어요. 일곱 시쯤 먹어요.",
            PARENT.summaries)),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "product"), [pytest.param(r, p, id=f"{r}-{n}") for r, cases in CASES.items() for n, p in cases]
)
def test_every_guard_fires_on_a_case_of_its_own(wanted: str, product: Product) -> None:
    assert reason(product) == wanted


def test_no_guard_of_the_list_is_untested() -> None:
    names = {guard.__name__ for guard in GUARDS}
    mine = {
        "tags": "dialogue_tags",
        "broken_tag": "broken_tags",
        "summary_length": "length",
        "summary_numbers": "numbers",
        "copy": "unchanged",
    }
    assert {mine.get(wanted, wanted) for wanted in CASES} == names


def test_declared_exceptions_hold_for_what_was_declared_only() -> None:
    lines = TALK.split("\n")
    dropped = "\n".join([lines[0], *lines[2:]])
    wide = replace(CONFIG, highest_similarity=1.0)
    assert verdict(Product(dropped, PARENT.summaries, ("#Person2#",)), config=wide) == ""
    assert reason(Product(dropped, PARENT.summaries), config=wide) == "tags"
    assert reason(Product(dropped, PARENT.summaries, ("#Person1#",)), config=wide) == "tags"
    assert reason(Product(exchange(TALK), (exchange(PARENT.summaries[0]),)), config=wide) == "tags"
    swapped = Product(exchange(TALK), (exchange(PARENT.summaries[0]),), exchanged=True)
    assert verdict(swapped, config=wide) == ""
    assert reason(replace(swapped, dialogue=TALK), config=wide) == "tags"


def test_dev_and_test_other_folds_and_twins() -> None:
    index = copy_index([TALK, "#Person1#: 비빔밥 먹으러 갈까?"])
    assert near_forbidden(TOLD, index, NEAR_COPY).startswith("near_dev_or_test: similarity 0.")
    far = "#Person1#: 회의가 몇 시로 바뀌었나요?"
    assert near_forbidden(far, index, NEAR_COPY) == ""
    assert near_forbidden(far, copy_index([]), NEAR_COPY) == ""
    folds = np.array([1, 0])
    assert other_fold(TOLD, 1, index, folds, NEAR_COPY) == ""  # its parent's own fold
    assert other_fold(TOLD, 0, index, folds, NEAR_COPY).startswith("other_fold")
    seen = Duplicates()
    assert seen.duplicate(TOLD, CONFIG) == ""
    seen.add(TOLD)
    assert seen.duplicate(TOLD.replace("어제", "어저께"), CONFIG).startswith("duplicate")
    assert seen.duplicate(far, CONFIG) == ""
