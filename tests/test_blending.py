"""Choosing among members' candidates: consensus over a whole pool, what dev teaches, and what that is honestly worth."""

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from common.candidates import Candidate
from common.competition import names as names_of_competitions
from common.ensemble import learned, nested
from common.ensemble.consensus import Consensus, agreement, scores, search
from common.ensemble.features import OF_TEXT, features, names
from common.ensemble.neighbours import NAMES, neighbours
from common.ensemble.nested import METHODS, PLAIN, Known, out_of_fold, shuffled, verdicts
from common.ensemble.pool import Pool, choose, copies, pool
from common.errors import UserError
from common.recipes import read_recipe
from common.rouge import corpus
from common.rows import Row

NEAR_COPY = 0.999  # the tests' dialogues are all alike
CONSTANT = "#Person1#과 #Person2#는 함께 이야기를 나눈다."


def texts_of(row: Row, error: float, rng: random.Random, count: int) -> list[Candidate]:
    """Summaries with that share of their words wrong."""
    made = []
    for _ in range(count):
        words = [w if rng.random() > error else rng.choice(tiny.THINGS) for w in row.summaries[0].split()]
        made.append(Candidate(" ".join(words), -10 * error, len(words)))
    return made


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Sixty dialogues that differ."""
    found = {row.dialogue: row for row in tiny.rows(400, "dev", seed=5)}
    rows = [replace(row, id=f"dev_{number}") for number, row in enumerate(list(found.values())[:60])]
    assert len(rows) == 60
    return rows


def measured(rows: list[Row], members: dict[str, dict[str, list[Candidate]]]) -> Known:
    found = pool(members)
    target = np.zeros(found.owner.shape)
    for place, (texts, row) in enumerate(zip(found.texts, rows, strict=True)):
        result = corpus(texts, [list(row.summaries)] * len(texts), "leaderboard")
        target[place, : len(texts)] = result.per_example["leaderboard"]
    dialogues = {row.id: row.dialogue for row in rows}
    return Known(found, agreement(found), features(found, dialogues), target, tuple(rows), NEAR_COPY)


@pytest.fixture(scope="module")
def unequal(rows: list[Row]) -> Known:
    """One good member, and four that say almost the same to everybody."""
    rng = random.Random(0)
    members = {"exp001": {row.id: texts_of(row, 0.2, rng, 3) for row in rows}}
    for number in range(2, 6):
        members[f"exp00{number}"] = {
            row.id: [Candidate(CONSTANT, -1.0, 9), Candidate(f"{CONSTANT[:-1]} {number}번.", -1.0, 10)]
            for row in rows
        }
    return measured(rows, members)


@pytest.fixture(scope="module")
def alike(rows: list[Row]) -> Known:
    """Four members of about the same quality."""
    rng = random.Random(1)
    return measured(
        rows,
        {f"exp00{n}": {row.id: texts_of(row, 0.3 + n / 100, rng, 3) for row in rows} for n in range(1, 5)},
    )


# --- the pool


def test_a_pool_keeps_order_owners_and_padding(rows: list[Row]) -> None:
    one = {"a": [Candidate("하나.", -2.0, 2), Candidate("둘.", None, 2), Candidate("하나.", -9.0, 2)]}
    two = {"a": [Candidate("둘.", -3.0, 3)]}
    found = pool({"exp001": one, "exp002": two})
    assert found.texts == (
        ("하나.", "둘.", "둘."),
    )  # equal texts of one member count once, of two members twice
    assert found.owner.tolist() == [[0, 0, 1]]
    assert found.place.tolist() == [[0, 1, 0]]
    assert found.logprob[0, [0, 2]].tolist() == [-1.0, -1.0]
    assert np.isnan(found.logprob[0, 1])
    assert found.of("exp002").tolist() == [2]
    longer = pool({"exp001": {"a": one["a"], "b": [Candidate("셋.", -1.0, 1)]}})
    assert longer.owner.tolist() == [[0, 0], [0, -1]]
    assert longer.take([1]).texts == (("셋.",),)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "at least one member"),
        ({"exp001": {}}, "exp001 has no dialogues"),
        ({"exp001": {"a": [Candidate("하나.", None, 1)]}, "exp002": {"b": [Candidate("둘.", None, 1)]}},
         "exp002 and exp001 do not have the same dialogues (2 differ, for example 'a')"),
        ({"exp001": {"a": [Candidate(" ", None, 1)]}}, "exp001 has no text for 'a'"),
    ],
)  # fmt: skip
def test_a_pool_that_cannot_be(members: dict[str, dict[str, list[Candidate]]], message: str) -> None:
    with pytest.raises(UserError) as caught:
        pool(members)
    assert message in str(caught.value)


# --- consensus


@settings(max_examples=30)
@given(
    weights=st.lists(st.floats(0.05, 5), min_size=4, max_size=4),
    mix=st.tuples(st.floats(0.1, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_a_members_candidates_share_its_weight(
    alike: Known, weights: list[float], mix: tuple[float, ...]
) -> None:
    found = scores(alike.agreement, Consensus(tuple(weights), mix))
    share = np.array(mix) / sum(mix)
    for place, texts in enumerate(alike.pool.texts[:8]):
        size = len(texts)
        owner = alike.pool.owner[place, :size]
        utility = alike.pool.utility[place, :size, :size].astype(float) @ share
        each = np.array([weights[number] / (owner == number).sum() for number in owner])
        for one in range(size):
            others = np.delete(each, one)
            expected = np.delete(utility[one], one) @ others / others.sum()
            assert found[place, one] == pytest.approx(expected, abs=1e-5)
        assert np.isneginf(found[place, size:]).all()


def test_some_dialogues_of_an_agreement_are_the_agreement_of_some(alike: Known) -> None:
    some = np.array([3, 1, 7])
    one, two = alike.agreement.take(some), agreement(alike.pool.take(some))
    for name in ("utility", "share", "log_length", "owner"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


def test_references_and_candidates_may_be_separate_sets(alike: Known) -> None:
    weights = (0.0, 1.0, 1.0, 1.0)
    chosen = choose(scores(alike.agreement, Consensus(weights, hypotheses=(0,))))
    assert (alike.pool.owner[np.arange(60), chosen] == 0).all()
    free = choose(scores(alike.agreement, Consensus(weights)))
    assert (alike.pool.owner[np.arange(60), free] != 0).any()


def test_the_length_preference_prefers(alike: Known) -> None:
    def length(preference: float) -> float:
        chosen = choose(scores(alike.agreement, Consensus((1.0,) * 4, length=preference)))
        return float(np.mean([len(texts[i]) for texts, i in zip(alike.pool.texts, chosen, strict=True)]))

    assert length(-1) < length(0) < length(1)


@pytest.mark.parametrize(
    "setting",
    [Consensus((1.0,)), Consensus((1.0, 1.0, 1.0, -1.0)), Consensus((0.0,) * 4), Consensus((1.0,) * 4, (0.0,) * 4), Consensus((1.0,) * 4, (1.0, 1.0)),
     Consensus((1.0, 1.0, 1.0, float("nan")))],
)  # fmt: skip
def test_weights_that_do_not_match_are_refused(alike: Known, setting: Consensus) -> None:
    with pytest.raises(UserError, match="wanted"):
        scores(alike.agreement, setting)


def test_the_search_never_ends_below_its_start_and_counts_its_trials(unequal: Known) -> None:
    rows = np.arange(60)
    start = unequal.target[rows, choose(scores(unequal.agreement, Consensus((1.0,) * 5)))].mean()
    found = search(unequal.agreement, unequal.target, trials=300)
    assert found.trials == 300
    assert found.score > start
    assert found.score == pytest.approx(
        unequal.target[rows, choose(scores(unequal.agreement, found.setting))].mean()
    )
    assert search(unequal.agreement, unequal.target, trials=300) == found
    assert search(unequal.agreement, unequal.target, trials=1).score == pytest.approx(start)


def test_a_candidate_said_twice_by_one_member_changes_nothing(rows: list[Row]) -> None:
    rng = random.Random(2)
    members = {f"exp00{n}": {row.id: texts_of(row, 0.4, rng, 3) for row in rows[:10]} for n in (1, 2)}
    again = {
        name: {key: [*group, group[0], group[0]] for key, group in by_id.items()}
        for name, by_id in members.items()
    }
    one, two = pool(members), pool(again)
    assert one.texts == two.texts
    assert np.array_equal(one.utility, two.utility)


# --- features


def test_features_say_what_they_are_called(rows: list[Row]) -> None:
    row = Row("a", "#Person1#: 우산 3개 살까요?\n#Person2#: 네, 좋아요.", ("",), "")
    group = [
        Candidate("#Person1#은 우산 3개를 산다.", -4.0, 8),
        Candidate("#Person7#은 책상 9개를 판다 판다 판다", None, 9),
    ]
    found = pool({"exp001": {"a": group}})
    columns = dict(zip(names(found), features(found, {"a": row.dialogue})[0].T, strict=True))
    assert columns["ends_in_stop"].tolist() == [1, 0]
    assert columns["tags_invented"].tolist() == [0, 1]
    assert columns["speakers_missing"].tolist() == [1, 2]
    assert columns["numbers_invented"].tolist() == [0, 1]
    assert columns["numbers_kept"].tolist() == [1, 0]
    assert columns["logprob"].tolist() == [-0.5, 0]
    assert columns["logprob_known"].tolist() == [1, 0]
    assert columns["is_prediction"].tolist() == [1, 0]
    assert columns["repeated_bigrams"][1] > columns["repeated_bigrams"][0]
    assert columns["source_coverage"][0] > columns["source_coverage"][1]
    assert columns["novel"][0] < columns["novel"][1]
    assert set(OF_TEXT) <= set(columns)


def test_features_never_see_a_reference(rows: list[Row], alike: Known) -> None:
    other = [replace(row, summaries=("전혀 다른 요약.",)) for row in rows]
    members = {
        name: {key: [Candidate(t, None, 1) for t, o in zip(texts, owners, strict=False) if o == number]
               for key, texts, owners in zip(alike.pool.ids, alike.pool.texts, alike.pool.owner, strict=True)}
        for number, name in enumerate(alike.pool.members)
    }  # fmt: skip
    one, two = measured(rows, members), measured(other, members)
    assert np.array_equal(one.columns, two.columns)
    assert not np.array_equal(one.target, two.target)


def test_neighbours_are_trains_summaries_but_never_the_dialogues_own() -> None:
    asked = Row(
        "dev_0", "#Person1#: 우산을 사러 시장에 갈까요?\n#Person2#: 비가 오니 우산을 사러 갑시다.", ("",), ""
    )
    train = [
        Row("train_0", asked.dialogue.replace("갑시다", "가요"), ("두 사람은 시장에서 우산을 산다.",), ""),
        Row(
            "train_1",
            "#Person1#: 시장에서 모자를 살까요?\n#Person2#: 그럽시다, 해가 세네요.",
            ("두 사람은 모자를 산다.",),
            "",
        ),
        Row(
            "train_2",
            "#Person1#: 은행이 어디예요?\n#Person2#: 길 건너에 있어요.",
            ("#Person1#은 은행을 찾는다.",),
            "",
        ),
    ]
    group = [Candidate(row.summaries[0], None, 1) for row in train]
    found = pool({"exp001": {"dev_0": group}})
    columns = neighbours(found, [asked], train, 0.5, "mecab", "leaderboard")[0]
    best = dict(zip(NAMES, columns.T, strict=True))["neighbours_best_rouge1"]
    assert best[0] < 1  # of its own dialogue told twice
    assert best[1:].tolist() == [1, 1]
    mean = dict(zip(NAMES, columns.T, strict=True))["neighbours_mean_rouge1"]
    assert mean[1] > mean[2]  # the nearer one weighs more
    with pytest.raises(UserError, match='row "dev_0" is one of the dev and test rows'):
        neighbours(found, [asked], [*train, asked], 0.5, "mecab", "leaderboard")
    alone = neighbours(found, [asked], train[:1], 0.5, "mecab", "leaderboard")
    assert not alone.any()  # nothing but the dialogue itself is left


# --- what dev teaches, and what it is worth


def test_on_unequal_members_consensus_loses_and_stacking_does_not(unequal: Known) -> None:
    found = {verdict.method: verdict for verdict in verdicts(unequal, PLAIN).methods}
    assert found["best_member"].against_best.difference == 0
    assert found["mbr"].against_best.high < 0  # outvoted by members that only agree with each other
    for name in ("stack", "stack_boosting", "rank", "committee", "mbr_searched"):
        assert found[name].against_best.low >= -0.5, name
        assert found[name].score > found["mbr"].score + 10, name


def test_on_members_alike_consensus_and_stacking_win(alike: Known) -> None:
    found = {verdict.method: verdict for verdict in verdicts(alike, PLAIN).methods}
    for name in ("mbr", "mbr_searched", "stack", "rank", "committee"):
        assert found[name].against_best.low > 0, name
        assert 0 < found[name].gap_closed < 1, name


def test_a_committee_weighs_its_members_alike_whatever_their_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two dialogues, the second of two candidates; the third member speaks a thousand times as loud."""
    columns, mask = np.ones((2, 3, 1)), np.array([[True, True, True], [True, True, False]])
    columns[1, 2] = 0
    said = {
        "ridge": [[0.0, 3.0, 0.0], [0.0, 1.0, -np.inf]],
        "boosting": [[0.0, 2.0, 1.0], [5.0, 0.0, -np.inf]],
        "rank": [[2000.0, 0.0, 0.0], [4000.0, 0.0, -np.inf]],
    }
    for name, each in said.items():
        monkeypatch.setattr(learned, name, lambda _, each=each: lambda _: np.array(each))
    found = learned.committee(learned.Examples(columns, np.zeros((2, 3)), mask))(columns)
    spread = {n: np.mean([np.std(s[0]), np.std(s[1][:2])]) for n, s in said.items()}
    wanted = sum(np.array(each) / spread[name] for name, each in said.items())
    np.testing.assert_allclose(found, wanted)
    assert found.argmax(axis=1).tolist() == [1, 0]
    for name in said:
        monkeypatch.setattr(learned, name, lambda _: lambda _: np.zeros((2, 3)))
    assert not learned.committee(learned.Examples(columns, np.zeros((2, 3)), mask))(columns).any()


