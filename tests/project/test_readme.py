"""The commands that the documentation shows exist, take the settings shown, and the first submission works as written."""

import ast
import csv
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from common.cli import commands as common_commands
from common.cli.make import settings
from common.core.config import override
from common.runs.results import read_results
from tests.support import REPOSITORY

READMES = ("README.md", "README.ko.md")
DOCUMENTS = sorted(
    str(path.relative_to(REPOSITORY))
    for pattern in ("*.md", "docs/*.md", "experiments/*/README.md", "competitions/*/README.md")
    for path in REPOSITORY.glob(pattern)
)
# Options of train and infer that are not settings of an experiment, and whether a value follows.
RUN_OPTIONS = {
    "--competition": True,
    "--run": True,
    "--track": True,
    "--restart": False,
    "--smoke": False,
    "--dry-run": False,
}
TINY = "--vocabulary 400 --dev-rows 2 --width 64 --layers 1 --feed-forward 64 --epochs 1 --max-new-tokens 8"


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The contents of the fenced blocks of a language."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```", text)


def shell_lines(text: str) -> list[str]:
    """The commands of the shell blocks, without comments."""
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    return [command for line in lines if (command := re.sub(r"(^|\s+)#.*", "", line).strip())]


def shown_commands(text: str) -> list[str]:
    """Every `make …` and `python -m common …` of a document: in fences, indented code and inline code."""
    fenced = [line for block in blocks(text, "[a-z]*") for line in block.splitlines()]
    prose = re.sub(r"(?ms)^```.*?^```", "", text)
    indented = [line for line in prose.splitlines() if line.startswith("    ")]
    code = [re.sub(r"\s+#.*", "", line.strip()) for line in (*fenced, *indented)]
    code += [re.sub(r"\s+", " ", inline) for inline in re.findall(r"`([^`]+)`", prose)]
    parts = [part.strip() for line in code for part in line.split(" && ")]
    return [part for part in parts if re.match(r"make( |$)|(\S*python3?(\.11)? )-m common ", part)]


def makefile_targets() -> set[str]:
    return set(re.findall(r"(?m)^([a-z-]+):.*?## ", read("Makefile")))


