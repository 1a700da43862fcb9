"""A run prints only lines of ours, whatever libraries would like to say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY, tiny

OURS = (
    r"exp\d+: (training on|predicting for) daily_talk in outputs/smoke/daily_talk/exp\d+; loading libraries …",
    r"smoke run: (trained|predicted) with tiny settings on a few rows in .*; scores and submissions never use it\.",
    r"step \d+  train loss \d+\.\d+( +[a-z_]+ \d+\.\d+)+",
    r"(train|load|evaluate|decode|score|extract|try|convert).*(\d+%\|.*\||… \d+ (s|min)).*",  # a slow machine shows bars
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.repository(tmp_path_factory.mktemp("copy") / "repository", train_rows=40, other_rows=6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exp001", "exp002", "exp010"])
def test_every_line_of_a_smoke_run_is_ours(copy: Path, name: str) -> None:
    for stage in ("train", "infer"):
        code, output = tiny.run(copy, "common", stage, name, "--smoke", "--competition=daily_talk")
        assert code == 0, output
        assert "smoke run: " in output
        for line in output.splitlines():
            assert any(re.fullmatch(pattern, line) for pattern in OURS), (stage, line)


def ended(tmp_path: Path, code: str, *options: str) -> str:
    (tmp_path / "script.py").write_text(code, encoding="utf-8")
    command = [sys.executable, *options, "-m", "common.core.launch", "script"]
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{tmp_path}"}
    environment.pop("PYTHONWARNINGS", None)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    return done.stderr


WARNING = "import warnings\nwarnings.warn('do it another way', FutureWarning)\n"


def test_warnings_of_libraries_are_shown_only_when_python_is_asked_for_them(tmp_path: Path) -> None:
    assert ended(tmp_path, WARNING) == ""
    assert "do it another way" in ended(tmp_path, WARNING, "-Wdefault")
    assert "0 / 0" in ended(
        tmp_path, WARNING.replace("do it another way', FutureWarning", "0 / 0', RuntimeWarning")
    )
    driver = "import warnings\nwarnings.warn_explicit('driver too old', UserWarning, 'x.py', 1, module='torch.cuda')\n"
    assert "driver too old" in ended(tmp_path, driver)


def test_importing_peft_says_nothing(tmp_path: Path) -> None:
    """bitsandbytes would recommend a package for 4-bit models on some processors."""
    assert ended(tmp_path, "import peft\nimport bitsandbytes\n") == ""
