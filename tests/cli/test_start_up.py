"""Commands that read no data start without heavy libraries, and a stage says at once what it begins."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY
from tests.support.commands import make

HEAVY = {
    "torch", "transformers", "datasets", "accelerate", "peft", "sklearn", "scipy", "pandas", "matplotlib", "numba", "wandb",
    "bm25s", "mecab_ko", "numpy", "rich", "tqdm", "requests", "babel",
}  # fmt: skip
LOADED = (
    "import atexit, json, sys\n"
    "path = sys.argv.pop(1)\n"
    "atexit.register(lambda: open(path, 'w').write(json.dumps(sorted(sys.modules))))\n"
    "from common.cli import main\nmain()"
)
PREDICTIONS = "outputs/talk/exp001/dev/predictions.csv"
NEEDED = {
    "--help": (["--help"], set()),
    "doctor --help": (["doctor", "--help"], set()),
    "list": (["list"], {"rich"}),
    "runs": (["runs"], {"rich"}),
    "results": (["results"], {"rich"}),
    "leaderboard": (["leaderboard"], set()),
    "settings": (["settings", "exp001"], set()),
    "settings of a run": (["settings", "--run", "exp001"], set()),
    "settings --json": (["settings", "exp001", "--json"], set()),
    "settings of a method": (["settings", "--method", "turn_drop"], set()),
    "train with a mistyped setting": (["train", "exp001", "--trun=1"], set()),
    "score": (["score", "--predictions", PREDICTIONS], {"numpy", "mecab_ko"}),
    "compare": (["compare", "--a", PREDICTIONS, "--b", PREDICTIONS], {"numpy", "mecab_ko", "rich"}),
}
"""Name → command, and the heavy libraries that it needs for its work."""


def loaded(root: Path, words: list[str], folder: Path) -> set[str]:
    """The names of the packages that a command has imported when it ends."""
    report = folder / "modules.json"
    environment = {**os.environ, "KDS_ROOT": str(root), "PYTHONPATH": str(REPOSITORY), "KDS_CACHE": "off"}
    subprocess.run(
        [sys.executable, "-c", LOADED, str(report), *words],
        cwd=root,
        env=environment,
        capture_output=True,
        check=False,
    )
    return {name.partition(".")[0] for name in json.loads(report.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("name", NEEDED)
def test_a_command_imports_only_what_it_needs(repository: Path, tmp_path: Path, name: str) -> None:
    words, needed = NEEDED[name]
    assert loaded(repository, words, tmp_path) & HEAVY <= needed


@pytest.mark.parametrize("experiment", ["exp002", "exp008", "exp012"])
def test_settings_of_the_real_experiments_need_no_heavy_library(experiment: str, tmp_path: Path) -> None:
    found = loaded(REPOSITORY, ["settings", experiment], tmp_path)
    assert "experiments" in found
    assert found & HEAVY == set()


def test_the_test_sees_a_heavy_library(repository: Path, tmp_path: Path) -> None:
    assert "numpy" in loaded(repository, NEEDED["score"][0], tmp_path)


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["train", "exp001"], "exp001: training on talk in outputs/talk/exp001; loading libraries …"),
        (
            ["infer", "exp001"],
            "exp001: predicting for talk in outputs/talk/exp001; loading libraries …",
        ),
    ],
)
def test_the_first_line_of_a_stage_comes_before_its_libraries(
    repository: Path, words: list[str], first: str
) -> None:
    stage = repository / "experiments" / "exp001" / f"{words[0]}.py"
    stage.write_text('import time\n\nprint("imported", flush=True)\ntime.sleep(60)\n', encoding="utf-8")
    environment = {**os.environ, "KDS_ROOT": str(repository)}
    with subprocess.Popen(
        [sys.executable, "-m", "common", *words],
        cwd=repository, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        lines = [process.stdout.readline().strip(), process.stdout.readline().strip()]
        process.kill()
    assert lines == [first, "imported"]


def test_a_refused_start_prints_one_line(repository: Path) -> None:
    for words in (["run=../x"], ["run=exp002"], ["track=x"], ["args=--trun 1"], ["nodes=x"]):
        ended = make(repository, "train", "exp=exp001", *words)
        lines = [line for line in ended.stderr.splitlines() if not line.startswith("make: *** [")]
        assert len(lines) == 1 and lines[0].startswith("error: "), (words, ended)
