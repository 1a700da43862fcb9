"""Texts put together of candidates' sentences: what they are made of, and that nobody trusts or sends them by mistake."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.ensemble import cross_validation
from common.ensemble.blend import pooled
from common.ensemble.consensus import Consensus, _neighbours, agreement, scores, search, vote
from common.ensemble.cross_validation import MeasuredPool, best_member
from common.ensemble.features import features, names
from common.ensemble.pool import choose
from common.ensemble.recipe import Member, Recipe, read_recipe
from common.ensemble.recombine import recombine
from common.postprocess.sentences import sentences
from common.rouge import corpus
from common.runs.candidates import Candidate
from tests.support import tiny

SAYINGS = (
    "철수는 시장에서 우산을 산다.",
    "영희는 기차표를 예매한다.",
    "철수는 우산을 사러 간다.",
    "두 사람은 세 시에 만난다.",
    "영희가 기차표를 잃어버린다.",
    "회의가 미뤄진다.",
)
GROUPS = st.lists(st.lists(st.sampled_from(SAYINGS), min_size=1, max_size=3), min_size=1, max_size=5)


def agreed(text: str, group: Sequence[str], profile: str) -> float:
    """The mean score of a text with the candidates as references, by the definition."""
    found = corpus([text] * len(group), list(group), profile)
    return float(found.per_example[found.headline_key].mean())


def test_the_halves_that_most_agree_on_make_a_text_that_nobody_wrote() -> None:
    bought, met = "철수는 시장에서 우산을 산다.", "둘은 세 시에 만난다."
    behind = (
        "비가 온다며 나가기를 꺼린다.",
        "영희가 그 말에 크게 웃고 만다.",
        "배가 고프니 밥부터 먹자고 한다.",
    )
    before = ("날씨 이야기가 먼저 나온다.", "버스가 늦어 다들 지루해한다.", "숙제를 마치지 못해 걱정한다.")
    group = [*(f"{bought} {other}" for other in behind), *(f"{other} {met}" for other in before)]
    [found] = recombine([group], 3, 300)
    assert found[0] == f"{bought} {met}"
    assert len(found) == 3
    [short] = recombine([group], 3, len(found[0]) - 1)
    assert found[0] not in short
    assert len(short) == 3


@settings(max_examples=60, deadline=None)
@given(GROUPS, st.integers(1, 6), st.integers(1, 4), st.sampled_from(["leaderboard", "korouge", "rouge101"]))
def test_every_text_is_made_of_what_the_candidates_say(
    parts: list[list[str]], kept: int, tried: int, profile: str
) -> None:
    group = [" ".join(some) for some in parts]
    [found] = recombine([group], kept, 40, profile, tried)
    begins = {some[0] for some in parts}
    follows = {one for some in parts for one in some[1:]}
    assert len(found) <= kept
    assert len(set(found)) == len(found)
    assert not set(found) & set(group)
    for text in found:
        made = sentences(text)
        assert (made[0] in begins and set(made[1:]) <= follows) or text in follows
        assert len(made) <= 2
        assert len(text) <= 40
    values = [agreed(text, group, profile) for text in found]
    assert np.allclose(values, sorted(values, reverse=True))
    assert recombine([group], kept, 40, profile, tried) == [found]


def test_the_best_are_the_best_of_all_that_can_be_made() -> None:
    parts = [list(SAYINGS[:2]), list(SAYINGS[2:4]), [SAYINGS[4], SAYINGS[3]], [SAYINGS[0]], [SAYINGS[5]]]
    group = [" ".join(some) for some in parts]
    first, later = {some[0] for some in parts}, {one for some in parts for one in some[1:]}
    possible = {*first, *later, *(f"{a} {b}" for a in first for b in later)} - set(group)
    for profile in ("leaderboard", "korouge"):
        [found] = recombine([group], 99, 300, profile)
        assert set(found) == possible
        [some] = recombine([group], 3, 300, profile)
        assert some == found[:3]
        assert agreed(found[0], group, profile) == pytest.approx(
            max(agreed(t, group, profile) for t in possible)
        )


def test_letters_count_as_the_profile_counts_them() -> None:
    group = ["TV가 KBS를 틀어 준다. 끝.", "tv가 kbs를 틀어 준다. 끝났다.", "TV가 KBS를 틀어 준다. 잔다."]
    [found] = recombine([group], 99, 300)
    values = [agreed(text, group, "leaderboard") for text in found]
    assert values == pytest.approx(sorted(values, reverse=True))
    assert agreed("TV가 KBS를 틀어 준다.", group, "leaderboard") > agreed(
        "tv가 kbs를 틀어 준다.", group, "leaderboard"
    )


def test_dialogues_are_each_by_themselves() -> None:
    groups = [["가. 나.", "다. 라."], ["마."], ["바. 사.", "바. 아.", "자. 사."]]
    assert recombine(groups, 4, 300) == [recombine([group], 4, 300)[0] for group in groups]
    assert recombine(groups, 4, 300)[1] == []
    assert recombine([["마.", "마."]], 4, 300) == [[]]


def test_a_candidate_with_other_spaces_is_not_new() -> None:
    glued = "철수는 우산을 샀다.영희는 표를 샀다."
    assert sentences(glued) == ["철수는 우산을 샀다.", "영희는 표를 샀다."]
    for profile in ("leaderboard", "korouge", "rouge101"):
        [found] = recombine([[glued, "둘은 만난다. 영희는 표를 샀다.", "비가 온다."]], 99, 300, profile)
        assert "철수는 우산을 샀다. 영희는 표를 샀다." not in found
        assert "영희는 표를 샀다." in found


def test_what_ends_in_a_quotation_begins_a_text_when_it_did_before() -> None:
    [found] = recombine([['그는 "이제 간다." 영희는 웃는다.', "철수는 떠난다. 둘은 만난다."]], 99, 300)
    assert '그는 "이제 간다." 둘은 만난다.' in found


def test_a_text_that_was_cut_off_goes_on_nowhere() -> None:
    [found] = recombine([["철수는 우산을", "영희는 기차표를 산다. 둘은 만난다."]], 9, 300)
    assert set(found) == {"영희는 기차표를 산다.", "둘은 만난다."}


# In a pool


def members(count: int = 30) -> dict[str, dict[str, list[Candidate]]]:
    rows = tiny.rows(count, "dev", seed=3)
    made: dict[str, dict[str, list[Candidate]]] = {"exp001": {}, "exp002": {}}
    for row in rows:
        bought = row.summaries[0]
        made["exp001"][row.id] = [Candidate(f"{bought} 비가 온다.", -1.0, 5), Candidate("모르겠다.", -2.0, 3)]
        made["exp002"][row.id] = [
            Candidate(f"날씨가 좋다. {bought}", -1.5, 5),
            Candidate("둘이 논다.", None, 3),
        ]
    return made


TALK = load_competition("daily_talk")


def recipe(**values: object) -> Recipe:
    given = (Member("exp001", 1.0), Member("exp002", 2.0))
    return replace(Recipe("x", "daily_talk", "mbr", given, 2, "leaderboard"), **values)  # type: ignore[arg-type]


def test_what_is_put_together_is_nobodys_and_no_evidence() -> None:
    without, found = pooled(members(), TALK, recipe()), pooled(members(), TALK, recipe(recombined=3))
    assert found.members == without.members == ("exp001", "exp002")
    assert found.owner[:, :4].tolist() == without.owner.tolist()
    assert set(found.owner[:, 4:].flat) == {2}
    assert (found.place[:, 4:] > 0).all()
    assert (found.from_members == (found.owner < 2)).all()
    # What the members' candidates are worth to each other does not change, whatever a search may try.
    for weights in ((1.0, 2.0), (0.0, 1.0)):
        setting = Consensus(weights, length=0.3)
        own, alone = (scores(agreement(some), setting) for some in (found, without))
        assert own[:, :4] == pytest.approx(alone)
        assert (own[:, 4:].max(axis=1) > alone.max(axis=1)).any()
    dialogues = {row.id: row.dialogue for row in tiny.rows(30, "dev", seed=3)}
    assert features(found, dialogues)[:, :4] == pytest.approx(features(without, dialogues))
    assert (features(found, dialogues)[:, :, names(found).index("put_together")] == (found.owner == 2)).all()
    # Nobody votes for it.
    counted, _ = vote(found, agreement(found), Consensus((1.0, 2.0)))
    assert np.isneginf(counted[:, 4:]).all()


def test_of_few_candidates_nothing_is_put_together() -> None:
    few = {
        "exp001": {
            "a": [Candidate("철수는 우산을 산다. 둘은 만난다.", None, 5)] * 4,
            "b": members(1)["exp001"]["dev_0"],
        }
    }
    few["exp001"]["b"] += [Candidate("영희는 간다. 철수는 온다.", None, 4), Candidate("잔다.", None, 1)]
    found = pooled(few, TALK, recipe(members=(Member("exp001", 1.0),), recombined=3, candidates=8))
    assert found.texts[0] == ("철수는 우산을 산다. 둘은 만난다.",)
    assert len(found.texts[1]) == 4 + 3


def test_who_may_be_chosen_is_not_lost_with_a_copy() -> None:
    given = (Member("exp001", 1.0, choose=False), Member("exp002", 2.0), Member("exp003", 1.0, choose=False))
    kept = recipe(members=given).without({"exp002": "exp001"})
    assert kept.members == (Member("exp001", 2.0, choose=True), Member("exp003", 1.0, choose=False))
    assert recipe(members=given[:2]).without({"exp002": "exp001"}).consensus.hypotheses == ()


def test_where_nothing_can_be_put_together_nothing_changes() -> None:
    single = {run: {name: [Candidate(c.text.replace(". ", ", "), c.logprob, 3) for c in group] for name, group in by_id.items()}
              for run, by_id in members().items()}  # fmt: skip
    without, found = pooled(single, TALK, recipe()), pooled(single, TALK, recipe(recombined=3))
    assert found.texts == without.texts
    assert np.array_equal(found.utility, without.utility)


def test_the_search_may_shut_out_what_is_put_together() -> None:
    moves = {setting.hypotheses for setting in _neighbours(Consensus((1.0, 1.0)), 0.5, 3)}
    assert moves >= {(0, 1), (0, 2), (1, 2)}
    found = pooled(members(), TALK, recipe(recombined=3))
    for good in (0, 1, 2):
        target = np.where(found.owner == good, 90.0, 10.0) * found.mask
        known = agreement(found)
        best = search(known, target, trials=200)
        chosen = choose(scores(known, best.setting))
        assert (found.owner[np.arange(30), chosen] == good).all()


def test_a_run_whose_texts_may_not_be_chosen_still_lends_its_sentences() -> None:
    given = (Member("exp001", 1.0), Member("exp002", 2.0, choose=False))
    asked = recipe(members=given, recombined=9)
    assert asked.consensus.hypotheses == (0, 2)
    found = pooled(members(), TALK, asked)
    places = choose(scores(agreement(found), asked.consensus)).tolist()
    chosen = [group[place] for group, place in zip(found.texts, places, strict=True)]
    theirs = {c.text for group in members()["exp002"].values() for c in group}
    assert not set(chosen) & theirs
    assert any("날씨가 좋다." in sentences(text) for group in found.texts for text in group[4:])


def test_the_best_member_is_always_a_run() -> None:
    found = pooled(members(), TALK, recipe(recombined=3))
    target = np.where(found.owner == 2, 90.0, np.where(found.owner == 1, 50.0, 10.0)) * found.mask
    columns = np.ones((*target.shape, 1))
    known = MeasuredPool(found, agreement(found), columns, target, tuple(tiny.rows(30, "dev", seed=3)), 0.999)
    chosen = choose(best_member(known)(known))
    assert (found.owner[np.arange(30), chosen] == 1).all()
    judged = cross_validation.verdicts(
        known, {"best_member": best_member, "searched": cross_validation.searched}
    )
    assert judged.best == "exp002"
    assert set(judged.members) == {"exp001", "exp002"}
    assert [v.against_best.difference for v in judged.methods] == pytest.approx([0.0, 40.0])
    assert judged.oracle == pytest.approx(90.0)


BLEND = ("--competition=daily_talk", "--blend=two")


def write_recipe(root: Path, method: str) -> None:
    (root / "submissions" / "two.toml").write_text(
        f'competition = "daily_talk"\nmethod = "{method}"\ncandidates = 4\nrecombined = 5\n'
        'members = [{ run = "exp001" }, { run = "exp001-other" }]\n',
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def inferred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two runs to blend."""
    root = tiny.repository(tmp_path_factory.mktemp("two") / "repository", train_rows=40, other_rows=30)
    for run, words in {"exp001": [], "exp001-other": ["--most-turns=1"]}.items():
        for stage in ("train", "infer"):
            code, output = tiny.call(
                root, "common", stage, "exp001", "--competition=daily_talk", f"--run={run}", *words
            )
            assert code == 0, output
    (root / "submissions").mkdir()
    return root


