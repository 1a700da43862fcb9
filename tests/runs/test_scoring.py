"""Scores that can be read: joined by id, beside the floor, with signs of collapse and copying."""

import csv
import io
import shutil
import statistics
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.data.competition_file import load_competition
from common.data.rows import Row, read_predictions, read_references
from common.rouge import corpus
from common.runs import score_text, scoring
from common.runs.scoring import example_scores, per_example_csv, score
from tests.support import repository as repositories

REFERENCES = {"dev_0": ("비가 온다",), "dev_1": ("눈이 많이 온다",), "dev_2": ("바람이 분다",)}
PERFECT = {name: group[0] for name, group in REFERENCES.items()}


def row(name: str, dialogue: str = "#Person1#: 비가 온다\n#Person2#: 우산 줘", *summaries: str) -> Row:
    return Row(name, dialogue, summaries, "")


@pytest.mark.parametrize(("profile", "top"), [("korouge", 1.0), ("rouge101", 300.0), ("leaderboard", 100.0)])
def test_perfect_predictions_reach_the_top(profile: str, top: float) -> None:
    found = score(PERFECT, REFERENCES, profile)
    assert found.headline == pytest.approx(top, rel=1e-6)
    assert found.profile == profile
    assert found.metrics
    assert all(profile in key for key in found.metrics)


def test_ids_join_and_order_does_not_matter() -> None:
    backwards = dict(reversed(PERFECT.items()))
    assert score(backwards, REFERENCES, "korouge") == score(PERFECT, REFERENCES, "korouge")
    swapped = {**PERFECT, "dev_0": PERFECT["dev_2"], "dev_2": PERFECT["dev_0"]}
    assert score(swapped, REFERENCES, "korouge").headline == pytest.approx(1 / 3)


@pytest.mark.parametrize("profile", ["korouge", "rouge101", "leaderboard"])
def test_a_missing_prediction_scores_zero_like_an_empty_one(profile: str) -> None:
    full = score(PERFECT, REFERENCES, profile).headline
    missing = {name: text for name, text in PERFECT.items() if name != "dev_1"}
    for less in (missing, {**PERFECT, "dev_1": ""}, {**PERFECT, "dev_1": "  "}):
        assert score(less, REFERENCES, profile).headline == pytest.approx(full * 2 / 3)


@pytest.mark.parametrize("profile", ["korouge", "rouge101", "leaderboard"])
def test_predictions_in_nfd_score_as_in_nfc(profile: str) -> None:
    decomposed = {name: unicodedata.normalize("NFD", text) for name, text in PERFECT.items()}
    assert decomposed != PERFECT
    assert score(decomposed, REFERENCES, profile) == score(PERFECT, REFERENCES, profile)


def test_references_are_scored_as_they_are() -> None:
    decomposed = {
        name: tuple(unicodedata.normalize("NFD", t) for t in group) for name, group in REFERENCES.items()
    }
    assert score(PERFECT, decomposed, "korouge").headline == 0


ENGLISH = {
    "dev_0": ("The managers agreed on the meetings.", "Two managers will be meeting again."),
    "dev_1": ("#Person1# is renting a flat, and #Person2# gives advice.", "#Person1# rents an apartment."),
    "dev_2": ("They happily studied cities in 1,200 books.", "They study a city."),
}
WRITTEN = {
    "dev_0": "A manager agrees to meet.",
    "dev_1": "#Person1# rented flats; #Person2# advised him.",
    "dev_2": "He was happy studying a city in a book of 1200 pages.",
}


@pytest.mark.parametrize("stemmer", [False, True])
@pytest.mark.parametrize("mode", ["mean", "max"])
def test_google_equals_rouge_score_with_and_without_the_stemmer(stemmer: bool, mode: str) -> None:
    package = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(
        ["rouge1", "rouge2", "rougeL"], stemmer
    )
    found = example_scores(WRITTEN, ENGLISH, "google", mode, stemmer=stemmer)
    combined = max if mode == "max" else statistics.mean
    for key, values in found.per_example.items():
        if key != "rouge_mean":
            wanted = [
                combined([package.score(target, WRITTEN[name])[key].fmeasure for target in targets]) * 100
                for name, targets in ENGLISH.items()
            ]
            assert values.tolist() == pytest.approx(wanted, abs=1e-12)
    assert found.label == ("google[alnum+stem," if stemmer else "google[alnum,") + mode + "]"


def test_the_stemmer_changes_google_alone() -> None:
    for profile in ("google", "korouge", "rouge101"):
        plain = example_scores(WRITTEN, ENGLISH, profile)
        stemmed = example_scores(WRITTEN, ENGLISH, profile, stemmer=True)
        assert (stemmed.keyed() == plain.keyed()) == (profile != "google")
        if profile == "google":
            assert stemmed.headline > plain.headline + 5


