"""Searching post-processing on dev: what helps is advised, what hurts goes, chance is not taken for either."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from common.core.errors import UserError
from common.core.files import read_json
from common.data.competition_file import load_competition
from common.data.folds import folds
from common.data.rows import Row
from common.postprocess import report
from common.postprocess.rules import RULES, PostprocessConfig, best_texts, prediction, recorded, within
from common.postprocess.search import ALPHA, FOLDS, search
from common.postprocess.trials import AT_LEAST, AT_MOST, SearchReport, Task
from common.rouge.stats import holm
from common.runs import candidates
from common.runs.candidates import Candidate
from tests.support import tiny

NEAR_COPY = 0.999  # the tests' dialogues are all alike
NONE = PostprocessConfig(rules=())
RECORD = Path("exp001/run.json")
MORE = "그리고 둘은 다음에 다시 만나서 천천히 이야기하기로 약속한 뒤 각자 집으로 돌아간다."


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Fifty dialogues that differ."""
    found = {row.dialogue: row for row in tiny.rows(400, "dev", seed=5)}
    rows = [replace(row, id=f"dev_{number}") for number, row in enumerate(list(found.values())[:50])]
    assert len(rows) == 50
    return rows


def task(
    rows: Sequence[Row], texts: Callable[[Row], list[str]], references: Callable[[Row], str] | None = None
) -> Task:
    wanted = {row.id: [references(row) if references else row.summaries[0]] for row in rows}
    return Task(rows, [texts(row) for row in rows], wanted, "rouge101", near_copy=NEAR_COPY)


def said_twice(row: Row) -> str:
    return f"{row.summaries[0]} {row.summaries[0]}"


def spaced(row: Row) -> str:
    return row.summaries[0].replace("#Person1#과", "# Person1 # 과")


def rules(found: SearchReport) -> dict[str, tuple[float, bool]]:
    """Rule → worth inside the pipeline, and whether that holds."""
    return {
        trial.name: (trial.inside.test.difference if trial.inside.test else 0.0, trial.adjusted_p <= ALPHA)
        for trial in found.main.rules
    }


# --- rules


def test_a_rule_that_helps_is_added(rows: list[Row]) -> None:
    found = search(task(rows, lambda row: [said_twice(row)]), NONE)
    gain, holds = rules(found)["remove_repetition"]
    assert holds
    assert gain > 5
    assert found.advised.rules == ("remove_repetition",)
    assert found.together.test is not None
    assert found.together.score == pytest.approx(found.main.own_score + found.together.test.difference)
    trial = next(trial for trial in found.main.rules if trial.name == "remove_repetition")
    assert trial.alone.test == trial.inside.test  # nothing else is in the pipeline
    assert trial.alone.changed == 1


def test_rules_are_added_where_the_default_order_has_them(rows: list[Row]) -> None:
    both = task(rows, lambda row: [f"{spaced(row)} {spaced(row)}"])
    found = search(both, replace(NONE, rules=("whitespace",)))
    assert found.advised.rules == ("tag_repair", "whitespace", "remove_repetition")
    assert found.together.test is not None
    assert found.together.score == pytest.approx(300)  # the references themselves


def test_a_rule_that_hurts_is_left_out(rows: list[Row]) -> None:
    """The references repeat themselves, so that mending does harm."""
    found = search(task(rows, lambda row: [said_twice(row)], said_twice), PostprocessConfig())
    worth, holds = rules(found)["remove_repetition"]
    assert holds
    assert worth < -5
    assert found.advised.rules == ("remove_thoughts", "nfc", "tag_repair", "whitespace", "limit_length")
    assert found.together.test is not None
    assert found.together.test.low > 0


def test_a_rule_that_is_of_use_stays_and_one_that_does_nothing_says_so(rows: list[Row]) -> None:
    found = search(task(rows, lambda row: [said_twice(row)]), PostprocessConfig())
    assert found.advised == found.own
    assert found.together.test is None
    trials = {trial.name: trial for trial in found.main.rules}
    assert trials["remove_repetition"].inside.test is not None
    assert trials["remove_repetition"].adjusted_p <= ALPHA
    for name in ("nfc", "whitespace", "tag_repair", "limit_length"):
        assert (trials[name].inside.test, trials[name].inside.changed) == (None, 0), name
    assert found.tested == 1 + sum(way.effect.test is not None for way in found.main.lengths)


