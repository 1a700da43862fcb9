"""The choice of settings, early stopping as W&B's hyperband does it, liveness of workers, and what the report says."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from common.core.errors import UserError
from common.core.json_lines import append_line
from common.sweep import report, report_text, search, storage, table, workers
from common.sweep.gpus import Lent
from common.sweep.parameter import Parameter
from common.sweep.report import SweepView, TrialView
from common.sweep.rescore import Decoded, chosen, flattery
from common.sweep.storage import open_storage, storage_url
from common.sweep.study import Claim, Study
from common.sweep.sweep_file import Hyperband, SweepFile
from common.sweep.trial import How, Trial
from common.sweep.workers import PREFIX, Worker
from tests.support import postgres

RATE = Parameter("training.learning_rate", "log_uniform_values", low=1e-5, high=1e-2)
WIDTH = Parameter("width", "categorical", values=(8, 16, 20))
BOTH = (RATE, WIDTH, Parameter("seed", "constant", values=(3,)))


def sweep(*parameters: Parameter, method: Any = "bayes", **values: Any) -> SweepFile:
    return SweepFile(
        Path("sweep.yaml"), "exp001", "exp001", method, "rouge_sum", "maximize", parameters or BOTH, **values
    )


def study(folder: Path, found: SweepFile, name: str = "sweep") -> Study:
    made = Study(open_storage("", folder), found, "talk", name, Worker())
    assert made.open()
    return made


@pytest.mark.parametrize(
    ("parameter", "low", "high"),
    [
        (Parameter("a", "int_uniform", low=2, high=5), 2, 5),
        (Parameter("a", "uniform", low=0.5, high=0.75), 0.5, 0.75),
        (Parameter("a", "q_uniform", low=0.1, high=0.9, q=0.2), 0.1, 0.9),
        (Parameter("a", "log_uniform_values", low=1e-5, high=1e-3), 1e-5, 1e-3),
        (Parameter("a", "q_log_uniform_values", low=1, high=64, q=8), 0, 64),
        (Parameter("a", "normal", mu=1.0, sigma=0.1), 0.5, 1.5),
        (Parameter("a", "beta", a=2.0, b=3.0), 0.0, 1.0),
        (Parameter("a", "categorical", values=(1, 2), probabilities=(0.9, 0.1)), 1, 2),
    ],
)
def test_every_distribution_gives_values_inside_it(
    parameter: Parameter, low: float, high: float, tmp_path: Path
) -> None:
    made = study(tmp_path, sweep(parameter, method="random"))
    values = [claim.settings["a"] for _ in range(30) if (claim := made.claim(30, range(99)))]
    assert len(values) == 30
    assert all(low <= value <= high for value in values)
    assert len(set(values)) > 1
    if parameter.q:
        assert all(abs(value / parameter.q - round(value / parameter.q)) < 1e-9 for value in values)
    if parameter.probabilities:
        assert values.count(1) > 20
    if parameter.distribution == "int_uniform":
        assert {type(value) for value in values} == {int}


def test_lists_and_texts_stay_what_they_are(tmp_path: Path) -> None:
    one = Parameter("targets", "categorical", values=(("q_proj", "v_proj"), ("q_proj",)))
    other = Parameter("topic", "categorical", values=(True, False))
    claim = study(tmp_path, sweep(one, other, method="random")).claim(1)
    assert claim is not None
    assert claim.settings["targets"] in (["q_proj", "v_proj"], ["q_proj"])
    assert claim.settings["topic"] in (True, False)


def test_the_choice_depends_on_the_trials_before_and_on_nothing_else(tmp_path: Path) -> None:
    first, second = (study(tmp_path / name, sweep()) for name in "ab")
    for made in (first, second):
        for number in range(10):
            claim = made.claim(20, range(99))
            assert claim is not None
            made.finish(number, "COMPLETE", -abs(claim.settings["training.learning_rate"] - 1e-3))
    assert report.view(first, None).trials == report.view(second, None).trials
    assert {one.settings["seed"] for one in report.view(first, None).trials} == {3}


def test_bayes_looks_where_trials_were_good(tmp_path: Path) -> None:
    made = study(tmp_path, sweep(Parameter("x", "uniform", low=0.0, high=1.0)))
    for number in range(30):
        claim = made.claim(30, range(99))
        assert claim is not None
        made.finish(number, "COMPLETE", -abs(claim.settings["x"] - 0.3))
    late = [one.settings["x"] for one in report.view(made, None).trials][15:]
    assert np.median(np.abs(np.array(late) - 0.3)) < 0.1


def test_a_sweep_ends_at_its_target(tmp_path: Path) -> None:
    made = study(tmp_path, sweep(target=40.0))
    assert made.claim(9, range(99))
    made.finish(0, "COMPLETE", 39.0)
    assert made.claim(9, range(99))
    made.finish(1, "COMPLETE", 40.5)
    assert made.claim(9, range(99)) is None


def test_failed_trials_do_not_count(tmp_path: Path) -> None:
    made = study(tmp_path, sweep())
    assert made.claim(1, range(99))
    assert made.claim(1, range(99)) is None
    assert made.finish(0, "FAIL", None, reason="it is too large")
    assert made.claim(1, range(99))
    assert made.finish(1, "PRUNED", 3.0)
    assert not made.finish(1, "COMPLETE", 4.0)  # it has ended already
    assert made.claim(1, range(99)) is None
    assert [one.state for one in report.view(made, None).trials] == ["failed", "pruned"]


@pytest.mark.parametrize(
    ("own", "others", "stops"),
    [
        ([1.0], [], False),
        ([1.0], [[2.0], [3.0]], True),
        ([3.0], [[2.0], [1.0]], False),
        ([2.0], [[3.0], [1.0], [1.5], [0.5], [0.2]], False),  # the second of six is among the best third
        ([1.5], [[3.0], [1.0], [2.0], [0.5], [0.2]], True),
        ([1.0, 1.0], [[2.0, 9.0]], False),  # no trial is judged at the second evaluation
        ([5.0, 1.0, 1.0], [[2.0, 3.0, 4.0]], False),  # the best value so far counts
        ([1.0, 1.0, 1.0], [[2.0], [3.0]], False),  # the others have not got there
    ],
)
def test_early_stopping_is_that_of_wandb(own: list[float], others: list[list[float]], stops: bool) -> None:
    judged = sweep(early_terminate=Hyperband(eta=3.0, min_iter=1))
    assert search.should_stop(judged, own, others) is stops
    less = replace(judged, goal="minimize")
    assert search.should_stop(less, [-v for v in own], [[-v for v in one] for one in others]) is stops
    assert search.should_stop(replace(judged, early_terminate=None), own, others) is False


def test_early_stopping_agrees_with_the_bands_of_max_iter() -> None:
    judged = sweep(early_terminate=Hyperband(eta=3.0, max_iter=27, s=2))
    stopped = [n for n in range(1, 28) if search.should_stop(judged, [1.0] * n, [[2.0] * 27] * 3)]
    assert stopped == [3, 9]


def test_a_worker_of_another_machine_is_dead_when_it_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(workers.time, "monotonic", lambda: clock.now)
    me, sign = Worker(beat=15.0), {"host": "b", "machine": "other", "pid": 1, "start": "5", "count": 1}
    for now, count, dead in (
        (100, 1, False),
        (130, 2, False),
        (189, 2, False),
        (191, 2, True),
        (192, 3, False),
    ):
        clock.now = float(now)
        assert me.is_dead("other", {PREFIX + "other": {**sign, "count": count}}) is dead
    assert me.is_dead("unknown", {})
    assert not me.is_dead(me.id, {})


def test_a_worker_of_this_machine_is_looked_up() -> None:
    me, other = Worker(), Worker()
    sign = other.sign()
    assert not me.is_dead(other.id, {PREFIX + other.id: sign})
    assert me.is_dead(other.id, {PREFIX + other.id: {**sign, "start": "1"}})  # another process has its id now
    assert me.is_dead(other.id, {PREFIX + other.id: {**sign, "pid": 2**22 + 1}})


def test_the_trial_of_a_dead_worker_belongs_to_whoever_claims_it_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    first, second, third = (study(tmp_path / "sweep", sweep()) for _ in range(3))
    claim = first.claim(1, range(99))
    assert claim is not None
    assert second.claim(1, range(99)) is None
    for other in (second, third):
        monkeypatch.setattr(other.worker, "is_dead", lambda owner, attributes: owner == first.worker.id)
    taken = second.claim(1, range(99))
    assert taken is not None
    assert (taken.number, taken.settings, taken.again) == (0, claim.settings, True)
    assert third.claim(1, range(99)) is None
    assert not first.owns(0)
    assert not first.finish(0, "COMPLETE", 99.0)
    assert second.finish(0, "COMPLETE", 1.0)
    assert [one.value for one in third.trials()] == [1.0]


def require_completed(first: Study, second: Study) -> None:
    """Check that the second worker chooses what the first one, killed in the middle of its choice, did not get to."""
    first.optuna.ask({"width": search.distributions(first.sweep)["width"]})
    claim = second.claim(1, range(99))
    assert claim is not None
    assert claim.number == 0
    assert set(claim.settings) == {"training.learning_rate", "width", "seed"}
    assert 1e-5 <= claim.settings["training.learning_rate"] <= 1e-2


def test_a_trial_whose_worker_was_killed_while_it_chose_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    require_completed(study(tmp_path / "sweep", sweep()), study(tmp_path / "sweep", sweep()))


@pytest.mark.slow
def test_the_same_in_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    with postgres.server() as database:
        both = [
            Study(open_storage(storage_url(database.url), tmp_path), sweep(), "talk", "sweep", Worker())
            for _ in "ab"
        ]
        for one in both:
            assert one.open()
        require_completed(*both)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("", ""),
        ("file", ""),
        ("postgresql://me:pass@db:5432/sweeps", "postgresql+psycopg://me:pass@db:5432/sweeps"),
        ("postgres://db/sweeps", "postgresql+psycopg://db/sweeps"),
        ("postgresql+psycopg2://db/sweeps?sslmode=require", "postgresql+psycopg://db/sweeps?sslmode=require"),
    ],
)
def test_the_storage_is_a_file_or_postgresql(
    given: str, url: str, monkeypatch: pytest.MonkeyPatch, workspace: Path
) -> None:
    monkeypatch.delenv(storage.VARIABLE, raising=False)
    assert storage_url(given) == url
    monkeypatch.setenv(storage.VARIABLE, given)
    assert storage_url(None) == url
    assert storage_url("file") == ""


@pytest.mark.parametrize(
    "given",
    ["mysql://me:hunter22@db/x", "postgresql://me:hunter22@db", "me:hunter22@db", "postgresql://me:hunter22@db:port/x",
     "postgresql://me:hunter22@d b/x", "sqlite:///x.db", "redis"],
)  # fmt: skip
def test_another_storage_is_refused_without_its_password(given: str, workspace: Path) -> None:
    with pytest.raises(UserError, match=r"storage=.*PostgreSQL") as raised:
        storage_url(given)
    assert "hunter22" not in str(raised.value)


def view(values: list[float | None], **more: Any) -> SweepView:
    trials = tuple(
        TrialView(n, f"exp001-sweep_{n:03}", "failed" if value is None else "complete",
                  {"training.learning_rate": 0.1 * n, "seed": 3}, value, () if value is None else (value,),
                  1.0, None, "here", "", 1) for n, value in enumerate(values)
    )  # fmt: skip
    made = SweepView("sweep", "exp001", "talk", "file", "bayes", "rouge_sum", "maximize",
                     ("training.learning_rate",), 9, trials, **more)  # fmt: skip
    ranked = made.ranked()
    return replace(made, best=ranked[0].number if ranked else None)


def test_a_report_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    folder = tmp_path / "outputs" / "talk" / "sweeps" / "exp001-sweep"
    folder.mkdir(parents=True)
    assert report.sweeps("talk") == []
    with pytest.raises(UserError, match="not there; begin the sweep with: make exp=exp001 sweep"):
        report.read(folder)
    made = view([1.0, None, 3.0], importance={"training.learning_rate": 1.0})
    report.write(folder, made)
    assert report.sweeps("talk") == [folder]
    assert report.read(folder) == made
    (folder / report.FILE).write_text('{"trials": 3}', encoding="utf-8")
    with pytest.raises(UserError, match="is no report of a sweep"):
        report.read(folder)


def test_the_setting_that_matters_is_found(tmp_path: Path) -> None:
    made = study(
        tmp_path,
        sweep(Parameter("x", "uniform", low=0.0, high=1.0), Parameter("y", "uniform"), method="random"),
    )
    for number in range(24):
        claim = made.claim(24, range(99))
        assert claim is not None
        made.finish(number, "COMPLETE", 10 * claim.settings["x"] + 0.1 * claim.settings["y"])
        if number == 2:
            assert report.importance(made) == {}
    found = report.importance(made)
    assert list(found) == ["x", "y"]
    assert found["x"] > 0.9
    assert sum(found.values()) == pytest.approx(1)


def test_a_winner_by_chance_flatters_itself_and_a_good_one_does_not() -> None:
    chance = np.random.default_rng(1)
    seen = np.arange(400) < 200
    hard = np.where(seen, -5.0, 5.0)  # the seen rows are harder for everyone
    rows = [Decoded(hard + chance.normal(50, 1, 400), seen, ~seen) for _ in range(4)]
    lucky = replace(rows[0], scores=rows[0].scores + np.where(seen, 2.0, 0.0))
    good = replace(rows[0], scores=rows[0].scores + 2.0)
    found = flattery(dict(enumerate([lucky, *rows[1:]])), 0)
    assert found is not None
    assert found.difference == pytest.approx(2.0, abs=0.3)
    assert found.low > 1.5
    assert (found.seen_rows, found.unseen_rows, found.others) == (200, 200, 3)
    honest = flattery(dict(enumerate([good, *rows[1:]])), 0)
    assert honest is not None
    assert honest.low < 0 < honest.high
    assert flattery({0: lucky}, 0) is None
    assert flattery({0: replace(lucky, unseen=~seen & seen), 1: rows[1]}, 0) is None


def test_a_trial_counts_with_the_checkpoint_that_it_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(tmp_path))
    how = How(sweep(), "talk", tmp_path, 1, 0, "off")
    trial = Trial(how, Claim(0, {}, again=False), "exp001-sweep_000", Lent((), ()))
    assert trial.expected == float("inf")
    whole = {"training.epochs": 0.9, "training.evaluate_every": 0.15}
    assert replace(trial, how=replace(how, recipe=whole)).expected == 6
    assert not trial.read_metrics()
    metrics = trial.folder / "metrics.jsonl"
    for step, score, rouge in ((1, 10.0, 22.0), (2, 12.0, 20.0), (3, 12.0, 30.0)):
        append_line(metrics, {"step": step, "loss": 1.0})
        append_line(metrics, {"step": step, "train_loss": 1.0, "score": score, "rouge_sum": rouge})
    assert trial.read_metrics()
    assert (trial.values, trial.best) == ([22.0, 20.0, 30.0], 20.0)
    assert not trial.read_metrics()
    with metrics.open("ab") as file:
        file.write(b'{"step": 4, "score": 13')  # it is being written
    assert not trial.read_metrics()
    assert trial.best == 20.0


def test_trials_from_the_middle_are_a_control() -> None:
    made = view([float(n) for n in range(21)])
    assert [one.number for one in chosen(made, 4)] == [20, 19, 18, 17, 9, 8]
    assert len(chosen(view([1.0, 2.0, None]), 5)) == 2


def test_the_tables_say_what_was_found() -> None:
    made = view([1.0, None, 30.25], importance={"training.learning_rate": 0.75, "width": 0.25})
    assert table.summary(made) == "2 of 9 trials, 1 failed, best rouge_sum 30.25 (trial 2)"
    lines = table.trial_table(made, made.ranked()).splitlines()
    assert lines[0].split() == ["trial", "state", "rouge_sum", "evaluations", "minutes", "learning-rate"]
    assert lines[2].split() == ["2", "complete", "30.25", "1", "1.0", "0.2"]
    assert "learning-rate  75%" in report_text.importance(made)
    winner = report_text.winner(made, {"training.learning_rate": 1e-3, "seed": 3}).splitlines()
    assert winner[2].split() == ["training.learning_rate", "0.001", "0.2"]
    assert len(winner) == 3
    assert "not known" in report_text.flattery(made)
