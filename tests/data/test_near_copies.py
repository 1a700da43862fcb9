"""Near-copies: similarity by letters, and an index that agrees with the definition."""

from hypothesis import given
from hypothesis import strategies as st

from common.data.competition import NEAR_COPY
from common.data.near_copies import copy_index, grams, letters, similarity
from tests.support.shots import LOST, RETOLD, ROWS, talk

# Near-copies


def test_similarity_sees_letters_alone() -> None:
    assert letters("#Person1#: 자, Tom 왔다!\n#Person2#: 3시?") == "자tom왔다3시"
    assert similarity(grams("#Person1#: 자, Tom 왔다!"), grams("#Person2#: 자 TO M 왔다")) == 1.0
    assert similarity(grams("가나다라"), grams("마바사아")) == 0.0
    assert similarity(grams("?!"), grams("")) == 1.0
    assert similarity(grams(RETOLD.dialogue), grams(ROWS[0].dialogue)) >= NEAR_COPY
    assert similarity(grams(LOST), grams(ROWS[0].dialogue)) < NEAR_COPY


@given(st.lists(talk, min_size=1, max_size=8), talk, st.sampled_from((0.1, 0.15, 0.5, 1.0)))
def test_the_index_agrees_with_the_definition(texts: list[str], question: str, threshold: float) -> None:
    made = copy_index(texts)
    sets = [grams(text) for text in texts]
    asked = grams(question)
    assert made.similarities(asked).tolist() == [similarity(asked, one) for one in sets]
    group = {i for i, one in enumerate(sets) if similarity(asked, one) >= threshold}
    while (
        more := {i for i in range(len(sets)) for j in group if similarity(sets[i], sets[j]) >= threshold}
        - group
    ):
        group |= more
    assert made.group(asked, threshold) == group