def test_a_rule_that_mends_few_texts_is_not_believed(rows: list[Row]) -> None:
    """Four of fifty, all for the better: four coins fall alike in one throw of eight."""
    few = {row.id for row in rows[:4]}
    found = search(task(rows, lambda row: [said_twice(row) if row.id in few else row.summaries[0]]), NONE)
    gain, holds = rules(found)["remove_repetition"]
    assert gain > 0
    assert not holds
    assert found.advised == NONE


# --- several profiles


def parted(row: Row) -> str:
    """The summary with a space between every tag and its particle: the same morphemes, other words."""
    return re.sub(r"(#Person[0-9]#)(?=[가-힣])", r"\1 ", row.summaries[0])


def test_a_rule_that_only_another_profile_rewards_is_advised(rows: list[Row]) -> None:
    one = replace(task(rows, lambda row: [parted(row)]), profile="leaderboard")
    alone = search(one, NONE)
    assert alone.advised == NONE  # morphemes hardly change
    found = search(replace(one, others=("rouge101", "korouge")), NONE)
    assert found.advised.rules == ("tag_repair",)
    trials = {t.profile: next(r for r in t.rules if r.name == "tag_repair") for t in found.trials}
    assert list(trials) == ["leaderboard", "rouge101", "korouge"]
    assert abs(trials["leaderboard"].inside.test.difference if trials["leaderboard"].inside.test else 0) < 1
    assert trials["leaderboard"].adjusted_p > ALPHA
    gain = trials["rouge101"].inside.test
    assert gain is not None and gain.difference > 16
    assert trials["rouge101"].adjusted_p <= ALPHA
    assert found.effects["rouge101"].test == gain
    assert found.tested > alone.tested


def told_twice(rows: list[Row]) -> Task:
    """The text tells the reference with words said twice: to a set of words (rouge101) they cost nothing."""

    def texts(row: Row) -> str:
        words = [f"{name}{chr(0xAC00 + int(row.id[4:]))}" for name in "가나다라마바사아자차"]
        return f"{' '.join(words)}. 그리고 {' '.join(words)} 카 타 파."

    return task(rows, lambda row: [texts(row)], lambda row: texts(row).partition(" 그리고 ")[2])


def test_where_profiles_disagree_the_first_one_decides(rows: list[Row]) -> None:
    own = PostprocessConfig(rules=(), max_characters=40)
    both = told_twice(rows)
    kept = search(replace(both, profile="rouge101", others=("korouge",)), own)
    assert "limit_length" not in kept.advised.rules
    cut = search(replace(both, profile="korouge", others=("rouge101",)), own)
    assert "limit_length" in cut.advised.rules
    assert cut.effects["korouge"].test is not None and cut.effects["korouge"].test.low > 0
    assert cut.effects["rouge101"].test is not None and cut.effects["rouge101"].test.high < 0
    for found, decides in ((kept, "rouge_sum"), (cut, "korouge")):
        lines = report.advice(found, load_competition("daily_talk"), "exp001")
        assert f"limit_length helps in korouge and hurts in rouge_sum: {decides} decides." in lines


# --- lengths


def test_a_limit_is_fitted_to_what_the_run_says_too_much(rows: list[Row]) -> None:
    found = search(task(rows, lambda row: [f"{row.summaries[0]} {MORE}"]), PostprocessConfig())
    way = next(way for way in found.main.lengths if way.name == AT_MOST)
    longest = max(len(row.summaries[0]) for row in rows)
    assert longest <= way.fitted.max_characters < longest + len(MORE)
    assert way.effect.test is not None
    assert way.effect.test.low > 0
    assert found.advised == replace(PostprocessConfig(), max_characters=way.fitted.max_characters)
    assert found.together.score == pytest.approx(300)


def test_a_least_length_takes_the_longer_candidate(rows: list[Row]) -> None:
    rng = random.Random(0)
    short = {row.id: rng.random() < 0.4 for row in rows}

    def texts(row: Row) -> list[str]:
        whole = row.summaries[0]
        return [*(["만난다."] if short[row.id] else []), whole, f"{whole} {MORE}"]

    found = search(task(rows, texts), PostprocessConfig())
    assert 4 < found.advised.min_characters <= min(len(row.summaries[0]) for row in rows)
    assert found.together.score == pytest.approx(300)
    assert found.together.changed == pytest.approx(sum(short.values()) / len(rows))
    # What was applied before is the run's own now, and nothing more is to be had.
    again = search(task(rows, texts), found.advised)
    assert again.advised == found.advised
    assert again.main.own_score == pytest.approx(300)


def test_a_limit_that_hurts_goes_by_the_rule_or_by_the_fit(rows: list[Row]) -> None:
    own = PostprocessConfig(max_characters=12)
    found = search(task(rows, lambda row: list(row.summaries)), own)
    assert "limit_length" not in found.advised.rules or found.advised.max_characters > 12
    assert found.together.score == pytest.approx(300)


