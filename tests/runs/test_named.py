"""Runs where files are wanted: score and compare take a run's name."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from common import cli
from common.core.errors import UserError
from common.core.files import read_json, write_json
from common.runs.archive import archive
from common.runs.named import different_settings, predictions_path
from tests.support import repository as repositories
from tests.support.commands import failed, make


def test_a_run_stands_for_its_predictions_and_a_file_of_that_name_wins(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    for split in ("dev", "test"):
        wanted = repository / f"outputs/talk/exp001/{split}/predictions.csv"
        assert predictions_path("exp001", "talk", split) == wanted  # type: ignore[arg-type]
    Path("exp001").mkdir()  # a folder is no file of predictions
    assert predictions_path("exp001", "talk", "dev").name == "predictions.csv"
    archived = archive("talk", "exp002")
    assert predictions_path("exp002", "talk", "dev") == archived / "dev/predictions.csv"
    Path("exp002").touch()
    assert predictions_path("exp002", "talk", "dev") == Path("exp002")
    assert predictions_path("none.csv", "talk", "dev") == Path("none.csv")


def test_a_run_without_predictions_gets_the_command_that_makes_them(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outputs = repository / "outputs/talk"
    repositories.stage(repository, "exp001", "train", "--run", "exp001-b", "--turn", "1")
    shutil.copytree(outputs / "exp001", outputs / "exp001-c")
    record = read_json(outputs / "exp001-c/run.json")
    record["infer"]["status"] = "running"
    write_json(outputs / "exp001-c/run.json", record)
    messages = {
        "exp001-b": "run exp001-b of talk has no dev predictions; make them with: make exp=exp001 infer run=exp001-b",
        "exp001-d": 'exp001-d is neither a file nor a run of talk (runs: "exp001", "exp001-b", "exp001-c", "exp002"). '
        "Did you mean exp001-c? Make its predictions with: make exp=exp001 train run=exp001-d && make exp=exp001 infer run=exp001-d",
        "exp009": "experiment 'exp009' does not exist. There are exp001, exp002",
        "exp1": "exp1: not there, and neither the name of a recipe's member nor of a run: wanted an experiment or a variant of "
        'one (EXPERIMENT-NAME), as in exp002 or exp002-seed2; NAME has 1 to 80 of the characters a-z, 0-9, "_" and ".", and '
        "begins with a letter or digit. Did you mean exp001?",
        " ": "a path is empty",
    }
    for text, message in messages.items():
        with pytest.raises(UserError) as caught:
            predictions_path(text, "talk", "dev")
        assert str(caught.value).startswith(message)
    assert caplog.text == ""
    assert predictions_path("exp001-c", "talk", "dev").is_file()
    assert "its last inference has not finished" in caplog.text


def test_compare_shows_only_the_settings_that_differ(repository: Path) -> None:
    outputs = repository / "outputs/talk"
    for stage in ("train", "infer"):
        repositories.stage(
            repository, "exp001", stage, "--run", "exp001-b", *(["--turn", "1"] * (stage == "train"))
        )
    assert different_settings(outputs / "exp001", outputs / "exp001-b") == {"turn": (0, 1)}

    def compared(*words: str) -> str:
        ended = CliRunner().invoke(cli.commands, ["compare", *words])
        assert ended.exit_code == 0, ended.exception
        return ended.output

    by_name = compared("--a", "exp001", "--b", "exp001-b")
    assert [line.split() for line in by_name.splitlines()[-2:]] == [
        ["turn", "0", "1"],
        ["Next:", "make", "submit"],
    ]
    paths = [str(outputs / run / "dev/predictions.csv") for run in ("exp001", "exp001-b")]
    assert compared("--a", paths[0], "--b", paths[1]) == by_name
    assert "a and b have the same settings." in compared("--a", "exp001", "--b", "exp001")
    report = json.loads(compared("--a", "exp001", "--b", "exp002", "--json"))
    assert {json.dumps(entry["settings"]) for entry in report} == {
        json.dumps({"experiment": ["exp001", "exp002"], "turn": [0, 1]})
    }
    elsewhere = shutil.copy(paths[0], repository / "mine.csv")
    assert "settings are not compared" in compared("--a", str(elsewhere), "--b", "exp001")


def test_through_make(repository: Path) -> None:
    target = repository / "each row's scores.csv"
    done = make(repository, "score", "pred=exp001", f"per-example={target}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "outputs/talk/exp001/dev/predictions.csv: predictions for talk dev" in done.stdout.splitlines()
    assert "each row's scores.csv: the scores of each of the 2 rows" in done.stdout
    rows = list(csv.DictReader(target.open(encoding="utf-8")))
    assert [row["fname"] for row in rows] == ["dev_0", "dev_2"]
    assert "a = outputs/talk/exp001" in make(repository, "compare", "a=exp001", "b=exp002").stdout
    failed(
        make(repository, "score", "pred=exp001-none"),
        "exp001-none is neither a file nor a run of talk",
        code=2,
    )