def links(text: str) -> list[str]:
    return [
        link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "#", "mailto"))
    ]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment whose programs only write down how they are called."""
    venv = tmp_path_factory.mktemp("recording") / "venv"
    (venv / "bin").mkdir(parents=True)
    for program in ("python", "ruff", "mypy", "lint-imports"):
        path = venv / "bin" / program
        path.write_text(
            f"#!{sys.executable}\nimport json, runpy, sys\n"
            "if sys.argv[1:] and sys.argv[1].endswith('cli/make.py'):  # starts this program again\n"
            "    sys.executable = sys.argv.pop(0)\n"
            "    sys.path.insert(0, sys.argv[0].rpartition('/')[0])\n"
            "    runpy.run_path(sys.argv[0], run_name='__main__')\n"
            "else:\n"
            f"    open({str(venv / 'calls')!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
        )
        path.chmod(0o755)
    return venv


def calls(venv: Path, command: str) -> list[list[str]]:
    """The arguments of each program that a make command starts. Fails when make refuses the command."""
    (venv / "calls").write_text("")
    ended = subprocess.run(
        ["make", f"VENV={venv}", "-o", str(venv / "ready"), *shlex.split(command)[1:]],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, (command, ended.stderr)
    return [json.loads(line) for line in (venv / "calls").read_text().splitlines()]


def settings_of(arguments: Sequence[str]) -> list[str]:
    """The arguments of train or infer without the options that every experiment has."""
    kept, rest = [], list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument.partition("=")[0] in RUN_OPTIONS and "=" in argument:
            continue
        if argument not in RUN_OPTIONS:
            kept.append(argument)
        elif RUN_OPTIONS[argument]:
            rest.pop(0)
    return kept


def require_parsed(arguments: Sequence[str]) -> None:
    """Parse the arguments of `python -m common` without running it. Raises when a command, option or setting is unknown."""
    name, *rest = arguments
    parsed = common_commands.commands[name].make_context(name, list(rest)).params
    if name in ("train", "infer"):
        config = importlib.import_module(f"experiments.{parsed['name']}.config").Config()
        override(config, settings_of(parsed["arguments"]))
    elif name == "augment":
        from common.augment import __main__
        from common.augment.settings import AUGMENT_METHODS
        from common.augment.settings import settings as settings_of_method

        found = __main__.command.make_context(name, list(parsed["arguments"])).params
        if found["name_of_method"] in AUGMENT_METHODS:  # "?" lists them
            override(settings_of_method(found["name_of_method"]), found["arguments"])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_shown_exists_and_takes_its_settings(name: str, recording: Path) -> None:
    for command in shown_commands(read(name)):
        if not command.startswith("make"):
            require_parsed(shlex.split(command.partition("-m common ")[2]))
            continue
        words = shlex.split(command)
        targets = [word for word in words[1:] if "=" not in word]
        assert set(targets) <= makefile_targets(), command
        known = {name for target in targets for name in settings(target)}
        assert {word.partition("=")[0] for word in words[1:] if "=" in word} <= known | {"PYTHON"}, command
        # The name of a command stands for the command with any settings.
        complete = len(words) > 2 or targets in (["demo"], ["submit"], ["leaderboard"], ["blend-report"])
        if complete:
            for arguments in calls(recording, command):
                if arguments[:2] == ["-m", "common"]:
                    require_parsed(arguments[2:])


def test_both_readmes_show_the_same_commands_links_and_figures() -> None:
    english, korean = (read(name) for name in READMES)
    assert shell_lines(english) == shell_lines(korean) != []
    assert blocks(english, "text") == blocks(korean, "text") != []
    assert len(re.findall(r"(?m)^## ", english)) == len(re.findall(r"(?m)^## ", korean))
    assert sorted(set(links(english)) - {"README.ko.md"}) == sorted(set(links(korean)) - {"README.md"})
    assert {*shown_commands(english)} == {*shown_commands(korean)}
    for name in (english, korean):
        assert re.findall(r"(?m)^\| (exp\d{3}) \|", name) == [
            path.name for path in sorted((REPOSITORY / "experiments").glob("exp[0-9]*"))
        ]
    numbers = [re.findall(r"\d+\.\d\d", text.partition("| exp001 |")[2]) for text in (english, korean)]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("name", READMES)
def test_the_table_of_experiments_has_the_measured_scores(name: str) -> None:
    rows = dict(re.findall(r"(?m)^\| (exp\d{3}) \|.*\| ([^|]+) \|$", read(name)))
    measured = [r for r in read_results("dialogue_summarization") if r.run == r.experiment]
    assert measured
    for result in measured:
        assert f"{result.dev['leaderboard'].score:.2f}" in rows[result.run]
        assert f"{result.dev['leaderboard'].floor:.2f}" in read(name)


@pytest.mark.parametrize("name", READMES)
def test_the_readmes_list_every_target(name: str) -> None:
    listed = {command.split()[1] for command in shown_commands(read(name)) if re.fullmatch(r"make [a-z-]+", command)}  # fmt: skip
    assert makefile_targets() == listed


def test_the_architecture_page_is_true_of_the_code() -> None:
    text = read("docs/architecture.md")
    rooms = dict(re.findall(r"(?m)^\| `([a-z]+)` \| (.+?) \|$", text))
    assert rooms
    found = {path.parent.name for path in (REPOSITORY / "common").glob("*/__init__.py")}
    assert set(rooms) == found
    for room, sentence in rooms.items():
        tree = ast.parse((REPOSITORY / "common" / room / "__init__.py").read_text(encoding="utf-8"))
        assert (ast.get_docstring(tree) or "").splitlines()[0] == sentence
    paths = re.findall(r"`(common/\w+/\w+\.py)`", text)
    assert [path for path in paths if not (REPOSITORY / path).is_file()] == []


def small_repository(root: Path) -> Path:
    """A copy of the code, recipes and Makefile with the first rows of the embedded sample, as in a fresh clone."""
    for folder in ("common", "experiments", "submissions", "competitions/daily_talk"):
        ignored = shutil.ignore_patterns("*.csv", "*.lock", "ledger.jsonl", "generator")
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=ignored)
    shutil.copy(REPOSITORY / "Makefile", root)
    talk = REPOSITORY / "competitions" / "daily_talk"
    toml = (talk / "competition.toml").read_text(encoding="utf-8")
    for count, some in ((40, "5000"), (6, "200")):
        toml = toml.replace(f"rows = {some}", f"rows = {count}")
        toml = toml.replace(f"last = {int(some) - 1}", f"last = {count - 1}")
    (root / "competitions" / "daily_talk" / "competition.toml").write_text(toml, encoding="utf-8")
    (root / "competitions" / "daily_talk" / "data").mkdir(exist_ok=True)
    for source in talk.glob("data/*.csv"):
        with source.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.reader(handle))[: 41 if source.stem == "train" else 7]
        target = root / "competitions" / "daily_talk" / "data" / source.name
        with target.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return root


@pytest.mark.slow
def test_the_first_submission_works_as_it_is_written(tmp_path: Path) -> None:
    root, venv = small_repository(tmp_path / "repository"), Path(sys.prefix)
    environment = {n: v for n, v in os.environ.items() if n not in ("KDS_ROOT", "PYTHONPATH", "MAKEFLAGS")}

    def run(command: str) -> "subprocess.CompletedProcess[str]":
        ended = subprocess.run(
            ["make", f"VENV={venv}", "-o", str(venv / "ready"), *shlex.split(command)[1:]],
            cwd=root, env=environment | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Traceback" not in ended.stdout + ended.stderr, (command, ended.stderr)
        return ended

    walk = [line for line in shell_lines(read("README.md").partition("## Which experiment")[0]) if "demo" not in line]  # fmt: skip
    assert [re.sub(r"\w+=\S+|make", "", line).strip() for line in walk] == [
        "data", "train", "infer", "submit", "lb", "leaderboard"
    ]  # fmt: skip
    output = ""
    for line in walk:
        identifier = re.search(r"Ledger id (\w+)", output)
        line = line.replace("LEDGER_ID", identifier[1] if identifier else "LEDGER_ID")
        ended = run(f"{line} args={shlex.quote(TINY)}" if " train " in line else line)
        assert ended.returncode == 0, (line, ended.stderr)
        output = ended.stdout
    entry = json.loads((root / "submissions" / "ledger.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert (root / "submissions" / "first.csv").is_file()
    assert entry["id"] in output
    [public] = [score for line in walk for score in re.findall(r"public=([\d.]+)", line)]
    assert public in output
    # "Work as a team": a teammate's run without its checkpoint.
    shutil.rmtree(root / "outputs" / "daily_talk" / "exp002-first" / "best")
    assert run("make submit blend=first").returncode != 0
    assert run("make submit blend=first stale=ok").returncode == 0