def test_one_candidate_leaves_no_choice_and_costs_no_test(rows: list[Row]) -> None:
    found = search(task(rows, lambda row: list(row.summaries)), PostprocessConfig())
    way = next(way for way in found.main.lengths if way.name == AT_LEAST)
    assert way.fitted == found.own
    assert way.effect.test is None
    assert way.adjusted_p == 1


def test_a_length_is_never_fitted_to_its_own_dialogue(rows: list[Row]) -> None:
    """A fold's references may change at will without moving what that fold was taught."""
    before = task(rows, lambda row: [f"{row.summaries[0]} {MORE}", "만난다."])
    fold_of = folds(rows, FOLDS, NEAR_COPY)
    changed = {
        name: ["만난다."] if fold_of[name] == 2 else wanted for name, wanted in before.references.items()
    }
    one, two = (
        search(before, PostprocessConfig()),
        search(replace(before, references=changed), PostprocessConfig()),
    )
    for first, second in zip(one.main.lengths, two.main.lengths, strict=True):
        assert first.by_fold[2] == second.by_fold[2]
        assert second.effect.test is None or first.effect != second.effect


def test_near_copies_are_in_one_fold(rows: list[Row]) -> None:
    whole = task(rows, lambda row: list(row.summaries))
    with pytest.raises(UserError, match="groups of near-copies"):
        search(replace(whole, near_copy=0.01), NONE)


# --- chance


def test_chance_is_not_taken_for_an_effect(rows: list[Row]) -> None:
    """Either form is the reference by the throw of a coin, so no rule and no length is worth anything."""
    advised = 0
    for seed in range(40):
        rng = random.Random(seed)
        coin = {row.id: rng.random() < 0.5 for row in rows}

        def wanted(row: Row, coin: dict[str, bool] = coin) -> str:
            return said_twice(row) if coin[row.id] else row.summaries[0]

        thrown = task(rows, lambda row: [said_twice(row), row.summaries[0]], wanted)
        advised += search(thrown, NONE).advised != NONE
    assert advised <= 5  # of 40 at a level of 5 % more than that come in one of a hundred runs


def test_the_correction_is_holms() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, 1.0, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([None]) == [1.0]
    assert holm([]) == []


# --- what it needs


def test_one_dialogue_is_too_few(rows: list[Row]) -> None:
    with pytest.raises(UserError, match="folds: 1 rows form 1 groups"):
        search(task(rows[:1], lambda row: list(row.summaries)), NONE)


# --- applying it


def test_an_empty_candidate_is_not_predicted_while_there_is_another() -> None:
    config = PostprocessConfig()
    assert prediction(config, ["", "  ", "<think>끝나지 않는 생각", "짧다.", "더 길다."]) == "짧다."
    assert prediction(replace(config, min_characters=4), ["", "짧다.", "더 길다."]) == "더 길다."
    assert prediction(config, ["", "<think>생각"]) == ""


def test_the_first_candidate_that_is_long_enough_is_predicted() -> None:
    texts = ["짧다. 짧다.", "조금 더 길다.", "가장 긴 것은 이것이다.", "이것은 넷째이다."]
    config = PostprocessConfig()
    assert prediction(config, texts) == "짧다."
    assert prediction(replace(config, min_characters=4), texts) == "조금 더 길다."  # after the rules
    assert prediction(replace(config, min_characters=9), texts) == texts[2]
    assert prediction(replace(config, min_characters=99), texts) == texts[2]  # none: the longest
    group = [Candidate(text, None, 3) for text in texts]
    assert best_texts(replace(config, min_characters=4), {"a": group}) == {"a": "조금 더 길다."}
    for least in (-1, 301):
        with pytest.raises(UserError, match=r"min_characters is .* wanted 0 to max_characters \(300\)"):
            prediction(replace(config, min_characters=least, max_characters=300), texts)


def test_without_a_limit_of_its_own_a_run_has_that_of_the_submission() -> None:
    config = PostprocessConfig()
    assert within(config, 12) == replace(config, max_characters=12)
    assert within(replace(config, max_characters=80), 12).max_characters == 80
    text = ["가 나 다 라. 마 바 사 아."]
    assert prediction(config, text) == text[0]
    assert prediction(within(config, 12), text) == "가 나 다 라."
    with pytest.raises(UserError, match=r"min_characters is 13; wanted 0 to max_characters \(12\)"):
        prediction(within(replace(config, min_characters=13), 12), text)


