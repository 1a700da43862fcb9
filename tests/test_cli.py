"""The front doors as a user opens them: real processes of `python -m common …` and of `make …`."""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from common import ledger
from common.cli import commands

REPOSITORY = Path(__file__).resolve().parent.parent
Ended = subprocess.CompletedProcess[str]


def started(house: Path, *command: str, **variables: str) -> Ended:
    environment = {**os.environ, **variables, "KDS_ROOT": str(house), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True, check=False)


def common(house: Path, *words: str) -> Ended:
    return started(house, sys.executable, "-m", "common", *words)


def make(house: Path, *words: str, **variables: str) -> Ended:
    """`make` with the repository's Makefile in the house; what is set up counts as up to date."""
    venv = Path(sys.prefix)
    options = ["-f", str(REPOSITORY / "Makefile"), f"VENV={venv}", "-o", str(venv / "ready")]
    return started(house, "make", *options, *words, **variables)


def all_of(house: Path, *commands: tuple[str, ...]) -> list[Ended]:
    """Several `python -m common` at once: starting one takes a while."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda words: common(house, *words), commands))


def failed(ended: Ended, *parts: str, code: int = 1) -> None:
    """One error message that holds every part, nothing on stdout, no traceback."""
    assert ended.returncode == code, ended
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert len(re.findall(r"(?m)^(?:error|Error): |\*\*\* .* Stop\.$", ended.stderr)) == 1, ended.stderr
    for part in parts:
        assert part in ended.stderr


def files(house: Path) -> dict[str, bytes]:
    found = (
        p for p in house.rglob("*") if p.is_file() and p.suffix != ".lock" and "__pycache__" not in p.parts
    )
    return {str(path.relative_to(house)): path.read_bytes() for path in found}


NASTY = [
    "x; touch PWNED",
    "$(shell touch PWNED)",
    "$(touch PWNED)",
    "`touch PWNED`",
    '" ; touch PWNED ; "',
    "--help",
]


def test_mistakes_get_one_message_and_change_nothing(house: Path) -> None:
    before = files(house)
    mistakes: list[tuple[tuple[str, ...], int, tuple[str, ...]]] = [
        (("submt",), 2, ("No such command 'submt'", "Did you mean 'submit'?")),
        (("train", "exp999"), 1, ("'exp999' does not exist", "exp001, exp002", "make new")),
        (("train", "x; touch PWNED"), 1, ("'x; touch PWNED'", "wanted exp and three digits")),
        (("infer", "../exp001"), 1, ("wanted exp and three digits",)),
        (("train",), 2, ("Missing argument 'EXPERIMENT'",)),
        (("use", "--competition", "tlak"), 1, ("no competition 'tlak'", "Did you mean talk?")),
        (("data", "--competition", "talk", "--from", "nowhere"), 1, ("nowhere: not there",)),
        (("score", "--predictions", "none.csv"), 1, ("none.csv: not there",)),
        (("score", "--predictions", "x", "--split", "train"), 2, ("'train' is not one of 'dev', 'test'",)),
        (("submit", "--blend", "../talk"), 1, ("wanted the name of a file in submissions/",)),
        (("submit", "--blend", "none"), 1, ("submissions/none.toml: not there", "recipes here: talk")),
        (("submit", "--missing", "yes"), 2, ("'yes' is not one of 'stop', 'train'",)),
        (("lb", "--id", "abc", "--public", "70"), 1, ("nothing was submitted yet; first run: make submit",)),
        (("lb", "--id", "abc", "--public", "high"), 2, ("'high' is not a valid float",)),
        (("smoke", "exp9"), 1, ("wanted exp and three digits",)),
        (("new", "exp1", "--from", "exp001"), 1, ("'exp1'", "as in exp014")),
        (("new", "../exp014", "--from", "exp001"), 1, ("'../exp014'",)),
        (("new", "exp002", "--from", "exp001"), 1, ("experiments/exp002 already exists", "another number")),
        (("new", "exp014", "--from", "exp012"), 1, ("'exp012' does not exist",)),
    ]
    for ended, (_, code, parts) in zip(
        all_of(house, *(words for words, _, _ in mistakes)), mistakes, strict=True
    ):
        failed(ended, *parts, code=code)
    assert files(house) == before


def test_every_command_explains_itself(house: Path) -> None:
    names = [
        "data",
        "use",
        "list",
        "train",
        "infer",
        "new",
        "smoke",
        "score",
        "compare",
        "submit",
        "leaderboard",
        "lb",
        "track",
        "docs",
        "augment",
        "leaks",
        "postprocess",
        "soup",
        "merge",
    ]
    top = common(house, "--help")
    assert (top.returncode, top.stderr) == (0, "")
    assert re.findall(r"(?m)^  ([a-z]+)  ", top.stdout) == sorted(names)
    assert "..." not in top.stdout.partition("Commands:")[2]  # no one-line meaning is cut off
    for name in names:  # without a process each: only --help is asked
        ended = CliRunner().invoke(commands, [name, "--help"])
        assert ended.exit_code == 0
        assert "--help" in ended.stdout


def test_the_whole_walk_with_json(house: Path) -> None:
    listed, shown, empty = all_of(house, ("list", "--json"), ("list",), ("leaderboard",))
    found = json.loads(listed.stdout)
    assert (found["competition"], found["profile"]) == ("talk", "leaderboard")
    assert [e["name"] for e in found["experiments"]] == ["exp001", "exp002"]
    assert all(isinstance(e["dev"], float) for e in found["experiments"])
    assert "exp002 of the tests" in shown.stdout
    assert "nothing submitted yet; make one with: make submit" in empty.stdout

    submitted = common(house, "submit", "--json")
    entry = json.loads(submitted.stdout)
    assert ledger.entries() == [entry]
    predictions = "outputs/talk/exp001/dev/predictions.csv"
    score, lb, text = all_of(
        house,
        ("score", "--predictions", predictions, "--json"),
        ("lb", "--id", entry["id"][:4], "--public", "71.5"),
        ("score", "--predictions", predictions, "--profile", "korouge"),
    )
    report = json.loads(score.stdout)
    assert (
        {s["profile"] for s in report["scores"]}
        == set(report["floors"])
        == {"leaderboard", "rouge101", "korouge"}
    )
    assert "71.5" in lb.stdout
    assert text.stdout.splitlines()[0] == f"{predictions} on talk dev"

    board, table = all_of(house, ("leaderboard", "--json"), ("leaderboard",))
    assert json.loads(board.stdout) == ledger.entries()
    assert ledger.entries()[0]["lb"] == {"public": 71.5}
    assert "71.50" in table.stdout
    assert "70 · 75 · 78 · 80 ·" in table.stdout
    for name in ("floor", "exp001", "exp002", "blend"):
        assert re.search(rf"(?m)^{name} ", table.stdout)


def test_a_new_experiment_is_a_copy_that_runs(house: Path) -> None:
    (house / "experiments/exp001/__pycache__").mkdir()
    ended = make(house, "new", "exp=exp014", "from=exp001")
    assert ended.returncode == 0, ended
    assert "experiments/exp014 is a copy of exp001" in ended.stdout
    copied = house / "experiments" / "exp014"
    assert sorted(p.name for p in copied.iterdir()) == [
        "README.md",
        "__init__.py",
        "config.py",
        "infer.py",
        "train.py",
    ]
    for path in copied.iterdir():
        assert path.read_text(encoding="utf-8") == (house / "experiments/exp001" / path.name).read_text(
            encoding="utf-8"
        ).replace("exp001", "exp014")
    for stage in ("train", "infer"):
        ended = make(house, stage, "exp=exp014", "run=exp014-a", "args=--seed 5")
        assert ended.returncode == 0, ended
    record = json.loads((house / "outputs/talk/exp014-a/run.json").read_text(encoding="utf-8"))
    assert record["infer"]["overrides"] == {"seed": 5}
    assert not [p for p in (house / "experiments").iterdir() if p.name.startswith(".")]


def test_a_new_experiment_where_nothing_can_be_written(house: Path) -> None:
    shutil.copytree(house / "experiments", house / "real")
    (house / "experiments/.exp014.new").write_text("a file in the way")
    failed(common(house, "new", "exp014", "--from", "exp001"), "experiments/exp014: cannot be written")
    assert not (house / "experiments" / "exp014").exists()


def test_make_lists_every_target(house: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"(?m)^([a-z-]+):(?!=)", makefile)
    [phony] = re.findall(r"(?m)^\.PHONY: (.*)$", makefile)
    assert sorted(targets) == sorted(phony.split())
    for ended in (make(house), make(house, "help")):
        assert ended.returncode == 0
        lines = [line.split() for line in ended.stdout.splitlines()]
        assert [line[:2] for line in lines] == [["make", target] for target in targets]
        assert all(len(line) > 3 for line in lines)


def test_make_says_what_is_missing(house: Path) -> None:
    wanted = {
        "train": "exp= is missing; for example: make train exp=exp002",
        "infer": "exp= is missing; for example: make infer exp=exp002",
        "new": "exp= is missing; for example: make new exp=exp014 from=exp002",
        "data": "comp= is missing; for example: make data comp=",
        "use": "comp= is missing; for example: make use comp=",
        "score": "pred= is missing; for example: make score pred=FILE",
        "lb": "id= is missing; for example: make lb id=ID",
        "docs": 'q= is missing; for example: make docs q="Qwen2.5 generation config"',
    }
    for target, message in wanted.items():
        failed(make(house, target), message, code=2)
    failed(make(house, "new", "exp=exp014"), "from= is missing", code=2)


@pytest.mark.parametrize("way", ["command line", "environment"])
def test_make_runs_nothing_that_a_setting_holds(house: Path, way: str) -> None:
    def ended(text: str) -> Ended:
        return (
            make(house, "train", f"exp={text}") if way == "command line" else make(house, "train", exp=text)
        )

    with ThreadPoolExecutor(4) as pool:
        for text, result in zip(NASTY, pool.map(ended, NASTY), strict=True):
            assert result.returncode == (0 if text == "--help" else 2), result
            assert "Traceback" not in result.stderr
            if text != "--help":
                assert f"error: experiment {text!r}: wanted exp and three digits" in result.stderr
    assert not list(house.rglob("PWNED"))


def test_make_passes_every_setting_on_as_it_is(house: Path) -> None:
    nasty = "a b'c\"$(touch PWNED)$$HOME;x"
    results = [
        make(house, "score", f"pred={nasty}"),
        make(house, "train", "exp=exp001", f"run={nasty}"),
        make(house, "use", f"comp={nasty}"),
        make(house, "train", "exp=exp001", "args=--seed $(touch PWNED)"),
        make(house, "submit", f"blend={nasty}"),
    ]
    for ended in results:
        assert ended.returncode == 2, ended
        assert len(re.findall("(?m)^error: ", ended.stderr)) == 1
        assert "Traceback" not in ended.stderr
    for ended in results[:3]:
        assert "touch PWNED" in ended.stderr
    assert not list(house.rglob("PWNED"))


def test_make_takes_words_in_any_order_and_off_means_off(house: Path) -> None:
    before = files(house)
    for words in (
        ("exp=exp001", "train"),
        ("train", "exp=exp001", "restart=0"),
        ("train", "exp=exp001", "restart="),
    ):
        ended = make(house, *words)
        assert ended.returncode == 0, ended
        assert "is already trained; add restart=1" in ended.stderr
    assert files(house) == before