def test_chance_is_not_taken_for_a_gain(alike: Known) -> None:
    """With every dialogue's scores shuffled among its candidates nothing can be learned."""
    above = 0
    for seed in range(2):
        for verdict in verdicts(shuffled(alike, seed), PLAIN if seed else METHODS).methods:
            # The best member of a shuffle is best by luck, so nobody should pass it.
            assert verdict.against_best.difference < 1.5, verdict
            above += verdict.against_best.low > 0
    assert above == 0


def test_a_choice_is_never_learned_from_its_own_dialogue(alike: Known) -> None:
    """Each fold's targets may change at will without moving that fold's choices."""
    before = out_of_fold(alike, METHODS["stack"])
    rng = np.random.default_rng(0)
    fold = np.array(list(nested.folds(alike.rows, nested.FOLDS, NEAR_COPY).values()))
    target = alike.target.copy()
    target[fold == 2] = rng.random((int((fold == 2).sum()), target.shape[1])) * 100
    after = out_of_fold(replace(alike, target=target), METHODS["stack"])
    assert np.array_equal(before[fold == 2], after[fold == 2])
    assert not np.array_equal(before, after)


def test_the_automatic_choice_is_judged_with_its_selection(unequal: Known) -> None:
    found = verdicts(unequal, {"auto": METHODS["auto"]}).methods[0]
    assert found.score > 0
    assert found.against_best.low >= -0.5


