"""Methods without a model: swapped speakers keep their particles, dropped turns say nothing of the summary."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from common.augment.local import SentenceDropConfig, TurnDropConfig, sentence_drop, speaker_swap, turn_drop
from common.augment.particles import fix_particles
from common.augment.products import Product, exchange
from common.data.dialogue import TAG, clean, parse, tags
from common.data.rows import Row
from tests.support.guarded import CONFIG, PARENT, any_row, verdict

LOOP = "repetition: a phrase four times in a row"
"""Equal phrases may meet where something is dropped; the guard then rejects the row."""


def test_particles_follow_how_the_number_is_read() -> None:
    text = "#Person1#는 오늘 #Person2#을 만나 #Person1#가 또 #Person2#과 함께 #Person3#를 돕고 #Person2#이 #Person1#와의 약속을 #Person2#이랑 지킨다."
    assert fix_particles(text) == (
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
        assert fix_particles(kept) == kept


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
    assert again.dialogue == fix_particles(before)
    assert again.summaries == tuple(fix_particles(clean(text)) for text in row.summaries)
    assert Counter(tags(made.dialogue)) == Counter(tags(exchange(before)))
    assert verdict(made, row, replace(CONFIG, highest_similarity=1.0, lowest_rouge=0.0)) in (
        "",
        "copy: nothing was changed",
    )


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
    assert verdict(made, row, loose) in ("", LOOP)


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
    assert verdict(made, row, loose) in ("", LOOP)


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
