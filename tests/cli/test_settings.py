"""make settings: the settings of a recipe, of a run beside its recipe, and of a method of augmentation."""

import json
import shutil
import sys
from pathlib import Path

from click.testing import CliRunner

from common.cli import commands
from common.core.files import read_json, write_json
from tests.support import repository as repositories
from tests.support.commands import failed, make, started


def run(repository: Path, *words: str) -> str:
    ended = started(repository, sys.executable, "-m", "common", "settings", *words)
    assert ended.returncode == 0, ended
    return ended.stdout


def test_a_recipe_is_listed_by_group(repository: Path) -> None:
    text = make(repository, "settings", "exp=exp002").stdout
    assert text.splitlines()[0] == "exp002: exp002 of the tests"
    general, postprocess = text.split("\n\n")[1:3]
    assert general.splitlines() == ["general", "  --seed = 1: a whole number", "  --turn = 1: a whole number"]
    assert postprocess.startswith("postprocess: The rules that run on a prediction, and their bounds")
    assert (
        "  --postprocess.repetition-words = 3: a whole number from 1 to 1,000\n      A span of at least"
        in text
    )
    assert "  --postprocess.max-characters = none: a whole number from 1 to 1,000,000 or none" in text
    assert text.rstrip().endswith('make exp=exp002 train run=exp002-NAME args="--setting value"')
    assert "*" not in text


def test_a_run_is_listed_beside_its_recipe(repository: Path) -> None:
    repositories.stage(repository, "exp001", "train", "--run=exp001-b", "--turn=1")
    repositories.stage(repository, "exp001", "infer", "--run=exp001-b", "--postprocess.min_characters=2")
    text = run(repository, "--run", "exp001-b")
    assert "Values of the run outputs/talk/exp001-b; 2 of them, marked with *, differ from the recipe" in text
    marked = [line for line in text.splitlines() if line.startswith("*")]
    assert marked[0] == "* --turn = 1 (recipe: 0): a whole number"
    assert marked[1].startswith("* --postprocess.min-characters = 2 (recipe: 0): a whole number from 0 to")
    found = json.loads(run(repository, "exp001", "--run", "exp001-b", "--json"))
    entries = {one["name"]: one for group in found["groups"] for one in group["settings"]}
    assert (entries["turn"]["value"], entries["turn"]["recipe"], entries["turn"]["changed"]) == (1, 0, True)
    assert (entries["seed"]["value"], entries["seed"]["changed"]) == (1, False)
    assert found["run"] == "outputs/talk/exp001-b"
    plain = run(repository, "--run", "exp001")
    assert "all of them are those of the recipe" in plain and "*" not in plain


def test_settings_that_came_and_went_since_a_run_are_told_apart(repository: Path) -> None:
    path = repository / "outputs" / "talk" / "exp001" / "run.json"
    record = read_json(path)
    for stage in record.values():
        del stage["config"]["turn"]
        stage["config"]["old_one"] = [1, 2]
    write_json(path, record)
    text = run(repository, "--run", "exp001")
    assert "  --turn = not in the run's record (recipe: 0): a whole number" in text
    assert "no longer a setting\n  old_one = 1,2" in text
    found = json.loads(run(repository, "--run", "exp001", "--json"))
    [turn] = [one for group in found["groups"] for one in group["settings"] if one["name"] == "turn"]
    assert (turn["value"], turn["recorded"], turn["changed"]) == (None, False, False)
    assert found["gone"] == {"old_one": [1, 2]}


def test_an_archived_run_is_listed(repository: Path) -> None:
    repositories.stage(repository, "exp002", "train", "--run=exp002-a")
    folder = repository / "outputs" / "talk"
    (folder / "archived").mkdir()
    shutil.move(folder / "exp002-a", folder / "archived" / "exp002-a")
    assert "Values of the run outputs/talk/archived/exp002-a" in run(repository, "--run=exp002-a")


def test_the_settings_of_a_method(repository: Path) -> None:
    text = make(repository, "settings", "method=turn_drop").stdout
    assert text.startswith("turn_drop: makes rows by dropping short turns")
    assert "\nguards: " in text and "  --method.share = 0.5: a number above 0 and at most 1" in text
    assert text.rstrip().endswith('make augment method=turn_drop args="--setting value"')


def test_help_of_a_stage_is_the_same_list(repository: Path) -> None:
    listed = make(repository, "settings", "exp=exp001").stdout
    assert make(repository, "train", "exp=exp001", "args=--help").stdout == listed
    command = [sys.executable, "-m", "experiments.exp001.infer", "--help"]
    assert started(repository, *command).stdout == listed
    assert not (repository / "outputs" / "talk" / "exp001-new").exists()


def test_mistakes_get_one_line(repository: Path) -> None:
    for words, parts in (
        ([], ["exp= is missing", "make settings exp=exp002"]),
        (["exp=exp999"], ["experiment 'exp999' does not exist"]),
        (
            ["run=exp001-x"],
            ['exp001-x is no run of talk (runs: "exp001", "exp002")', "make exp=exp001 train run=exp001-x"],
        ),
        (["run=../exp001"], ["run='../exp001': wanted an experiment or a variant of one"]),
        (["run=exp999"], ["experiment 'exp999' does not exist"]),
        (["exp=exp002", "run=exp001"], ["run='exp001' is no run of exp002"]),
        (["exp=exp002", "comp=talk"], ["comp= chooses the competition of a run"]),
        (["run=exp001", "comp=tlak"], ["no competition 'tlak'"]),
        (["method=swap"], ["method 'swap' is not one of"]),
        (["method=turn_drop", "exp=exp001"], ["method= stands alone"]),
    ):
        failed(make(repository, "settings", *words), *parts, code=2)


def test_a_config_that_is_not_python_gets_one_line(repository: Path) -> None:
    (repository / "experiments" / "exp001" / "config.py").write_text(
        "class Config:\n  x = (\n", encoding="utf-8"
    )
    result = CliRunner().invoke(commands, ["settings", "exp001"])
    assert "not valid Python" in str(result.exception)
