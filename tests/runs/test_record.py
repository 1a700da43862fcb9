"""Run folders: what a run recorded, when it still holds, and which command mends it."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.core import verified_folder
from common.core.errors import UserError
from common.core.files import sha256_file
from common.core.paths import RUN_NAME, run_folder, wanted_run
from common.core.provenance import code_hash
from common.runs import experiments
from common.runs.experiments import Experiment, require_experiment
from common.runs.record import needs_training, read_record, stale_reasons, unfinished
from tests.support import repository as repositories

RUN = "outputs/talk/exp001"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def stage(capsys: pytest.CaptureFixture[str], repository: Path, *words: str) -> str:
    """The message with which a stage ends: "" when it succeeds."""
    try:
        repositories.stage(repository, *words)
    except SystemExit as end:
        return str(end.code)
    return ""


# Names


def test_only_folders_with_a_config_are_experiments(repository: Path) -> None:
    (repository / "experiments" / "exp003" / "__pycache__").mkdir(
        parents=True
    )  # what git leaves after a switch
    shutil.copytree(repository / "experiments" / "exp001", repository / "experiments" / "exp001-old")
    assert experiments.experiments() == ["exp001", "exp002"]


@pytest.mark.parametrize(
    "name", ["", "exp1", "exp0001", "EXP001", "exp001/", "../exp001", "exp001\n", "exp００1"]
)
def test_a_name_that_is_none_is_refused(repository: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"wanted exp and three digits.*exp001, exp002"):
        require_experiment(name)


def test_an_absent_experiment_is_refused(repository: Path) -> None:
    with pytest.raises(UserError, match=r"'exp099' does not exist.*exp001, exp002.*make new"):
        require_experiment("exp099")
    assert require_experiment("exp001") == "exp001"


@pytest.mark.parametrize("name", ["exp001-", "exp001-../x", "exp001/x", "exp001-A", "x", "exp001-a b"])
def test_a_bad_run_name_is_refused(repository: Path, name: str) -> None:
    with pytest.raises(UserError, match="wanted an experiment or a variant"):
        run_folder("talk", name)


@pytest.mark.parametrize(
    ("name", "experiment", "valid"),
    [
        ("exp007-gpt2-2", "exp007", "exp007-gpt2_2"),
        ("exp007-gpt2-2", "", "exp007-gpt2_2"),
        ("EXP007-GPT2", "exp007", "exp007-gpt2"),
        ("exp007_b", "exp007", "exp007-b"),
        ("exp007b", "exp007", "exp007-b"),
        ("exp004-a", "exp003", "exp003-a"),
        ("exp007-../x", "", "exp007-x"),
        ("exp007-lr=1e-4", "exp007", "exp007-lr_1e_4"),
        ("exp007-", "exp007", "exp007-seed2"),
        ("exp007-둘째", "", "exp007-seed2"),
        ("gpt2", "exp007", "exp007-gpt2"),
        ("gpt2", "", "exp002-seed2"),
        ("exp007-" + "a" * 200, "", "exp007-" + "a" * 80),
    ],
)
def test_a_bad_run_name_is_answered_with_its_form_and_a_name_that_passes(
    name: str, experiment: str, valid: str
) -> None:
    said = wanted_run(name, experiment)
    assert f'{valid}; NAME has 1 to 80 of the characters a-z, 0-9, "_" and ".", and begins with' in said
    assert RUN_NAME.fullmatch(valid)


@given(st.text(), st.sampled_from(["", "exp007"]))
def test_the_name_in_the_answer_always_passes(name: str, experiment: str) -> None:
    found = re.search(r"(exp[0-9]{3}-\S+); NAME", wanted_run(name, experiment))
    assert found
    assert RUN_NAME.fullmatch(found[1])


def test_an_experiment_describes_itself_without_being_imported(repository: Path) -> None:
    config = repository / "experiments" / "exp001" / "config.py"
    config.write_text(config.read_text(encoding="utf-8") + "\nraise RuntimeError\n", encoding="utf-8")
    assert experiments.describe("exp001") == Experiment("exp001", "exp001 of the tests", "none", "cpu")


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ('NEEDS = "cpu"', "", 'needs a line NEEDS = "…"'),
        ('NEEDS = "cpu"', "NEEDS = 3", 'needs a line NEEDS = "…"'),
        ('NEEDS = "cpu"', "NEEDS = (", "not valid Python"),
    ],
)
def test_what_a_config_lacks_is_named(repository: Path, old: str, new: str, part: str) -> None:
    edit(repository / "experiments" / "exp001" / "config.py", old, new)
    with pytest.raises(UserError) as caught:
        experiments.describe("exp001")
    assert part in str(caught.value)
    assert "experiments/exp001/config.py" in str(caught.value)


# Records


def test_a_record_holds_what_made_the_run(repository: Path) -> None:
    record = read_record(repository / RUN)
    assert set(record) == {"train", "infer"}
    for name, entry in record.items():
        assert entry["status"] == "finished"
        assert entry["experiment"] == "exp001"
        assert entry["config"]["turn"] == 0
        assert entry["seed"] == 1
        assert f"experiments/exp001/{name}.py" in entry["code"]
        assert set(entry["git"]) == {"commit", "dirty"}
        assert {"python", "numpy"} <= set(entry["packages"])
        assert "cores" in entry["hardware"]
    assert set(record["train"]["data"]) == {"competitions/talk/data/train.csv"}
    assert set(record["infer"]["data"]) == {f"competitions/talk/data/{s}.csv" for s in ("dev", "test")}
    assert f"{RUN}/test/predictions.csv" in record["infer"]["files"]
    assert set(record["infer"]["scores"]) == {"leaderboard", "rouge101", "korouge"}
    assert record["train"]["checkpoint"] == record["infer"]["checkpoint"]


def test_an_absent_record_is_empty_and_a_broken_one_named(repository: Path) -> None:
    assert read_record(repository / "outputs" / "talk" / "exp003") == {}
    for broken in ("{", "[]"):
        (repository / RUN / "run.json").write_text(broken)
        with pytest.raises(UserError, match=r"outputs/talk/exp001/run\.json"):
            read_record(repository / RUN)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("x = 1\n", "# why\nx = 1  # so\n\n", True),
        ('def f():\n    """One."""\n    return 1\n', 'def f():\n    """Two."""\n    return (1)\n', True),
        ("class A:\n    'one'\n    x = 1\n", "class A:\n    x = 1\n", True),
        ("x = 1\n", "x = 2\n", False),
        ("x = 'a'\n", "x = 'b'\n", False),
        ("def f():\n    return 1\n", "def f():\n    return 2\n", False),
    ],
)
def test_only_what_runs_counts_as_code(tmp_path: Path, before: str, after: str, same: bool) -> None:
    (tmp_path / "a.py").write_text(before)
    (tmp_path / "b.py").write_text(after)
    assert (code_hash(tmp_path / "a.py") == code_hash(tmp_path / "b.py")) == same


# Staleness

EXPERIMENT = "experiments/exp001"
STALE: list[tuple[str, Callable[[Path], object], str, bool]] = [
    ("infer code", lambda h: edit(h / EXPERIMENT / "infer.py", "turn + 1", "turn + 2"), f"code {EXPERIMENT}/infer.py has changed", False),
    ("train code", lambda h: edit(h / EXPERIMENT / "train.py", "rows = len", "rows = 0 * len"), f"code {EXPERIMENT}/train.py has changed", True),
    ("code gone", lambda h: (h / EXPERIMENT / "infer.py").unlink(), f"code {EXPERIMENT}/infer.py is gone", False),
    ("code broken", lambda h: (h / EXPERIMENT / "infer.py").write_text("def ("), f"code {EXPERIMENT}/infer.py has changed", False),
    ("settings", lambda h: edit(h / EXPERIMENT / "config.py", "turn: int = 0", "turn: int = 1"), f"code {EXPERIMENT}/config.py has changed", False),
    ("train data", lambda h: edit(h / "competitions/talk/data/train.csv", "일상", "하루"), "data competitions/talk/data/train.csv has changed", True),
    ("test data", lambda h: edit(h / "competitions/talk/data/test.csv", "?", "!"), "data competitions/talk/data/test.csv has changed", False),
    ("data gone", lambda h: (h / "competitions/talk/data/dev.csv").unlink(), "data competitions/talk/data/dev.csv is gone", False),
    ("checkpoint changed", lambda h: edit(h / RUN / "best/m.json", "0", "1"), "best/m.json has changed since it was saved", True),
    ("checkpoint gone", lambda h: shutil.rmtree(h / RUN / "best"), "outputs/talk/exp001/best cannot be used", True),
    ("another's checkpoint", lambda h: (shutil.rmtree(h / RUN / "best"), shutil.copytree(h / "outputs/talk/exp002/best", h / RUN / "best")), "the checkpoint is not the one", True),
    ("predictions changed", lambda h: edit(h / RUN / "test/predictions.csv", "#Person1#", "#Person2#"), f"result {RUN}/test/predictions.csv has changed", False),
    ("candidates gone", lambda h: (h / RUN / "dev/candidates.jsonl").unlink(), f"result {RUN}/dev/candidates.jsonl is gone", False),
]  # fmt: skip


@pytest.mark.parametrize(("change", "reason", "training"), [s[1:] for s in STALE], ids=[s[0] for s in STALE])
def test_a_change_makes_a_run_stale(
    repository: Path, change: Callable[[Path], object], reason: str, training: bool
) -> None:
    change(repository)
    reasons = stale_reasons(repository / RUN)
    assert any(reason in found for found in reasons), reasons
    assert needs_training(repository / RUN) == training
    assert not unfinished(repository / RUN)
    assert stale_reasons(repository / "outputs/talk/exp002") == [r for r in reasons if r.startswith("data")]


def test_what_does_not_count_leaves_a_run_fresh(repository: Path) -> None:
    for name in ("train", "infer", "config"):
        path = repository / EXPERIMENT / f"{name}.py"
        path.write_text("# a remark\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    edit(repository / EXPERIMENT / "README.md", "exp001", "one")
    (repository / "competitions/talk/data/solution.csv").unlink()
    (repository / RUN / "notes.txt").write_text("mine")
    assert stale_reasons(repository / RUN) == []


def test_a_run_is_stale_with_the_run_it_was_made_from(repository: Path) -> None:
    record, other = read_record(repository / RUN), "outputs/talk/exp002"
    record["train"]["runs"] = {other: read_record(repository / other)["train"]["checkpoint"]}
    (repository / RUN / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert stale_reasons(repository / RUN) == []
    edit(repository / "experiments/exp002/train.py", "rows = len", "rows = 0 * len")
    changed = f"run {other}: code experiments/exp002/train.py has changed"
    assert stale_reasons(repository / RUN) == [changed]
    edit(repository / other / "run.json", record["train"]["runs"][other], "0" * 64)
    assert stale_reasons(repository / RUN) == [f"run {other} was trained again"]
    shutil.rmtree(repository / other)
    assert stale_reasons(repository / RUN) == [f"run {other} is gone"]
    assert needs_training(repository / RUN)


def test_an_unfinished_stage_is_the_one_reason(repository: Path) -> None:
    record = read_record(repository / RUN)
    for name in ("infer", "train"):
        record[name]["status"] = "running"
        (repository / RUN / "run.json").write_text(json.dumps(record), encoding="utf-8")
        assert stale_reasons(repository / RUN) == [f"{name} has not finished"]
        assert unfinished(repository / RUN)
        assert needs_training(repository / RUN) == (name == "train")
    assert stale_reasons(repository / "outputs/talk/exp009") == ["train has not finished"]
    assert needs_training(repository / "outputs/talk/exp009")


# Stages: what is done twice, resumed or refused (common.runs.stage)


def test_training_twice_does_nothing_and_restart_keeps_the_old_run(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (repository / RUN / "run.json").read_bytes()
    assert stage(capsys, repository, "exp001", "train") == ""
    assert (repository / RUN / "run.json").read_bytes() == before
    assert stage(capsys, repository, "exp001", "train", "--restart") == ""
    assert stale_reasons(repository / RUN) == ["infer has not finished"]
    [aside] = (repository / "outputs" / "talk" / "replaced").iterdir()
    assert (aside / "run.json").read_bytes() == before
    assert stage(capsys, repository, "exp001", "infer") == ""
    assert stale_reasons(repository / RUN) == []


def test_a_variant_keeps_its_settings_for_inference(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--run", "exp001-second", "--turn", "1"]
    assert stage(capsys, repository, "exp001", "train", *words) == ""
    assert stage(capsys, repository, "exp001", "infer", *words[:2]) == ""
    record = read_record(repository / "outputs/talk/exp001-second")
    assert record["infer"]["overrides"] == {"turn": 1}
    assert record["infer"]["config"]["turn"] == 1
    assert stale_reasons(repository / "outputs/talk/exp001-second") == []


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["train", "--turn", "1"], ("other settings", "turn was 0, is 1", "restart=1", "run=exp001-NAME")),
        (["infer", "--turn", "1"], ("other settings", "turn was 0, is 1")),
        (
            ["train", "--run", "exp002"],
            ("run='exp002'", "wanted exp001 or exp001-NAME, as in exp001-seed2; "),
        ),
        (["train", "--run", "exp001x"], ("run='exp001x'",)),
        (["infer", "--run", "exp001-new"], ("has not been trained", "make exp=exp001 train run=exp001-new")),
        (["train", "--competition", "tlak"], ("no competition 'tlak'", "Did you mean talk?")),
        (
            ["train", "--nonsense", "1"],
            ("--nonsense: no such setting", "To list all settings: make settings exp=exp001"),
        ),
    ],
)
def test_a_stage_refuses_with_one_message(
    repository: Path, capsys: pytest.CaptureFixture[str], words: list[str], parts: tuple[str, ...]
) -> None:
    before = (repository / RUN / "run.json").read_bytes()
    message = stage(capsys, repository, "exp001", *words)
    assert message.startswith("error: ")
    for part in parts:
        assert part in message
    assert (repository / RUN / "run.json").read_bytes() == before
    assert not (repository / "outputs/talk/exp001-new/run.json").exists()


@pytest.mark.parametrize("rewritten", [False, True])
def test_inference_uses_only_the_checkpoint_that_training_saved(
    repository: Path, capsys: pytest.CaptureFixture[str], rewritten: bool
) -> None:
    best = repository / RUN / "best"
    file = next(path for path in best.iterdir() if path.name != verified_folder.MANIFEST)
    file.write_text("null\n", encoding="utf-8")
    if rewritten:
        manifest = json.loads((best / verified_folder.MANIFEST).read_text(encoding="utf-8"))
        manifest[file.name] = sha256_file(file)
        (best / verified_folder.MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    message = stage(capsys, repository, "exp001", "infer")
    assert (
        "is not the checkpoint that this run's training saved" if rewritten else "has changed since"
    ) in message
    assert "\n" not in message


def test_training_over_changed_code_asks_for_a_restart(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(repository / EXPERIMENT / "train.py", "rows = len", "rows = 0 * len")
    message = stage(capsys, repository, "exp001", "train")
    assert f"code {EXPERIMENT}/train.py has changed" in message
    assert "restart=1" in message


def test_a_file_where_the_runs_should_be(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(repository / "outputs")
    (repository / "outputs").write_text("a file")
    message = stage(capsys, repository, "exp001", "train")
    assert message.startswith("error: outputs/talk/exp001: cannot be written")


def test_a_run_in_use_is_left_alone(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = repository / EXPERIMENT / "train.py"
    nested = "    try:\n        main('infer', __file__, Config(), Config(), train)\n" \
             "    except SystemExit as end:\n        print('SECOND', end.code)\n    run.finish()\n"  # fmt: skip
    edit(train, "    run.finish()\n", nested)
    assert stage(capsys, repository, "exp001", "train", "--restart") == ""
    assert "SECOND error: outputs/talk/exp001 is in use by another process" in capsys.readouterr().out


def test_a_run_of_an_older_layout_is_stale_for_one_reason(repository: Path) -> None:
    """Its modules have moved, so that every recorded file is gone: not forty reasons but one."""
    record = read_record(repository / RUN)
    for stage in ("train", "infer"):
        record[stage]["code"] = {f"common/old{number}.py": "0" for number in range(40)} | record[stage][
            "code"
        ]
    (repository / RUN / "run.json").write_text(json.dumps(record), encoding="utf-8")
    files = len(record["train"]["code"])
    reasons = stale_reasons(repository / RUN)
    assert f"older layout of the code: 40 of its {files} code files" in reasons[0]
    assert "(common/old0.py, common/old1.py, common/old2.py, …)" in reasons[0]
    assert len(reasons) == 2  # train's and infer's, which recorded other numbers of files