def test_a_profile_without_a_floor_is_printed_without_one(repository: Path) -> None:
    talk = load_competition("talk")
    predictions = read_predictions(repository / "outputs/talk/exp001/dev/predictions.csv", talk)
    report = scoring.report(talk, "dev", predictions, ["korouge"])
    bare = score_text.text(replace(report, floors={}), "leaderboard", everything=True).splitlines()
    assert bare[0] == "korouge 0.0000 ± 0.0000, no floor is known"
    assert bare[3].split() == ["korouge", "0.0000", "0.0000", "…", "0.0000", "–", "–"]


@pytest.mark.parametrize(
    ("score", "floor", "profile", "wanted"),
    [
        (23.96, 34.6, "leaderboard", "10.64 BELOW the floor of 34.60"),
        (44.08, 34.6, "leaderboard", "9.48 above the floor of 34.60"),
        (34.604, 34.596, "leaderboard", "exactly the floor of 34.60"),
        (0.1234, 0.2, "korouge", "0.0766 BELOW the floor of 0.2000"),
        (1.0, None, "google", "no floor is known"),
    ],
)
def test_a_score_is_told_against_its_floor(
    score: float, floor: float | None, profile: str, wanted: str
) -> None:
    assert score_text.against_floor(score, floor, profile) == wanted


def test_an_unknown_id_and_no_reference_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"1 of 4 predicted ids have no reference, first 'test_0'.*same split"
    ):
        score({**PERFECT, "test_0": "비"}, REFERENCES, "korouge")
    with pytest.raises(UserError, match="no reference to score against"):
        score({}, {}, "korouge")


@pytest.mark.parametrize("profile", ["korouge", "rouge101", "leaderboard"])
def test_several_references_combine_in_every_profile(profile: str) -> None:
    several = {"dev_0": ("비가 온다", "눈이 많이 온다")}
    ones = [score({"dev_0": "비가 온다"}, {"dev_0": (r,)}, profile).headline for r in several["dev_0"]]
    found = score({"dev_0": "비가 온다"}, several, profile, "mean").headline
    assert found == pytest.approx(max(ones) if profile == "korouge" else sum(ones) / 2)


def test_diagnostics_show_collapse_and_copying() -> None:
    split = [row(f"dev_{n}") for n in range(4)]
    found = scoring.diagnose({"dev_0": "비가 온다", "dev_1": "비가 온다", "dev_2": " ", "dev_9": "x"}, split)
    assert (found.rows, found.missing, found.distinct, found.characters, found.copied) == (4, 2, 0.5, 5, 1.0)
    mixed = scoring.diagnose({"dev_0": "비가 그친 날"}, split[:1])
    assert (mixed.distinct, mixed.copied) == (1.0, pytest.approx(1 / 3))
    nothing = scoring.diagnose({}, split)
    assert (nothing.missing, nothing.distinct, nothing.characters, nothing.copied) == (4, 0, 0, 0)


def test_lead_names_the_speakers() -> None:
    talk = "#Person1#: 비가 온다\n#Person2#: 우산 줘\n#Person1#: 여기"
    assert scoring.lead(talk, 1) == "#Person1#: 비가 온다"
    assert scoring.lead(talk, 2) == "#Person1#: 비가 온다 #Person2#: 우산 줘"


@pytest.mark.parametrize("profile", ["korouge", "rouge101", "leaderboard"])
def test_the_floor_is_the_best_constant_and_the_better_lead(profile: str) -> None:
    split = [row(name) for name in REFERENCES]
    constants = ["아무 말", "눈이 온다", "비가 온다", "눈이 온다"]
    found = scoring.floor(split, REFERENCES, constants, profile, "mean")
    each = {text: score(dict.fromkeys(REFERENCES, text), REFERENCES, profile).headline for text in constants}
    assert found.constant == pytest.approx(max(each.values()))
    assert each[found.constant_text] == pytest.approx(found.constant)
    leads = [
        score({r.id: scoring.lead(r.dialogue, n) for r in split}, REFERENCES, profile).headline
        for n in (1, 2)
    ]
    assert found.lead == pytest.approx(max(leads))
    assert found.lead_turns == leads.index(max(leads)) + 1