def test_a_member_that_is_there_five_times_changes_nothing(rows: list[Row]) -> None:
    rng = random.Random(3)
    members = {
        f"exp00{n}": {row.id: texts_of(row, 0.2 + n / 10, rng, 3) for row in rows[:30]} for n in range(1, 4)
    }
    again = {**members, **{f"exp001-{n}": members["exp001"] for n in range(5)}}
    assert copies(again) == {f"exp001-{n}": "exp001" for n in range(5)}
    # What counting them would do: the twins vouch for each other until nobody else is heard.
    counted = pool(again)
    chosen = choose(scores(agreement(counted), Consensus((1.0,) * 8)))
    own = np.isin(counted.owner[np.arange(30), chosen], [0, 3, 4, 5, 6, 7]).mean()
    alone = pool(members)
    before = choose(scores(agreement(alone), Consensus((1.0,) * 3)))
    assert own > (alone.owner[np.arange(30), before] == 0).mean()


def test_one_member_equal_candidates_and_one_dialogue(rows: list[Row]) -> None:
    few = rows[:40]
    alone = measured(few, {"exp001": {row.id: [Candidate(CONSTANT, None, 9)] for row in few}})
    for name, method in METHODS.items():
        assert (out_of_fold(alone, method) == 0).all(), name
    assert set(METHODS) == {*PLAIN, "auto"}
    assert verdicts(alone, PLAIN).methods[0].gap_closed == 0
    with pytest.raises(UserError, match="folds"):
        verdicts(measured(rows[:1], {"exp001": {rows[0].id: [Candidate(CONSTANT, None, 9)]}}))


