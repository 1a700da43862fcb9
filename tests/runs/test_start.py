"""A start is judged before torch is imported and before anything is written."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from common.core.config import plain
from common.core.files import root
from common.postprocess.rules import PostprocessConfig
from common.runs import experiments
from common.runs.record import changed_settings
from tests.support import repository as repositories

LOADED = "import sys; import experiments.{name}.config; print([m for m in ('torch', 'transformers', 'peft') if m in sys.modules])"


@pytest.mark.parametrize("name", experiments.experiments())
def test_settings_of_an_experiment_are_read_without_torch(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(name=name)],
        cwd=root(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("kind", ["train", "dev", "test"])
def test_a_start_without_a_data_file_writes_nothing(repository: Path, kind: str) -> None:
    file = repository / "competitions" / "talk" / "data" / f"{kind}.csv"
    file.unlink()
    shutil.rmtree(repository / "outputs")
    with pytest.raises(SystemExit) as end:
        repositories.stage(repository, "exp001", "train", "--turn=1")
    message = str(end.value.code)
    assert message.startswith(f"error: competitions/talk/data/{kind}.csv: not there; ")
    assert message.endswith("Get the data with: make data comp=talk from=PATH")
    assert not (repository / "outputs").exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--sed", "3"], "--sed: no such setting. Did you mean --seed?"),
        (["--competition=none"], "none"),
        (["--run"], "--run: expected one argument"),
    ],
)
def test_the_command_judges_its_line_without_torch(words: list[str], part: str) -> None:
    code = (
        "import sys\nfrom common.core.errors import UserError\nfrom common.runs.start import check_start\n"
        "try:\n    check_start('train', 'exp012', sys.argv[1:])\nexcept UserError as error:\n"
        "    print(error)\nprint('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=root(), capture_output=True, text=True, check=False
    )
    assert part in done.stdout and done.stdout.endswith("False\n") and not done.stderr, done


def test_a_run_that_is_in_use_is_refused_before_libraries_load(repository: Path) -> None:
    with FileLock(repository / "outputs" / "talk" / ".exp001.lock"):
        for stage in ("train", "infer"):
            ended = subprocess.run(
                [sys.executable, "-m", "common", stage, "exp001"],
                cwd=repository, env={**os.environ, "KDS_ROOT": str(repository)}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert (ended.returncode, ended.stdout) == (1, "")
            assert ended.stderr.startswith("error: outputs/talk/exp001 is in use by another process; wait")


@pytest.mark.parametrize("stage", ["train", "infer"])
def test_other_settings_than_those_of_the_training_are_refused_before_libraries_load(
    repository: Path, stage: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "common", stage, "exp001", "--turn=1"],
        cwd=repository, env={**os.environ, "KDS_ROOT": str(repository)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr == (
        "error: outputs/talk/exp001 was trained with other settings: turn was 0, is 1. Use the same settings, train again "
        "(make exp=exp001 train restart=1), or keep both with another run=exp001-NAME.\n"
    )


@pytest.mark.parametrize(
    ("inner", "wanted"),
    [
        (PostprocessConfig(), []),
        (PostprocessConfig(repetition_words=9), ["rules.repetition_words was 3, is 9"]),
    ],
)
def test_a_run_from_before_a_setting_existed_had_its_declared_default(
    inner: PostprocessConfig, wanted: list[str]
) -> None:
    """Otherwise nobody could decode with an older model after an update. A config that sets another value is a change."""

    @dataclass(frozen=True)
    class Before:
        turn: int = 0

    @dataclass(frozen=True)
    class After:
        turn: int = 0
        topic: bool = False
        sizes: tuple[int, ...] = (1, 2)
        rate: float = 1
        rules: PostprocessConfig = inner

    record = json.loads(json.dumps({"config": plain(Before())}))
    assert changed_settings(After(), record) == wanted
    assert changed_settings(After(topic=True), record)[-1] == "topic was False, is True"
    assert changed_settings(Before(), {"config": plain(After())})  # a setting that is gone is a change
