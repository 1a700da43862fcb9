"""`make` and `make help TARGET`: every target and setting is explained, nothing is run, and every line fits the terminal."""

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from common.cli import make as settings_of_make
from common.cli.make_help import GROUPS, OF_TARGET, SETTINGS, read, setting
from common.cli.targets import SWITCHES, TARGETS
from tests.cli.test_terminal import cells, plain
from tests.support import REPOSITORY
from tests.support.commands import environment_without_make, failed, files, make
from tests.support.messages import all_messages
from tests.support.terminals import shown_on

LINES = read((REPOSITORY / "Makefile").read_text(encoding="utf-8"))
NARROW = {"COLUMNS": "80"}


def make_in_terminal(repository: Path, columns: int, *words: str, **variables: str) -> tuple[str, str]:
    """What `make` prints to a terminal of this width: on stdout, and on stderr."""
    venv = Path(sys.prefix)
    command = [
        "make", "-f", str(REPOSITORY / "Makefile"), f"VENV={venv}", "-o", str(venv / "ready"), *words
    ]  # fmt: skip
    given = {"KDS_ROOT": str(repository), "TERM": "xterm-256color", **variables}
    outputs = [pty.openpty() for _ in range(2)]
    for _, slave in outputs:
        termios.tcsetwinsize(slave, (50, columns))
    with subprocess.Popen(
        command,
        cwd=repository,
        env=environment_without_make() | given,
        stdout=outputs[0][1],
        stderr=outputs[1][1],
    ):
        for _, slave in outputs:
            os.close(slave)
        texts = [shown_on(master) for master, _ in outputs]
    return texts[0], texts[1]


def test_every_setting_and_target_has_its_place_in_the_help() -> None:
    [known] = re.findall(r"(?m)^SETTINGS := (.*)$", (REPOSITORY / "Makefile").read_text(encoding="utf-8"))
    assert sorted(SETTINGS) == sorted(known.split())
    grouped = [target for group in GROUPS.values() for target in group]
    assert sorted(grouped) == sorted(TARGETS)
    assert GROUPS["train"] == ("setup", "data", "train", "infer", "submit", "lb")
    for target, name in OF_TARGET:
        assert name in settings_of_make.settings(target), (target, name)


@pytest.mark.parametrize("target", TARGETS)
def test_the_examples_of_settings_work(target: str) -> None:
    for name in settings_of_make.settings(target):
        known = setting(target, name)
        given, equals, value = known.example.partition("=")
        assert (given, equals) == (name, "=")
        assert not known.values or value in known.values
        assert known.values == ("1",) or name not in SWITCHES
        assert settings_of_make._option(name, value.strip('"')), known


def test_every_text_of_the_help_is_collected_for_translation() -> None:
    known = all_messages()
    for text in (
        *(line.description for line in LINES.values()),
        *(each.meaning for each in (*SETTINGS.values(), *OF_TARGET.values())),
        "Main path, in this order", "required: {}", "It takes no settings.", "For example:", "for example:",
    ):  # fmt: skip
        assert text in known, text


def test_make_lists_every_target_the_main_path_first(repository: Path) -> None:
    for ended in (make(repository, **NARROW), make(repository, "help", **NARROW)):
        assert (ended.returncode, ended.stderr) == (0, "")
        shown = re.findall(r"(?m)^  make ([a-z-]+)", ended.stdout)
        assert shown[:6] == ["setup", "data", "train", "infer", "submit", "lb"]
        assert sorted(shown) == sorted(TARGETS)
        text = " ".join(ended.stdout.split())
        for line in LINES.values():
            assert f"make {line.target} {line.description} {line.settings}".rstrip() in text
        assert "\x1b" not in ended.stdout


def test_a_pipe_has_lines_of_a_hundred_columns(repository: Path) -> None:
    longest = max(map(cells, make(repository).stdout.splitlines()))
    assert 90 < longest <= 100


