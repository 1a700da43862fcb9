"""A trial's settings become the defaults of a new experiment, whose config.py reads as one that a person wrote."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from common.core.config import plain
from common.core.errors import UserError
from common.runs.experiments import experiments
from common.sweep.recipe import require_reads_so, trial_changes, with_defaults
from tests.support import REPOSITORY, sweeping


def source(experiment: str) -> str:
    return (REPOSITORY / "experiments" / experiment / "config.py").read_text(encoding="utf-8")


def lines_changed(before: str, after: str) -> list[str]:
    old = before.splitlines()
    return [line.strip() for line in after.splitlines() if line not in old]


def test_values_change_where_they_stand_and_comments_stay() -> None:
    before = source("exp012")
    after = with_defaults(
        before,
        {"lora.rank": 16, "lora.targets": ["q_proj"], "r_drop": 0.5, "training.learning_rate": 3.21e-05, "training.epochs": 4.0,
         "styles": ["summarize"], "adapter": False},
        "config.py",
    )  # fmt: skip
    assert lines_changed(before, after) == [
        "r_drop: Annotated[float, Ge(0), Le(100)] = 0.5",
        "adapter: bool = False",
        'styles: Annotated[tuple[Text, ...], Len(0, 20)] = ("summarize",)',
        'lora: LoRAConfig = LoRAConfig(rank=16, alpha=64, targets=("q_proj",))',
        "epochs=4.0,",
        "learning_rate=3.21e-05,",
    ]
    assert after.count("\n") == before.count("\n")


def test_a_setting_that_the_recipe_leaves_at_its_default_is_added() -> None:
    before = source("exp002")
    after = with_defaults(
        before,
        {
            "model.positions": 512,
            "training.warmup": 0.1,
            "training.weight_decay": 0.1,
            "training.betas": [0.9, 0.999],
        },
        "x",
    )
    assert "training=replace(Config.training, epochs=1)," in after  # SMOKE stays
    assert (
        """
    model: SmallModelConfig = SmallModelConfig(
        width=128,
        layers=2,
        feed_forward=512,
        dropout=0.0,
        positions=512,
    )
    training: TrainingConfig = TrainingConfig(
        epochs=5,
        tokens_per_batch=2048,
        learning_rate=2e-3,
        warmup=0.1,
        weight_decay=0.1,
        betas=(0.9, 0.999),
    )
