"""What the page says of a blend's members: scores, wins, choices and agreement, each computed here once more by hand."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.data.competition_file import load_competition
from common.data.rows import read_predictions, read_references, read_split
from common.ensemble import report_file
from common.ensemble.report import blend_report
from common.page import blend_rows, submission_rows
from common.page.blended import blend_texts
from common.rouge import bootstrap_interval
from common.runs.scoring import example_scores
from common.submission import submit
from common.submission.candidates import member_candidates, predictions_of
from tests.support import page_texts
from tests.support.submitting import recipe

RUNS = ("exp001", "exp002", "exp003")
RECIPE = """competition = "talk"
method = "vote"
members = [{ run = "exp001" }, { run = "exp002" }, { run = "exp003" }]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with 30 dev dialogues, three runs, and a recipe of them."""
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    page_texts.build(tmp_path, 3, page_texts.talks(30), others=2)
    (tmp_path / "submissions").mkdir()
    recipe(tmp_path, RECIPE)
    return tmp_path


def _scores(texts: Mapping[str, str], references: Mapping[str, list[str]]) -> np.ndarray:
    competition = load_competition("talk")
    found = example_scores(texts, references, competition.dev_profile, competition.leaderboard_references)
    return found.per_example[found.headline_key]


def test_members_are_scored_as_make_score_scores_them(root: Path) -> None:
    competition, gaps = load_competition("talk"), list[str]()
    [row] = blend_rows.blend_rows(competition, "", gaps.append)
    assert gaps == []
    references = {name: list(texts) for name, texts in read_references(competition, "dev").items()}
    texts = {
        run: read_predictions(root / "outputs/talk" / run / "dev/predictions.csv", competition)
        for run in RUNS
    }
    values = {run: _scores(texts[run], references) for run in RUNS}
    assert [member["name"] for member in row["members"]] == list(RUNS)
    for member in row["members"]:
        wanted = bootstrap_interval(values[member["name"]])
        assert (member["mean"], member["low"], member["high"]) == pytest.approx(
            (wanted.mean, wanted.low, wanted.high)
        )
    assert row["best"] == max(RUNS, key=lambda run: values[run].mean())
    top = np.max(list(values.values()), axis=0)
    alone = {
        run: np.mean([value == best for value, best in zip(values[run], top, strict=True)]) for run in RUNS
    }
    assert sum(member["won"] for member in row["members"]) == pytest.approx(1)
    assert all(member["won"] <= alone[member["name"]] + 1e-9 for member in row["members"])
    # What the blend chose is what `make submit` would choose, and each of its texts has an author.
    blend = blend_texts(competition, "dev", lambda *_: None)["talk"]
    assert row["blend"]["mean"] == pytest.approx(_scores(blend, references).mean())
    assert sum(member["chosen"] for member in row["members"]) + row["recombined"] == pytest.approx(1)
    assert row["recombined"] == 0
    only = [
        sum(
            texts[run][name] == text and all(texts[other][name] != text for other in RUNS if other != run)
            for name, text in blend.items()
        )
        / len(blend)
        for run in RUNS
    ]
    assert all(member["chosen"] >= share - 1e-9 for member, share in zip(row["members"], only, strict=True))


def test_a_gain_has_one_interval_in_ledger_page_and_report(root: Path) -> None:
    competition = load_competition("talk")
    made = recipe(root, RECIPE)
    members = member_candidates(made, competition, "dev")
    report_file.write("talk", "talk", 8, members, blend_report(made, competition, members))
    judged = submit.verdict(
        competition, predictions_of(members), blend_texts(competition, "dev", lambda *_: None)["talk"]
    )
    [row] = blend_rows.blend_rows(competition, "", lambda _: None)
    wanted = tuple(judged[key] for key in ("difference", "low", "high"))
    assert wanted[1] < wanted[2]
    assert tuple(row["blend"][key] for key in ("gain", "gain_low", "gain_high")) == pytest.approx(wanted)
    [vote] = [one for one in row["report"]["methods"] if one["method"] == "vote"]
    assert (vote["difference"], vote["low"], vote["high"]) == pytest.approx(wanted)


def test_an_interval_of_other_resamples_in_the_ledger_gives_way(root: Path) -> None:
    [row] = blend_rows.blend_rows(load_competition("talk"), "", lambda _: None)
    gain = row["blend"]["gain"]
    verdict = {"best": row["best"], "difference": gain, "low": gain - 1, "high": gain + 1}
    entry: dict[str, Any] = {
        "id": "a", "time": "2026-01-01T00:00:00+00:00", "recipe": "talk", "method": "vote", "members": [], "dev": {},
        "git": {}, "stale": {}, "verdict": verdict,
    }  # fmt: skip
    changed: list[dict[str, Any]] = [
        {}, {"recipe": "other"}, {"verdict": {**verdict, "difference": gain + 0.01}}
    ]  # fmt: skip
    found = [
        submission_rows.gain_of_blend(one, [row])
        for one in submission_rows.submission_rows([{**entry, **change} for change in changed], pytest.fail)
    ]
    assert [one and one.low for one in found] == [row["blend"]["gain_low"], gain - 1, gain - 1]
    assert (
        submission_rows.gain_of_blend(
            submission_rows.submission_rows([entry], pytest.fail)[0], [{"recipe": "talk", "problem": {}}]
        )
        is not None
    )


def test_agreement_is_the_score_of_one_member_against_another(root: Path) -> None:
    competition = load_competition("talk")
    [row] = blend_rows.blend_rows(competition, "", lambda _: None)
    texts = {
        run: read_predictions(root / "outputs/talk" / run / "dev/predictions.csv", competition)
        for run in RUNS
    }
    for i, a in enumerate(RUNS):
        for j, b in enumerate(RUNS):
            found = row["agreement"][i][j]
            if i == j:
                assert found is None
            else:
                assert found == pytest.approx(
                    _scores(texts[a], {name: [text] for name, text in texts[b].items()}).mean()
                )


def test_the_groups_hold_each_dialogue_once(root: Path) -> None:
    competition = load_competition("talk")
    [row] = blend_rows.blend_rows(competition, "", lambda _: None)
    thirds = [group for group in row["groups"] if group["kind"] == "turns"]
    assert (
        sum(group["rows"] for group in thirds) == row["dialogues"] == len(read_split(competition, "dev").rows)
    )
    for run in RUNS:
        whole = sum(group["rows"] * group["mean"][run] for group in thirds) / row["dialogues"]
        [member] = [one for one in row["members"] if one["name"] == run]
        assert whole == pytest.approx(member["mean"])
    assert all(group["rows"] >= blend_rows.SMALLEST for group in row["groups"] if group["kind"] == "topic")


def test_it_is_kept_until_a_member_changes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    competition = load_competition("talk")
    first = blend_rows.blend_rows(competition, "", lambda _: None)
    with monkeypatch.context() as patch:
        patch.setattr(blend_rows, "_measured", None)  # would fail
        assert blend_rows.blend_rows(competition, "", lambda _: None) == first
    path = root / "outputs/talk/exp001/dev/predictions.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("#Person1#", "#Person3#"), encoding="utf-8")
    assert blend_rows.blend_rows(competition, "", lambda _: None) != first


def test_a_report_is_read_back_and_known_to_be_old(root: Path) -> None:
    competition = load_competition("talk")
    made = recipe(root, RECIPE)
    members = member_candidates(made, competition, "dev")
    found = blend_report(made, competition, members)
    path = report_file.write("talk", "talk", 8, members, found)
    assert path == root / "outputs/talk/blends/talk.json"
    saved = report_file.read("talk", "talk")
    assert saved is not None
    assert [row.method for row in saved.methods] == [one.method for one in found.verdicts.methods]
    assert saved.methods[1].difference == found.verdicts.methods[1].against_best.difference
    [row] = blend_rows.blend_rows(competition, "", lambda _: None)
    assert row["report"]["current"] is True
    predictions = root / "outputs/talk/exp002/dev/predictions.csv"
    predictions.write_text(
        predictions.read_text(encoding="utf-8").replace("#Person1#", "#Person3#"), encoding="utf-8"
    )
    [row] = blend_rows.blend_rows(competition, "", lambda _: None)
    assert row["report"]["current"] is False


def test_what_cannot_be_measured_or_read_is_said(root: Path) -> None:
    competition, gaps = load_competition("talk"), list[str]()
    (root / "submissions" / "broken.toml").write_text("competition = ", encoding="utf-8")
    (root / "submissions" / "early.toml").write_text(RECIPE.replace("exp003", "exp009"), encoding="utf-8")
    path = report_file.path_of("talk", "talk")
    path.parent.mkdir(parents=True)
    for content in ("{", "[]", json.dumps({"recipe": "talk"})):
        path.write_text(content, encoding="utf-8")
        gaps.clear()
        early, talk = blend_rows.blend_rows(competition, "", gaps.append)
        assert "exp009" in early["problem"]["en"]
        assert "problem" not in talk
        assert "report" not in talk
        assert len(gaps) == 2
        assert "broken.toml" in gaps[0]
        assert "make blend-report blend=talk" in gaps[1]
    shutil.rmtree(root / "submissions")
    assert blend_rows.blend_rows(competition, "", gaps.append) == []


def test_a_report_on_one_run_has_the_blends_with_this_run(root: Path) -> None:
    (root / "submissions" / "two.toml").write_text(
        RECIPE.replace(', { run = "exp003" }', ""), encoding="utf-8"
    )
    competition = load_competition("talk")
    found = {
        run: [row["recipe"] for row in blend_rows.blend_rows(competition, run, lambda _: None)]
        for run in RUNS
    }
    assert found == {"exp001": ["talk", "two"], "exp002": ["talk", "two"], "exp003": ["talk"]}
