"""Provide rows to choose shots from."""

from hypothesis import strategies as st

from common.data.rows import Row

TALKS = {
    "train_0": ("#Person1#: 우산을 버스에 두고 내렸어.\n#Person2#: 분실물 센터에 전화해 봤어?\n#Person1#: 아직. 번호를 몰라.", "#Person1#은 버스에 우산을 두고 내린다."),
    "train_1": ("#Person1#: 김치찌개 드실래요?\n#Person2#: 매운 건 못 먹어요. 비빔밥으로 할게요.", "#Person2#는 비빔밥을 고른다."),
    "train_2": ("#Person1#: 회의가 몇 시로 바뀌었나요?\n#Person2#: 세 시요. 회의실은 그대로예요.", "회의가 세 시로 바뀐다."),
    "train_3": ("#Person1#: 강아지가 어제부터 밥을 안 먹어요.\n#Person2#: 병원에 데려가 보셨어요?", "#Person1#의 강아지가 밥을 먹지 않는다."),
    "train_4": ("#Person1#: 도서관 책을 잃어버렸는데 어떻게 하죠?\n#Person2#: 같은 책을 사 오시면 됩니다.", "#Person2#는 같은 책을 사 오라고 한다."),
}  # fmt: skip
ROWS = tuple(Row(key, talk, (summary,), "") for key, (talk, summary) in TALKS.items())

# train_0 in other words: no long run of letters is the same
RETOLD = Row(
    "train_9",
    "#Person1#: 나 우산을 버스에 두고 내렸나 봐.\n#Person2#: 분실물 센터에 전화해 봤니?\n#Person1#: 아직이야. 번호를 모르거든.",
    ("#Person1#은 우산을 잃는다.",),
    "",
)
LOST = "#Person1#: 지하철에 우산이랑 가방을 두고 내렸어요.\n#Person2#: 분실물 접수는 여기서 하시면 됩니다."
word = st.sampled_from(
    [
        "오늘",
        "내일",
        "회의",
        "우산",
        "병원",
        "전화",
        "비빔밥",
        "도서관",
        "강아지",
        "버스",
        "세시",
        "먹어요",
        "좋아요",
        "어때요",
        "가요",
    ]
)
talk = st.lists(st.lists(word, min_size=1, max_size=6).map(" ".join), min_size=1, max_size=4).map(
    lambda lines: "\n".join(f"#Person{i % 2 + 1}#: {line}." for i, line in enumerate(lines))
)


def row(key: str, dialogue: str, summary: str = "요약한다.") -> Row:
    return Row(key, dialogue, (summary,) if summary else (), "")