@pytest.mark.parametrize("words", [("help", "train"), ("train", "help"), ("help", "train", "exp=exp001")])
def test_help_explains_a_target_and_does_not_run_it(repository: Path, words: tuple[str, ...]) -> None:
    before = files(repository)
    ended = make(repository, *words, **NARROW)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert files(repository) == before
    text = " ".join(ended.stdout.split())
    assert text.startswith("make train train or resume exp= required: name of an experiment")
    for name in settings_of_make.settings("train"):
        known = setting("train", name)
        assert f"{known.meaning} for example: {known.example}" in text
    assert text.endswith("For example: make train exp=exp002")


def test_help_explains_every_target_also_one_that_is_called_like_a_folder(repository: Path) -> None:
    (repository / "docs").mkdir()
    ended = make(repository, "help", *(target for target in TARGETS if target != "help"), **NARROW)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.partition(" ")[2] for line in ended.stdout.splitlines() if line.startswith("make ")] == [
        target for target in TARGETS if target != "help"
    ]
    assert "It takes no settings." in ended.stdout


def test_help_twice_is_help(repository: Path) -> None:
    twice, once = make(repository, "help", "help"), make(repository, "help")
    assert (twice.returncode, twice.stderr, twice.stdout) == (0, "", once.stdout)


def test_help_refuses_what_there_is_not(repository: Path) -> None:
    failed(make(repository, "help", "trian"), "there is no target trian. Did you mean make train?", code=2)
    failed(make(repository, "help", "x$(shell touch PWNED)"), "there is no target", code=2)
    failed(make(repository, "help", "train", "rnu=x"), "there is no setting rnu=. Did you mean run=?", code=2)
    failed(make(repository, "help", "train", "pred=x"), "make train: takes no pred=", code=2)
    assert not list(repository.rglob("PWNED"))


def test_a_terminal_without_hangul_gets_english(repository: Path) -> None:
    ended = make(repository, "help", "submit", KDS_LANG="ko", PYTHONIOENCODING="ascii")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "submissions/NAME.toml ? validated CSV + ledger entry" in ended.stdout
    assert "검증" in make(repository, "help", "submit", KDS_LANG="ko", PYTHONIOENCODING="utf-8").stdout


def test_make_help_needs_nothing_installed(repository: Path) -> None:
    for goals, wanted in (("help", "Main path"), ("help train", "required: "), ("list", "")):
        ended = subprocess.run(
            [sys.executable, "-S", str(REPOSITORY / "common/cli/make.py")],
            env={"KDS_GOALS": goals, "PATH": os.environ["PATH"]},
            cwd=repository, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (ended.returncode, ended.stderr) == (0, ""), ended
        assert wanted in ended.stdout


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_of_make_is_wider_than_the_terminal(repository: Path, columns: int, language: str) -> None:
    targets = [target for target in TARGETS if target != "help"]
    commands = {
        (): "",
        ("help", *targets): "",
        ("list",): "",
        ("train",): "exp=exp002",
        ("train", "exp=exp001", "rnu=exp001-a"): "rnu=",
        ("train", "exp=exp001", "args=--suffix 'a b" + " c" * 70): "make" if language == "ko" else "a quote is not closed",
        ("list", "use", "comp=talk", "method=x"): "method=",
        ("train", "exp=exp001", "restart=" + "maybe " * 30): "restart=",
        ("trian",): "trian",
    }  # fmt: skip
    for words, error in commands.items():
        out, err = make_in_terminal(repository, columns, *words, KDS_LANG=language)
        lines = [line for line in plain(out + err).splitlines() if not line.startswith("make: ***")]
        for line in lines:
            assert cells(line) <= columns, (words, line)
        assert error in " ".join(plain(err).split()), err
        if error:
            assert out == ""
            word = "오류:" if language == "ko" else "error:"
            assert err.startswith(f"\x1b[31m\x1b[1m{word}\x1b[0m "), err


def test_help_has_colours_in_a_terminal_only(repository: Path) -> None:
    out, _ = make_in_terminal(repository, 80, "help", "use")
    assert "\x1b[1mmake use\x1b[0m" in out
    out, err = make_in_terminal(repository, 80, "help", "use", "nope", NO_COLOR="1")
    assert "\x1b" not in out + err
    _, err = make_in_terminal(repository, 80, "nope", NO_COLOR="1")
    assert err.startswith("error: there is no target nope")