def test_blends_of_put_together_texts_are_reported(inferred: Path) -> None:
    write_recipe(inferred, "mbr")
    code, output = tiny.call(inferred, "common", "blend-report", *BLEND)
    assert code == 0, output
    code, without = tiny.call(inferred, "common", "blend-report", *BLEND, "--recombined=0")
    assert code == 0, without
    oracle, less = (float(re.search(r"(?m)^oracle +([0-9.]+)", text)[1]) for text in (output, without))  # type: ignore[index]
    assert oracle >= less
    heads = [re.search(r"daily_talk dev: 30 dialogues, \d+ candidates", text) for text in (output, without)]
    assert heads[0] is not None
    assert heads[1] is not None
    assert heads[0][0] == heads[1][0]
    assert f"{heads[0][0]}, and up to 5 recombined texts for each dialogue" in output
    code, output = tiny.call(inferred, "common", "blend-report", *BLEND, "--candidates=3")
    assert (code, "error: blend-report: recombined = 5 needs candidates = 4 or more (now 3)" in output) == (
        1,
        True,
    )


@pytest.mark.parametrize("method", ["mbr", "committee"])
def test_blends_of_put_together_texts_are_submitted(inferred: Path, method: str) -> None:
    write_recipe(inferred, method)
    code, output = tiny.call(inferred, "common", "submit", *BLEND, "--force", "--json")
    assert code == 0, output
    entry = json.loads(output.splitlines()[-1])
    assert entry["recombined"] == 5
    assert [member["run"] for member in entry["members"]] == ["exp001", "exp001-other"]
    assert set(entry["dev"]) == {"exp001", "exp001-other", "blend", "floor"}
    assert len((inferred / "submissions" / "two.csv").read_text(encoding="utf-8").splitlines()) == 31


@pytest.mark.parametrize(
    ("method", "line", "message"),
    [
        ("mbr", "recombined = -1", "recombined is -1; wanted a whole number from 0 to 1,000."),
        ("mbr", "recombined = true", "recombined is True; wanted a whole number from 0 to 1,000."),
        ("stack", "recombined = 2.5", "recombined is 2.5; wanted a whole number from 0 to 1,000."),
        ("stack", "recombined = 8", "recombined = 8 needs candidates = 4 or more (now 1)"),
        (
            "vote",
            "recombined = 4",
            'a vote cannot choose a text that no member wrote; remove "recombined" or use method = "mbr".',
        ),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(tmp_path: Path, method: str, line: str, message: str) -> None:
    path = tmp_path / "two.toml"
    text = f'competition = "daily_talk"\nmethod = "{method}"\n{line}\nmembers = [{{ run = "exp001" }}]\n'
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(message)):
        read_recipe(path)
    path.write_text(text.replace(line, "recombined = 0"), encoding="utf-8")
    assert read_recipe(path).recombined == 0