def test_a_ranker_without_differences_ranks_nothing(alike: Known) -> None:
    flat = replace(alike.examples, target=np.ones_like(alike.target))
    found: Pool = alike.pool
    assert (learned.rank(flat)(alike.columns)[found.mask] == 0).all()


# --- the commands


def test_members_are_reported_and_stacked_into_a_valid_submission(tmp_path: Path) -> None:
    root = tiny.repository(tmp_path / "repository", train_rows=40, other_rows=30)
    runs = {"exp001": [], "exp001-other": ["--most-turns=1"], "exp001-twin": ["--seed=3"]}
    for run, words in runs.items():
        for stage in ("train", "infer"):
            command = ["common", stage, "exp001", "--competition=daily_talk", f"--run={run}", *words]
            code, output = tiny.run(root, *command)
            assert code == 0, output
    (root / "submissions").mkdir()
    (root / "submissions" / "two.toml").write_text(
        'competition = "daily_talk"\nmethod = "stack"\ncandidates = 4\n'
        'members = [{ run = "exp001" }, { run = "exp001-other" }, { run = "exp001-twin" }]\n',
        encoding="utf-8",
    )
    blend = ["--competition=daily_talk", "--blend=two"]
    code, output = tiny.run(root, "common", "blend-report", *blend)
    assert code == 0, output
    for name in (*METHODS, "oracle", "exp001-other"):
        assert re.search(rf"(?m)^{name} +[0-9.]+", output), name
    assert "daily_talk dev: 30 dialogues" in output
    assert "exp001-twin repeats the predictions of exp001: the two count as one member." in output
    assert re.search(r"(submit exp001|is better than exp001)", output)

    code, output = tiny.run(root, "common", "submit", *blend, "--force", "--json")
    assert code == 0, output
    entry = json.loads(output.splitlines()[-1])
    assert entry["method"] == "stack"
    assert entry["copies"] == {"exp001-twin": "exp001"}
    assert set(entry["verdict"]) == {"best", "difference", "low", "high", "supported"}
    lines = (root / "submissions" / "two.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 31

    toml = root / "competitions" / "daily_talk" / "competition.toml"
    toml.write_text(
        toml.read_text(encoding="utf-8").replace("near_copy = 0.999", "near_copy = 0.01"), encoding="utf-8"
    )
    code, output = tiny.run(root, "common", "blend-report", *blend)
    assert code == 1
    assert "Raise [rules] near_copy" in output


def test_every_recipe_of_the_repository_can_be_read() -> None:
    found = [read_recipe(path) for path in sorted((tiny.REPOSITORY / "submissions").glob("*.toml"))]
    assert {recipe.name for recipe in found} >= {"daily_talk", "dialogue_summarization", "final"}
    there = {path.parent.name for path in (tiny.REPOSITORY / "experiments").glob("*/config.py")}
    for recipe in found:
        assert {member.run for member in recipe.members} <= there
        assert recipe.competition in names_of_competitions()
