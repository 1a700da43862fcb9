"""Provide a row, its paraphrase and random rows, for the tests of guards and methods."""

from hypothesis import strategies as st

from common.augment import guards
from common.augment.guards import GuardConfig
from common.augment.products import Product
from common.data.dialogue import clean
from common.data.rows import Row

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
CONFIG = GuardConfig()


def verdict(product: Product, parent: Row = PARENT, config: GuardConfig = CONFIG) -> str:
    (case,) = guards.cases([parent], [product], morphemes=True)
    return guards.problem(case, config)


def reason(product: Product, parent: Row = PARENT, config: GuardConfig = CONFIG) -> str:
    return verdict(product, parent, config).partition(":")[0]


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
