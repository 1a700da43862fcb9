"""The guards and the methods: each guard fires on a case of its own, and nothing with a broken tag passes."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.augment import guards
from common.augment.guards import GuardConfig
from common.augment.local import SentenceDropConfig, TurnDropConfig, sentence_drop, speaker_swap, turn_drop
from common.augment.particles import agree
from common.augment.products import Product, exchange
from common.augment.translation import BackTranslationConfig, back_translate, pieces
from common.competition import NEAR_COPY
from common.dialogue import TAG, clean, parse, tags
from common.prompts.copies import copy_index
from common.rows import Row

TALK = (
    "#Person1#: 어제 산 우산을 버스에 두고 내렸어요. 정말 속상하네요.\n"
    "#Person2#: 아이고, 저런.\n"
    "#Person1#: 분실물 센터에 전화해 보려고 해요.\n"
    "#Person2#: 전화는 #PhoneNumber#이고요. 지금 바로 해 보세요.\n"
    "#Person1#: 고맙습니다. 얼른 걸어 볼게요."
)
PARENT = Row(
    "train_7",
    TALK,
    ("#Person1#은 우산을 버스에 두고 내려서 #Person2#가 분실물 센터 번호를 알려 준다.",),
    "분실",
)
TOLD = (
    "#Person1#: 어제 산 우산을 그만 버스에 놓고 내렸답니다. 정말 속상해요.\n"
    "#Person2#: 아이고, 어쩌나.\n"
    "#Person1#: 분실물 센터에 전화를 걸어 볼까 해요.\n"
    "#Person2#: 전화는 #PhoneNumber#이고요. 바로 지금 걸어 보세요.\n"
    "#Person1#: 고마워요. 얼른 전화해 볼게요."
)
GOOD = Product(TOLD, PARENT.summaries)
CONFIG = GuardConfig()


def verdict(product: Product, parent: Row = PARENT, config: GuardConfig = CONFIG) -> str:
    (case,) = guards.cases([parent], [product], morphemes=True)
    return guards.problem(case, config)


def reason(product: Product, parent: Row = PARENT, config: GuardConfig = CONFIG) -> str:
    return verdict(product, parent, config).partition(":")[0]


def changed(old: str, new: str) -> Product:
    assert old in TOLD
    return Product(TOLD.replace(old, new, 1), PARENT.summaries)


def summarised(text: str) -> Product:
    return Product(TOLD, (text,))


def test_a_good_paraphrase_passes() -> None:
    assert verdict(GOOD) == ""


LAST = TOLD.split("\n")[-1]
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
    names = {guard.__name__ for guard in guards.GUARDS}
    mine = {
        "tags": "dialogue_tags",
        "broken_tag": "broken_tags",
        "summary_length": "length",
        "summary_numbers": "numbers",
        "copy": "copied",
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
    assert guards.near_forbidden(TOLD, index, NEAR_COPY).startswith("near_dev_or_test: similarity 0.")
    far = "#Person1#: 회의가 몇 시로 바뀌었나요?"
    assert guards.near_forbidden(far, index, NEAR_COPY) == ""
    assert guards.near_forbidden(far, copy_index([]), NEAR_COPY) == ""
    folds = np.array([1, 0])
    assert guards.other_fold(TOLD, 1, index, folds, NEAR_COPY) == ""  # its parent's own fold
    assert guards.other_fold(TOLD, 0, index, folds, NEAR_COPY).startswith("other_fold")
    seen = guards.Seen()
    assert seen.duplicate(TOLD, CONFIG) == ""
    seen.add(TOLD)
    assert seen.duplicate(TOLD.replace("어제", "어저께"), CONFIG).startswith("duplicate")
    assert seen.duplicate(far, CONFIG) == ""


# --- speaker_swap and particles


def test_particles_follow_how_the_number_is_read() -> None:
    text = "#Person1#는 오늘 #Person2#을 만나 #Person1#가 또 #Person2#과 함께 #Person3#를 돕고 #Person2#이 #Person1#와의 약속을 #Person2#이랑 지킨다."
    assert agree(text) == (
        "#Person1#은 오늘 #Person2#를 만나 #Person1#이 또 #Person2#와 함께 #Person3#을 돕고 #Person2#가 #Person1#과의 약속을 #Person2#랑 지킨다."
    )
    for kept in (
        "#Person2#에게",
        "#Person1#로부터",
        "#Person1#이다",
        "#Person2#의",
        "#Person2#은하수",
        "#PhoneNumber#은",
    ):
        assert agree(kept) == kept


turn_text = st.lists(st.sampled_from(
    ["네.", "그렇군요.", "아, 정말요?", "#Person1#은 어디예요?", "#Person2#가 왔어요.", "제 번호는 #PhoneNumber#예요.", "우산을 샀어요.",
     "비가 와요.", "좋아요! 그럼 그때 봐요.", "#Person3#도 와요?", "", "7시에 만나요."]), min_size=1, max_size=4).map(" ".join)  # fmt: skip
dialogue = st.lists(
    st.tuples(st.sampled_from(["#Person1#", "#Person2#", "#Person3#"]), turn_text), min_size=1, max_size=9
).map(lambda turns: clean("\n".join(f"{speaker}: {text}" for speaker, text in turns)))
summary = st.sampled_from(
    [
        "#Person1#은 우산을 산다.",
        "#Person2#는 저녁 #Person1#과 7시에 만난다.",
        "비가 온다고 #Person2#가 알린다.",
    ]
)
any_row = st.builds(lambda d, s: Row("train_1", d, (s,), ""), dialogue, summary)


@settings(max_examples=60)
@given(any_row)
def test_a_swap_swapped_back_is_the_row_with_its_particles_right(row: Row) -> None:
    made = speaker_swap(row)
    if isinstance(made, str):
        assert not {"#Person1#", "#Person2#"} <= {turn.speaker for turn in parse(row.dialogue)}
        return
    again = speaker_swap(Row(row.id, made.dialogue, made.summaries, ""))
    assert isinstance(again, Product)
    before = "\n".join(
        f"{t.speaker}: {t.text}".rstrip() if t.speaker else t.text for t in parse(clean(row.dialogue))
    )
    assert again.dialogue == agree(before)
    assert again.summaries == tuple(agree(clean(text)) for text in row.summaries)
    assert Counter(tags(made.dialogue)) == Counter(tags(exchange(before)))
    assert verdict(made, row, replace(CONFIG, highest_similarity=1.0, lowest_rouge=0.0)) in (
        "",
        "copy: nothing was changed",
    )


# --- what drops small talk


@settings(max_examples=60)
@given(any_row, st.integers(0, 5), st.floats(0.1, 1.0), st.booleans())
def test_dropped_turns_say_nothing_of_the_summary(row: Row, seed: int, share: float, join: bool) -> None:
    config = TurnDropConfig(share=share, join=join)
    made = turn_drop(row, config, seed)
    assert made == turn_drop(row, config, seed)
    if isinstance(made, str):
        assert made.startswith("not_applicable")
        return
    before, after = parse(clean(row.dialogue)), parse(made.dialogue)
    assert made.removed
    assert len(after) == len(before) - len(made.removed)
    assert (after[0].speaker, after[-1].speaker) == (before[0].speaker, before[-1].speaker)
    assert after[0].text.startswith(before[0].text)
    assert after[-1].text.endswith(before[-1].text)
    lost = Counter(w for t in before for w in t.text.split()) - Counter(
        w for t in after for w in t.text.split()
    )
    told = " ".join(row.summaries)
    assert not any(
        word[i : i + 2] in told for word in lost for i in range(len(word) - 1) if word[i : i + 2].isalpha()
    )
    assert not any(TAG.search(word) or "?" in word or word[0].isdigit() for word in lost)
    loose = replace(CONFIG, highest_similarity=1.0, lowest_rouge=0.0, lowest_similarity=0.0, shortest=0.0)
    assert verdict(made, row, loose) == ""


@settings(max_examples=60)
@given(any_row, st.integers(0, 5))
def test_dropped_sentences_leave_every_turn(row: Row, seed: int) -> None:
    made = sentence_drop(row, SentenceDropConfig(), seed)
    assert made == sentence_drop(row, SentenceDropConfig(), seed)
    if isinstance(made, str):
        return
    before, after = parse(clean(row.dialogue)), parse(made.dialogue)
    assert [t.speaker for t in after] == [t.speaker for t in before]
    assert (after[0], after[-1]) == (before[0], before[-1])
    assert made.dialogue != clean(row.dialogue)
    loose = replace(CONFIG, highest_similarity=1.0, lowest_rouge=0.0, lowest_similarity=0.0, shortest=0.0)
    assert verdict(made, row, loose) == ""


def test_small_talk_between_two_turns_of_one_speaker_joins_them() -> None:
    made = turn_drop(PARENT, TurnDropConfig(), 0)
    assert isinstance(made, Product)
    assert made.removed == ("#Person2#", "#Person1#")
    assert made.dialogue.split("\n")[0].endswith("속상하네요. 분실물 센터에 전화해 보려고 해요.")
    apart = turn_drop(PARENT, TurnDropConfig(join=False), 0)
    assert isinstance(apart, Product)
    assert apart.removed == ("#Person2#",)
    answer = Row(
        "train_1",
        "#Person1#: 우산 있어요?\n#Person2#: 갈까요?\n#Person1#: 네.\n#Person2#: 그래요.",
        ("비가 온다.",),
        "",
    )
    assert isinstance(turn_drop(answer, TurnDropConfig(), 0), str)  # "네." answers a question


# --- back-translation with translators made by hand

Function = Callable[[str], str]
_WORDS = ("그만", "정말", "바로", "어제", "이제", "조금")


def synonyms(text: str) -> str:
    return (
        text.replace("해 보려고 해요", "걸어 볼까 합니다")
        .replace("두고 내렸어요", "놓고 내렸습니다")
        .replace("얼른", "어서")
    )


def run(function: Function, config: BackTranslationConfig | None = None, row: Row = PARENT) -> Product | str:
    def translate(texts: Sequence[str], source: str, target: str) -> list[str]:
        assert not any(TAG.search(text) or "#" in text for text in texts)
        assert all(any(letter.isalpha() for letter in text) for text in texts if source == "ko")
        assert (source, target) in (("ko", "en"), ("en", "ko"))
        return [function(text) if source == "en" else text for text in texts]

    (made,) = back_translate([row], translate, config or BackTranslationConfig())
    return made


def test_an_honest_translator_passes_and_tags_stay_in_their_places() -> None:
    made = run(synonyms)
    assert isinstance(made, Product)
    assert verdict(made) == ""
    assert made.dialogue.split("\n")[3] == "#Person2#: 전화는 #PhoneNumber#이고요. 지금 바로 해 보세요."
    assert made.summaries == PARENT.summaries
    split_up = run(lambda text: f"{text}!", BackTranslationConfig(inner_tags="split", summaries=True))
    assert isinstance(split_up, Product)
    assert split_up.dialogue.split("\n")[3] == "#Person2#: 전화는! #PhoneNumber#이고요. 지금 바로 해 보세요.!"
    assert tags(split_up.summaries[0]) == ["#Person1#", "#Person2#"]
    assert split_up.summaries[0].count("!") == 2
    assert run(synonyms, BackTranslationConfig(inner_tags="reject")) == "inner_tags: a turn holds a tag"


@given(turn_text, st.sampled_from(["keep", "split"]))
def test_pieces_are_the_text_and_what_is_sent_holds_words_and_no_tag(text: str, how: str) -> None:
    text = clean(text)
    found = pieces(text, how)  # type: ignore[arg-type]
    assert " ".join(piece for piece, _ in found) == text
    for piece, sent in found:
        assert not (sent and TAG.search(piece))
        assert sent == (not TAG.search(piece) and any(letter.isalpha() for letter in piece))


def test_blank_turns_are_kept_and_never_sent() -> None:
    row = Row(
        "train_1",
        "#Person1#: 우산 가져왔어?\n#Person2#:\n#Person1#: …\n#Person2#: 버스에 두고 내렸어.",
        ("#Person2#는 잃는다.",),
        "",
    )
    made = run(lambda text: text + "요", row=row)
    assert isinstance(made, Product)
    assert (
        made.dialogue
        == "#Person1#: 우산 가져왔어?요\n#Person2#:\n#Person1#: …\n#Person2#: 버스에 두고 내렸어.요"
    )


@pytest.mark.parametrize(
    ("change", "count"), [(lambda t: t[:-1], 4), (lambda t: [*t, "더"], 6), (lambda t: [], 0)]
)
def test_another_number_of_answers_is_an_error(change: Callable[[list[str]], list[str]], count: int) -> None:
    with pytest.raises(ValueError, match=rf"returned {count} texts for 5, ko to en"):
        back_translate([PARENT], lambda texts, *_: change(list(texts)), BackTranslationConfig())


HOSTILE: dict[str, Function] = {
    "empty": lambda text: "",
    "spaces": lambda text: " \n\t",
    "english": lambda text: "I have no idea what you are talking about, sorry.",
    "input": lambda text: text,
    "loop": lambda text: "그리고 나서 " * 12,
    "new turn": lambda text: text + "\n#Person2#: 저도요",
    "tag": lambda text: "#Person1# " + text,
    "spaced tag": lambda text: "# Person 1 #은 " + text,
    "lower tag": lambda text: "#person1# " + text,
    "torn tag": lambda text: "#Person1 " + text,
    "bare tag": lambda text: "Person1은 " + text,
    "full width": lambda text: "＃Person1＃ " + text,
    "hash": lambda text: text + " #",
    "masked": lambda text: text + " #Email#",
    "kana": lambda text: "それは " + text,
    "broken": lambda text: text + "\ufffd",
    "zero width": lambda text: "#Per\u200bson1# " + text,
    "long": lambda text: " ".join([text, *map("{}번째 이야기를 이어 갑니다.".format, range(9))]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_translator_gets_nothing_through(name: str) -> None:
    made = run(HOSTILE[name])
    assert isinstance(made, Product)
    assert reason(made) != ""


BITS = ("#", "#Person1#", "#Person2#:", "# Person1 #", "#person2#", "Person1", "＃", "\n", " ", "", "네", "우산", "person 2", "#PhoneNumber#",
        "\u200b", "1#", "#Person", "hello", "#Person12#", "##Person1##")  # fmt: skip


@settings(max_examples=150)
@given(st.lists(st.sampled_from(BITS), max_size=4), st.integers(0, 2**16), any_row)
def test_nothing_with_a_broken_tag_passes(bits: list[str], seed: int, row: Row) -> None:
    """What passes has the parent's tags in the parent's turns, and nothing more that looks like one."""
    rng = random.Random(seed)

    def hostile(text: str) -> str:
        words = text.split(" ")
        for bit in bits:
            words.insert(rng.randint(0, len(words)), bit)
        return ("" if rng.random() < 0.3 else " ").join(words)

    made = run(hostile, BackTranslationConfig(inner_tags="split", summaries=True), row)
    assert isinstance(made, Product)
    anything = GuardConfig(0.0, 1.0, 0.0, 0.0, 99.0, 1.0, 1.0)
    if verdict(made, row, anything):
        return
    before, after = parse(clean(row.dialogue)), parse(clean(made.dialogue))
    assert [t.speaker for t in after] == [t.speaker for t in before]
    for old, new in ((row.dialogue, made.dialogue), (row.summaries[0], made.summaries[0])):
        old, new = clean(old), clean(new)
        assert Counter(tags(new)) == Counter(tags(old))
        rest = TAG.sub(" ", new)
        assert "#" not in rest
        assert "＃" not in rest
        assert "person" not in rest.lower()
