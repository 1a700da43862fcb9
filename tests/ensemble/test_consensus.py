"""Vote and consensus by their definitions: weights count, ties are decided aloud, a candidate never vouches for itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.core.errors import UserError
from common.ensemble.consensus import Consensus, agreement, scores, vote
from common.ensemble.pool import Pool, choose, duplicate_members
from common.rouge import METRICS
from common.runs.candidates import Candidate


def one_dialogue(texts: list[str], utility: np.ndarray) -> Pool:
    """A pool of one dialogue in which every text is another member's prediction."""
    n = len(texts)
    return Pool(
        ("a",), tuple(f"exp{i:03d}" for i in range(n)), (tuple(texts),), np.arange(n)[None], np.zeros((1, n), int),
        np.full((1, n), np.nan), np.repeat(utility[None, :, :, None], len(METRICS), 3).astype(np.float32),
    )  # fmt: skip


# vote

texts_and_weights = st.lists(
    st.tuples(st.sampled_from(["비가 온다", "눈이 온다", "바람이 분다", "해가 뜬다"]), st.integers(0, 5)),
    min_size=1,
    max_size=8,
).filter(lambda members: any(weight for _, weight in members))


def voted(members: list[tuple[str, int]], utility: np.ndarray | None = None) -> tuple[str, bool]:
    texts, weights = zip(*members, strict=True)
    pool = one_dialogue(list(texts), np.eye(len(texts)) if utility is None else utility)
    counted, ties = vote(pool, agreement(pool), Consensus(weights))
    return texts[int(choose(counted)[0])], bool(ties[0])


@given(members=texts_and_weights)
def test_the_text_with_most_weight_wins(members: list[tuple[str, int]]) -> None:
    behind: dict[str, int] = {}
    for text, weight in members:
        behind[text] = behind.get(text, 0) + weight
    winners = {text for text, weight in behind.items() if weight == max(behind.values())}
    text, tied = voted(members)
    assert text in winners
    assert tied == (len(winners) > 1)


def test_votes_that_differ_by_rounding_alone_are_a_tie() -> None:
    members = [("a", 0.3), ("b", 0.1), ("b", 0.1), ("b", 0.1)]  # 0.1 + 0.1 + 0.1 > 0.3 in floats
    assert voted(members)[1]  # type: ignore[arg-type]


def test_a_tie_falls_to_consensus_among_the_tied_alone() -> None:
    # c agrees most with everybody, but has less weight than a and b, of which b agrees more.
    utility = np.array([[1, 0.1, 0.1], [0.2, 1, 0.6], [0.9, 0.9, 1]])
    assert voted([("a", 2), ("b", 2), ("c", 1)], utility) == ("b", True)
    assert voted([("a", 3), ("b", 2), ("c", 1)], utility) == ("a", False)


def test_only_predictions_vote() -> None:
    pool = one_dialogue(["a", "b", "b"], np.eye(3))
    second = Pool(pool.ids, pool.members[:2], pool.texts, np.array([[0, 1, 0]]), np.array([[0, 0, 1]]), pool.logprob,
                  pool.utility)  # fmt: skip
    counted, ties = vote(second, agreement(second), Consensus((1.5, 1.0)))
    assert np.isneginf(counted[0, 2])
    assert choose(counted)[0] == 0
    assert not ties[0]


# consensus


def reference(utility: np.ndarray, weights: list[float]) -> list[float]:
    """The definition, written out."""
    n = len(weights)
    found = []
    for i in range(n):
        others = [j for j in range(n) if j != i and weights[j] > 0]
        total = sum(weights[j] for j in others)
        found.append(sum(weights[j] * utility[i, j] for j in others) / total if total else 0.0)
    return found


def agreed(utility: np.ndarray, weights: list[float]) -> np.ndarray:
    pool = one_dialogue([f"text {i}" for i in range(len(weights))], utility)
    found: np.ndarray = scores(agreement(pool), Consensus(tuple(weights)))[0]
    return found


@st.composite
def pools(draw: st.DrawFn) -> tuple[np.ndarray, list[float]]:
    n = draw(st.integers(1, 6))
    cells = draw(st.lists(st.integers(0, 8), min_size=n * n, max_size=n * n))
    weights = draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=n, max_size=n).filter(any))
    return np.array(cells, dtype=float).reshape(n, n) / 8, weights


@given(pool=pools())
def test_consensus_is_its_definition(pool: tuple[np.ndarray, list[float]]) -> None:
    assert agreed(*pool) == pytest.approx(reference(*pool), abs=1e-5)


@given(pool=pools(), own=st.floats(0, 100))
def test_a_candidate_never_vouches_for_itself(pool: tuple[np.ndarray, list[float]], own: float) -> None:
    utility, weights = pool
    louder = utility.copy()
    np.fill_diagonal(louder, own)
    assert agreed(louder, weights).tolist() == agreed(utility, weights).tolist()


@given(pool=pools(), order=st.randoms())
def test_permuting_the_candidates_permutes_the_scores(pool: tuple[np.ndarray, list[float]], order) -> None:  # type: ignore[no-untyped-def]
    utility, weights = pool
    places = list(range(len(weights)))
    order.shuffle(places)
    after = agreed(utility[np.ix_(places, places)], [weights[p] for p in places])
    assert after == pytest.approx(agreed(utility, weights)[places], abs=1e-5)


@given(pool=pools(), factor=st.sampled_from([0.25, 2.0, 1000.0]))
def test_only_the_ratio_of_weights_counts(pool: tuple[np.ndarray, list[float]], factor: float) -> None:
    utility, weights = pool
    scaled = agreed(utility, [weight * factor for weight in weights])
    assert scaled == pytest.approx(agreed(utility, weights), abs=1e-5)


def test_a_text_without_weight_may_win_but_never_votes() -> None:
    utility = np.array([[1, 0.2, 0.2], [0.9, 1, 0.9], [0.2, 0.2, 1]])
    found = agreed(utility, [1, 0, 1])
    assert found.argmax() == 1
    assert found[1] == pytest.approx(0.9)


def test_the_utility_is_not_taken_as_symmetric() -> None:
    assert agreed(np.array([[0, 0.1], [0.8, 0]]), [1, 1]).argmax() == 1  # does well with 0 as the reference


def test_a_lone_candidate_has_nothing() -> None:
    assert agreed(np.array([[1.0]]), [3]).tolist() == [0.0]


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, float("nan")], [0.0, 0.0]])
def test_weights_that_do_not_match_are_refused(weights: list[float]) -> None:
    pool = one_dialogue(["a", "b"], np.eye(2))
    with pytest.raises(UserError, match="wanted"):
        vote(pool, agreement(pool), Consensus(tuple(weights)))


# members that are there twice


def test_a_member_that_repeats_another_is_found() -> None:
    def member(*texts: str) -> dict[str, list[Candidate]]:
        return {f"dev_{i}": [Candidate(text, None, 1)] for i, text in enumerate(texts)}

    one = "#Person1#은 내일 아침 일찍 역에서 친구를 만나기로 한다.", "#Person2#는 비가 와서 우산을 새로 산다."
    almost = one[0].replace("한다.", "한다 ."), one[1]
    other = "#Person1#과 #Person2#는 이사에 대해 이야기한다.", "#Person2#는 표를 바꾼다."
    members = {
        "exp001": member(*one),
        "exp002": member(*other),
        "exp003": member(*almost),
        "exp004": member(*one),
    }
    assert duplicate_members(members) == {"exp003": "exp001", "exp004": "exp001"}
    assert duplicate_members({"exp001": member(*one), "exp002": member(*other)}) == {}
