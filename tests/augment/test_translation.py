"""Back-translation: tags stay in their places whatever a translator answers."""

import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.augment.guards import GuardConfig
from common.augment.products import Product
from common.augment.translation import BackTranslationConfig, back_translate, pieces
from common.data.dialogue import TAG, clean, parse, tags
from common.data.rows import Row
from tests.support.guarded import PARENT, any_row, reason, turn_text, verdict

Function = Callable[[str], str]


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