"""
        in after
    )


def other(hint_value: Any) -> Any:
    """A value of the same kind, which is another one."""
    if isinstance(hint_value, bool):
        return not hint_value
    if isinstance(hint_value, float):
        return hint_value / 2 + 0.001
    return hint_value + 2 if isinstance(hint_value, int) else None


@pytest.mark.parametrize("name", experiments())
def test_every_number_and_switch_of_every_recipe_can_be_changed(name: str) -> None:
    """Each alone: some exclude one another. What ruff formats is also what is written."""
    recipe = plain(import_module(f"experiments.{name}.config").Config())
    text = source(name)
    written, values = text, {}
    for setting, value in recipe.items():
        if (new := other(value)) is None:
            continue
        try:
            changed = with_defaults(text, {setting: new}, name)
            require_reads_so(changed, Path(f"experiments/{name}/config.py"), recipe | {setting: new})
        except UserError as error:
            # Another setting does not allow it, or it is out of range.
            assert "where it stands" not in str(error) and "written there" not in str(error), error
            continue
        written, values = with_defaults(written, {setting: new}, name), values | {setting: new}
    assert len(values) > 3
    command = [sys.executable, "-m", "ruff", "format", "--check", "--stdin-filename", "config.py", "-"]
    done = subprocess.run(command, cwd=REPOSITORY, input=written, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr + written


def test_a_default_that_is_not_written_as_a_value_is_refused() -> None:
    text = "class Config:\n    a: int = 1\n    b: B = made()\n    c: C = OTHER\n"
    assert with_defaults(text, {"a": 2}, "x") == text.replace("= 1", "= 2")
    for name in ("b", "c.d", "missing", "b.d.e"):
        with pytest.raises(
            UserError, match=rf"x: {name} cannot be changed where it stands; edit that file by hand, to 2\."
        ):
            with_defaults(text, {name: 2}, "x")


def environment(root: Path) -> dict[str, str]:
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "KDS_", "MAKE"))
    }
    return own | {"KDS_ROOT": str(root), "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}


def common(root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "common", *words]
    return subprocess.run(
        command, cwd=root, env=environment(root), capture_output=True, text=True, check=False
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one trained run, and a sweep whose report has a trial of another machine."""
    root = sweeping.build(tmp_path / "repository")
    (root / "experiments" / "exp001" / "README.md").write_text(
        "# exp001 — the tests\n\n**Idea.** exp001.\n", encoding="utf-8"
    )
    words = [
        "--competition=talk",
        "--run=exp001-sweep_003",
        "--learning-rate=0.25",
        "--width=20",
        "--seconds=0",
        "--dev-rows=1",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "common", "train", "exp001", *words],
        cwd=root, capture_output=True, text=True, check=False, env=environment(root),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = {
        "trials": [
            {
                "run": "exp001-sweep_007",
                "settings": {"width": 16, "training.learning_rate": 0.5, "dev_rows": 1},
            }
        ]
    }
    folder = root / "outputs" / "talk" / "sweeps" / "exp001-sweep"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("trial", "rate", "width"), [("exp001-sweep_003", 0.25, 20), ("exp001-sweep_007", 0.5, 16)]
)
def test_make_new_writes_a_trial_as_an_experiment_that_trains(
    repository: Path, trial: str, rate: float, width: int
) -> None:
    done = common(repository, "new", "exp015", f"--from-trial={trial}", "--competition=talk")
    assert done.returncode == 0, done.stderr
    assert f"experiments/exp015 is exp001 with the settings of {trial}: " in done.stdout.replace("\n", " ")
    assert f"width 8 → {width}" in done.stdout.replace("\n", " ")
    folder = repository / "experiments" / "exp015"
    config = (folder / "config.py").read_text(encoding="utf-8")
    assert f"width: Annotated[int, Ge(1), Le(100)] = {width}\n" in config
    assert f"TrainingConfig = TrainingConfig(epochs=4, learning_rate={rate})\n" in config
    assert "dev_rows: DevRows = 50\n" in config  # how a sweep scores is not what it found
    assert "exp001" not in config and "exp001" not in (folder / "train.py").read_text(encoding="utf-8")
    readme = (folder / "README.md").read_text(encoding="utf-8").split("\n")
    assert readme[0] == "# exp015 — the tests"
    assert readme[2].startswith(f"**Settings.** Those of {trial}, a run of exp001 on talk, copied on 20")
    assert f"width 8 → {width}" in readme[2]
    shown = json.loads(common(repository, "settings", "exp015", "--json").stdout)
    values = {one["name"]: one["value"] for group in shown["groups"] for one in group["settings"]}
    assert (values["width"], values["training.learning_rate"], values["training.epochs"]) == (
        width,
        rate,
        4.0,
    )
    trained = common(repository, "train", "exp015", "--competition=talk", "--seconds=0")
    assert trained.returncode == 0, trained.stderr
    record = json.loads(
        (repository / "outputs" / "talk" / "exp015" / "run.json").read_text(encoding="utf-8")
    )["train"]
    assert record["config"]["width"] == width and "width" not in record["overrides"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["exp015"], "error: from= is missing; wanted the experiment to copy, as in make new exp=exp015 from=exp002, or a trial"),
        (["exp015", "--from=exp001", "--from-trial=exp001-sweep_003"], "error: from= and from-trial= cannot be combined"),
        (["exp015", "--from=exp001", "--competition=talk"], "error: comp= chooses the competition of a trial"),
        (["exp015", "--from-trial=best"], "error: from-trial='best': wanted the name of a run, as in exp012-sweep_007."),
        (["exp015", "--from-trial=exp099-sweep_003"], "error: experiment 'exp099' does not exist"),
        (["exp015", "--from-trial=exp001-sweep_099"], "error: from-trial=exp001-sweep_099: neither outputs/talk/exp001-sweep_099 nor a sweep of talk has its settings"),
        (["exp001", "--from-trial=exp001-sweep_003"], "error: experiments/exp001 already exists; choose another number."),
    ],
)  # fmt: skip
def test_a_trial_that_cannot_become_an_experiment_is_refused_in_one_line(
    repository: Path, words: list[str], part: str
) -> None:
    done = common(repository, "new", *words)
    assert done.returncode == 1 and done.stderr.startswith(part), done.stderr
    assert done.stderr.count("\n") == 1
    assert not (repository / "experiments" / "exp015").exists()


def test_a_run_with_the_settings_of_its_recipe_or_settings_that_are_gone_is_refused(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = repository / "outputs" / "talk" / "exp001-sweep_003" / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    recipe = dict(record["train"]["config"]) | {"width": 8, "seconds": 0.05, "training.learning_rate": 1e-3}
    for config, part in (
        (recipe, "it has the settings of exp001; copy that one: make new exp=exp0NN from=exp001"),
        (recipe | {"depth": 3}, "exp001 no longer has the setting depth; check out the commit"),
    ):
        record["train"]["config"] = config
        path.write_text(json.dumps(record), encoding="utf-8")
        done = common(repository, "new", "exp015", "--from-trial=exp001-sweep_003")
        assert done.returncode == 1 and part in done.stderr, done.stderr


def test_a_copy_of_an_experiment_has_its_own_name_in_the_sweep_file_too(repository: Path) -> None:
    sweep = repository / "experiments" / "exp001" / "sweep.yaml"
    sweep.write_text("name: exp001\n" + sweep.read_text(encoding="utf-8"), encoding="utf-8")
    assert common(repository, "new", "exp015", "--from=exp001").returncode == 0
    assert (
        (repository / "experiments" / "exp015" / "sweep.yaml")
        .read_text(encoding="utf-8")
        .startswith("name: exp015\n")
    )


def test_the_changes_of_a_run_are_those_from_the_recipe(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDS_ROOT", str(repository))
    monkeypatch.syspath_prepend(str(repository))
    for name in [name for name in sys.modules if name.split(".")[0] == "experiments"]:
        monkeypatch.delitem(sys.modules, name)
    found = trial_changes("talk", "exp001-sweep_003")
    assert found.changes == {"width": (8, 20), "seconds": (0.05, 0.0), "training.learning_rate": (1e-3, 0.25)}
    assert found.text == "width 8 → 20, seconds 0.05 → 0, training.learning_rate 0.001 → 0.25"