def test_floors_are_kept_until_the_data_change(repository: Path) -> None:
    talk = load_competition("talk")
    first = scoring.floors(talk, "dev")
    assert set(first) == set(scoring.profiles(talk)) == {"leaderboard", "rouge101", "korouge"}
    kept = set((repository / ".cache" / "floors").iterdir())
    assert scoring.floors(talk, "dev") == first
    assert set((repository / ".cache" / "floors").iterdir()) == kept
    path = talk.path("train")
    path.write_text(path.read_text(encoding="utf-8").replace("비빔밥", "냉면"), encoding="utf-8")
    scoring.floors(talk, "dev")
    assert len(set((repository / ".cache" / "floors").iterdir())) == len(kept) + 1


def test_floors_are_computed_again_when_the_metric_changes(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = load_competition("talk")
    scoring.floors(talk, "dev")
    kept = set((repository / ".cache" / "floors").iterdir())
    for name, other in (("room_hashes", lambda rooms: {"rouge": "other code"}),
                        ("installed_version", lambda package: "another release")):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(scoring, name, other)
            scoring.floors(talk, "dev")
        assert len(set((repository / ".cache" / "floors").iterdir()) - kept) == 1
        kept = set((repository / ".cache" / "floors").iterdir())


def test_floors_that_cannot_be_kept_are_computed(repository: Path, caplog: pytest.LogCaptureFixture) -> None:
    talk = load_competition("talk")
    first = scoring.floors(talk, "dev")
    shutil.rmtree(repository / ".cache")
    (repository / ".cache").write_text("a file where the folder should be")
    assert scoring.floors(talk, "dev") == first
    assert "warning: not cached, which only costs time: .cache/floors/" in caplog.text


def test_a_damaged_cache_is_no_obstacle(repository: Path) -> None:
    talk = load_competition("talk")
    first = scoring.floors(talk, "dev")
    for path in (repository / ".cache" / "floors").iterdir():
        path.write_text("{")
    assert scoring.floors(talk, "dev") == first


def test_a_report_has_everything_and_prints_in_columns(repository: Path) -> None:
    talk = load_competition("talk")
    predictions = read_predictions(repository / "outputs/talk/exp001/test/predictions.csv", talk)
    report = scoring.report(talk, "test", predictions)
    references = read_references(talk, "test")
    direct = corpus(
        [predictions[n] for n in references],
        [list(r) for r in references.values()],
        "leaderboard",
        references_mode="mean",
    )
    assert report.scores[0].headline == pytest.approx(float(direct.headline))
    first = report.scores[0]
    [interval] = [ends for key, ends in first.intervals.items() if key.endswith("/leaderboard")]
    half = (interval[1] - interval[0]) / 2
    floor = report.floors["leaderboard"]
    best = max(floor.constant, floor.lead)
    lines = score_text.text(report, "leaderboard").splitlines()
    assert lines[0] == (
        f"leaderboard {first.headline:.2f} ± {half:.2f}, {best - first.headline:.2f} BELOW the floor of {best:.2f}"
    )
    assert not any("korouge" in line or "rouge_sum" in line or "[" in line for line in lines)
    assert "3 rows, 0 missing or empty, 100.0% distinct" in lines[-1]
    everything = score_text.text(report, "leaderboard", everything=True).splitlines()
    assert everything[0] == lines[0]
    assert everything[1].split()[:2] == ["metric", "score"]
    assert [line.split()[0] for line in everything[3:15:4]] == ["leaderboard", "rouge_sum", "korouge"]
    for entry in report.scores:
        for key, (low, high) in entry.intervals.items():
            assert low <= entry.metrics[key] <= high
    assert report.plain()["diagnostics"]["rows"] == 3
    only = scoring.report(talk, "test", predictions, ["korouge"])
    assert [s.profile for s in only.scores] == list(only.floors) == ["korouge"]


def test_predictions_of_another_split_are_refused(repository: Path) -> None:
    talk = load_competition("talk")
    predictions = read_predictions(repository / "outputs/talk/exp001/test/predictions.csv", talk)
    with pytest.raises(UserError, match="3 of 3 predicted ids have no reference"):
        scoring.report(talk, "dev", predictions)
    assert set(predictions) == set(repositories.IDS["test"])


def test_the_table_of_rows_averages_to_the_report(repository: Path) -> None:
    talk = load_competition("talk")
    predictions = read_predictions(repository / "outputs/talk/exp001/dev/predictions.csv", talk)
    table = list(csv.DictReader(io.StringIO(per_example_csv(talk, "dev", predictions, ["korouge"]))))
    assert [row[talk.columns.id] for row in table] == list(read_references(talk, "dev"))
    for key, mean in scoring.report(talk, "dev", predictions, ["korouge"]).scores[0].metrics.items():
        assert sum(float(row[key]) for row in table) / len(table) == pytest.approx(mean)