def test_a_record_from_before_a_setting_existed_means_its_default() -> None:
    settings = {"postprocess.rules": ["nfc"], "postprocess.max_characters": 80, "seed": 1}
    assert recorded(settings, RECORD) == PostprocessConfig(("nfc",), max_characters=80)


@pytest.mark.parametrize(
    ("name", "value"),
    [("rules", None), ("rules", "nfc"), ("rules", ["nfc", "shout"]), ("rules", [1]), ("max_characters", "80"),
     ("max_characters", 0), ("repetition_words", True), ("min_characters", -1)],
)  # fmt: skip
def test_a_damaged_record_is_one_line(name: str, value: object) -> None:
    settings = {"postprocess.rules": ["nfc"], f"postprocess.{name}": value}
    with pytest.raises(
        UserError, match=rf"exp001/run\.json: .* no usable postprocess\.{name}; infer exp001 again"
    ):
        recorded(settings, RECORD)


def test_a_record_without_rules_is_one_line() -> None:
    with pytest.raises(UserError, match=r"no usable postprocess\.rules"):
        recorded({"seed": 1}, RECORD)


# --- the command

TALK = ["--competition=daily_talk", "--run=exp001-turns"]


@pytest.fixture(scope="module")
def inferred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a run whose predictions are all cut far too short."""
    root = tiny.repository(tmp_path_factory.mktemp("search") / "repository", train_rows=40, other_rows=40)
    for words in (["train", "exp001", *TALK], ["infer", "exp001", *TALK, "--max-characters=8"]):
        code, output = tiny.call(root, "common", *words)
        assert code == 0, output
    return root


def postprocess_of(root: Path, *words: str) -> tuple[int, str]:
    return tiny.call(root, "common", "postprocess", *words)


def test_what_is_printed_can_be_run_and_then_nothing_is_left(inferred: Path) -> None:
    code, output = postprocess_of(inferred, *TALK, "--all")
    assert code == 0, output
    for name in (*RULES, AT_MOST, AT_LEAST):
        assert re.search(rf"(?m)^{name} ", output), name
    assert "changes nothing on dev" in output
    for profile in ("leaderboard", "rouge_sum", "korouge"):
        assert re.search(rf"(?m)^rule in the pipeline +now +{profile}: with − without ", output), profile
    assert re.search(r"over own: leaderboard \+.*; rouge_sum \+.*; korouge \+0\.\d{4}, 95 % interval", output)
    last = output.splitlines()[-1]
    printed = re.fullmatch(r'make exp=exp001 infer run=exp001-turns args="([^"]+)"', last)
    assert printed, last
    code, applied = tiny.call(inferred, "common", "infer", "exp001", *TALK, *printed[1].split())
    assert code == 0, applied
    record = read_json(inferred / "outputs" / "daily_talk" / "exp001-turns" / "run.json")["infer"]["config"]
    assert recorded(record, RECORD) != PostprocessConfig(max_characters=8)
    code, output = postprocess_of(inferred, *TALK, "--all")
    assert code == 0, output
    assert "no change improves on the settings of exp001-turns: keep --rules=" in output.splitlines()[-2]


def test_a_run_that_cannot_be_searched(inferred: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDS_ROOT", str(inferred))
    talk = load_competition("daily_talk")
    folder = inferred / "outputs" / "daily_talk" / "exp001-turns"
    again = r"make exp=exp001 infer run=exp001-turns args=\"(--postprocess\.\S+=\S+ ?)+\""
    with pytest.raises(
        UserError, match=r"exp001-no: infer has not finished; first run: make exp=exp001 infer run="
    ):
        report.task(talk, "exp001-no")
    with pytest.raises(UserError, match="wanted an experiment or a variant"):
        report.task(talk, "../exp001")
    path = folder / "dev" / "candidates.jsonl"
    whole = candidates.read(path)
    try:
        other = {name: [Candidate("다른 글.", None, 2), *group] for name, group in whole.items()}
        candidates.write(path, other)
        with pytest.raises(
            UserError, match=f"does not match its candidates and recorded settings; .*{again}"
        ):
            report.task(talk, "exp001-turns")
        candidates.write(path, {**whole, "dev_3": []})
        with pytest.raises(
            UserError, match=f"1 of 40 dialogues have no candidate, for example 'dev_3'.*{again}"
        ):
            report.task(talk, "exp001-turns")
        path.unlink()
        with pytest.raises(UserError, match="40 of 40 dialogues have no candidate"):
            report.task(talk, "exp001-turns")
    finally:
        candidates.write(path, whole)
