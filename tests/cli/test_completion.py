"""`make completion` in real shells: bash and zsh complete targets, settings and values, here only, and run nothing."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.cli.completion import words
from tests.support import REPOSITORY
from tests.support.commands import environment_without_make, failed, make

SCRIPT = REPOSITORY / "common/cli/make.py"
BREAKS = " \t\n\"'><=;|&(:"


@pytest.fixture
def place(repository: Path) -> Path:
    """A repository with runs of two competitions, and names that a shell would not take as they are."""
    for run in ("exp001-wide", "archived/exp002-old", "merged", "augmented"):
        (repository / "outputs" / "talk" / run).mkdir(parents=True)
    (repository / "outputs" / "other" / "exp001-elsewhere").mkdir(parents=True)
    (repository / "outputs" / "smoke" / "talk" / "exp001-smoke").mkdir(parents=True)
    (repository / "submissions" / "bad name;touch PWNED.toml").write_text("")
    entry = {"id": "02f002664f", "csv_sha256": "02f002664f…", "competition": "talk"}
    (repository / "submissions" / "ledger.jsonl").write_text(f"{json.dumps(entry)}\nnot JSON\n")
    return repository


def completed(place: Path, line: str, *breaks: str) -> list[str]:
    """What the shell function asks for, in a Python without any installed package."""
    ended = subprocess.run(
        [sys.executable, "-S", str(SCRIPT), ".complete", line, *breaks],
        cwd=place, capture_output=True, text=True, check=True, env=environment_without_make(),
    )  # fmt: skip
    assert ended.stderr == ""
    return ended.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("make trai", ["train"]),
        ("make e", ["exp=", "export"]),
        ("make exp=exp001 inf", ["infer"]),
        ("make new ", ["comp=", "exp=", "from-trial=", "from="]),
        ("make use ", ["comp="]),
        ("make score split=dev s", ["stemmer="]),
        ("make help blend", ["blend-report"]),
        ("make help train exp", ["export"]),
        ("make train exp=", ["exp=exp001", "exp=exp002"]),
        ("make new exp=", []),
        ("make new from=exp00", ["from=exp001", "from=exp002"]),
        ("make use comp=", ["comp=talk"]),
        ("make train exp=exp001 run=", ["run=exp001", "run=exp001-elsewhere", "run=exp001-wide"]),
        ("make score comp=talk pred=", ["pred=exp001", "pred=exp001-wide", "pred=exp002"]),
        ("make compare a=exp001 b=exp002", ["b=exp002"]),
        ("make restore run=", ["run=exp002-old"]),
        ("make track folder=outputs/talk/exp001", ["folder=outputs/talk/exp001", "folder=outputs/talk/exp001-wide"]),
        ("make lb id=", ["id=02f002664f"]),
        ("make lb comp=other id=", []),
        ("make score comp=../.. pred=", []),
        ("make score split=", ["split=dev", "split=test"]),
        ("make train track=o", ["track=off", "track=offline", "track=online"]),
        ("make train restart=", ["restart=1"]),
        ("make submit missing=", ["missing=train"]),
        ("make augment method=s", ["method=sentence_drop", "method=speaker_swap"]),
        ("make augment method=turn_drop args=--me", ["args=--method.longest=", "args=--method.longest=20"]),
        ("make blend-report args=--r", ["args=--recombined=", "args=--recombined=24"]),
        ("make setup x", []),
        ("make -f other tra", []),
        ("make -", []),
    ],
)  # fmt: skip
def test_what_can_follow(place: Path, line: str, wanted: list[str]) -> None:
    assert completed(place, line) == wanted


def test_recipes_with_odd_names_are_not_offered(place: Path) -> None:
    found = completed(place, "make submit blend=")
    assert found and not any("PWNED" in text for text in found)


def test_settings_of_an_experiment_inside_args() -> None:
    def found(line: str) -> list[str]:
        return completed(REPOSITORY, line)

    assert found('make train exp=exp002 args="--wid') == ['args="--width=', 'args="--width=128']
    assert found("make train exp=exp002 args='--seed 3 --wid") == [
        "args='--seed 3 --width=",
        "args='--seed 3 --width=128",
    ]
    assert found('make exp=exp012 infer args="--gradient-c') == [
        'args="--gradient-checkpointing=', 'args="--gradient-checkpointing=false', 'args="--gradient-checkpointing=true'
    ]  # fmt: skip
    assert found('make train args="--wid') == []
    assert found('make train exp=exp999 args="--wid') == []
    assert found('make train exp=../exp002 args="--wid') == []


def test_bash_gets_what_follows_its_last_break(place: Path) -> None:
    assert completed(place, "make train exp=exp001", BREAKS) == ["exp001"]
    assert completed(place, "make train exp=exp001", " \t\n") == ["exp=exp001"]
    assert completed(place, "make train 'exp=exp001", BREAKS) == ["exp=exp001"]
    line = 'make train exp=exp002 args="--seed 3 --vocab'
    assert completed(REPOSITORY, line, BREAKS) == ["--seed 3 --vocabulary=", "--seed 3 --vocabulary=4000"]


def test_words_of_an_unfinished_line() -> None:
    assert [word.text for word in words("make a  'b c' d\\ e \"f'g\" h")] == [
        "make",
        "a",
        "b c",
        "d e",
        "f'g",
        "h",
    ]
    *_, typed = words('make x="a b')
    assert (typed.start, typed.raw, typed.text, typed.quote) == (5, 'x="a b', "x=a b", '"')
    assert words("make ")[-1].text == ""


def script_of(place: Path, shell: str) -> str:
    ended = make(place, "-s", "completion", f"shell={shell}")
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_the_last_line_says_how_to_install_it(place: Path) -> None:
    for shell, file in (("bash", "~/.bashrc"), ("zsh", "~/.zshrc")):
        last = script_of(place, shell).splitlines()[-1]
        assert (
            last
            == f'# To install it, add this line to {file}: eval "$(make -s -C {place} completion shell={shell})"'
        )
    assert make(place, "-s", "completion", SHELL="/usr/bin/zsh").stdout == script_of(place, "zsh")
    assert make(place, "-s", "completion", SHELL="/bin/bash").stdout == script_of(place, "bash")
    failed(make(place, "completion", SHELL="/usr/bin/fish"), "shell=fish: wanted bash or zsh", code=2)
    failed(make(place, "completion", "shell=tcsh"), "shell=tcsh: wanted bash or zsh", code=2)


def in_bash(place: Path, code: str, tmp_path: Path) -> list[str]:
    """The lines that bash prints: the script is sourced in `place`, then the code runs."""
    (tmp_path / "script").write_text(script_of(place, "bash"))
    asked = (
        'asked() { COMP_LINE=$1 COMP_POINT=${2:-${#1}}; COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); '
        'local spec; [[ "$(complete -p make)" =~ -F\\ ([^\\ ]+) ]]; "${BASH_REMATCH[1]}" make; '
        'printf "%s\\n" "${COMPREPLY[@]}"; }\n'
    )  # fmt: skip
    ended = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", asked + code.replace("SOURCE", f"source {tmp_path}/script")],
        cwd=place, capture_output=True, text=True, check=False, env=environment_without_make(),
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return ended.stdout.splitlines()


def test_the_function_of_bash(place: Path, tmp_path: Path) -> None:
    assert in_bash(place, "SOURCE; asked 'make train exp=exp00'", tmp_path) == ["exp001", "exp002"]
    assert in_bash(place, "SOURCE; asked 'make trai exp=exp001' 9", tmp_path) == ["train"]
    other = tmp_path / "elsewhere"
    other.mkdir()
    assert in_bash(place, f"SOURCE; cd {other}; asked 'make train exp='", tmp_path) == [""]


def test_elsewhere_bash_completes_make_as_before(place: Path, tmp_path: Path) -> None:
    own = "_before() { COMPREPLY=(usual); }; "
    known = own + "complete -F _before make; SOURCE; SOURCE; cd /; asked 'make '"
    assert in_bash(place, known, tmp_path) == ["usual"]
    assert in_bash(place, known.replace("cd /; ", ""), tmp_path)[0] == "archive"
    for name in ("_completion_loader", "_comp_load"):  # bash-completion, before and since its version 2.12
        lazy = f"{name}() {{ complete -F _before make; return 124; }}; {own}SOURCE; cd /; asked 'make '; asked 'make '; complete -p make"
        *found, spec = in_bash(place, lazy, tmp_path)
        assert found == ["usual", "usual"]
        assert "_kds_make" in spec


LINES = {
    "make trai": "make train ",
    "make use comp=tal": "make use comp=talk ",
    "make exp=exp001 inf": "make exp=exp001 infer ",
    "make train ex": "make train exp=",
    "make score split=t": "make score split=test ",
    "make augment method=turn_drop args='--sha": "make augment method=turn_drop args='--share=",
    "make data comp=talk from=compe": "make data comp=talk from=competitions/",
}
"""What is typed before the Tab key → what then stands there."""


def require_completed(argv: list[str], environment: dict[str, str], place: Path) -> None:
    """Type each line of LINES into an interactive shell. Fails when something else stands there after the Tab key."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(place)
        os.execvpe(argv[0], argv, {**environment_without_make(), "TERM": "dumb", **environment})

    def read_until(wanted: str) -> str:
        text, end = "", time.monotonic() + 60
        while wanted not in text and time.monotonic() < end:
            if select.select([terminal], [], [], 0.2)[0]:
                text += os.read(terminal, 65536).decode(errors="replace").replace("\a", "")
        return text

    try:
        assert "ready$ " in read_until("ready$ ")
        for line, wanted in LINES.items():
            os.write(terminal, f"{line}\t".encode())
            assert wanted in read_until(wanted)
            os.write(terminal, b"\x15#\n")  # clears the line
            read_until("ready$ ")
    finally:
        os.write(terminal, b"\x15exit\n")
        os.close(terminal)
        os.waitpid(process, 0)


def test_the_tab_key_in_bash(place: Path, tmp_path: Path) -> None:
    settings = 'bind "set enable-bracketed-paste off"; PS1="ready$ "\n'
    (tmp_path / "bashrc").write_text(script_of(place, "bash") + settings)
    require_completed(["bash", "--noprofile", "--rcfile", str(tmp_path / "bashrc"), "-i"], {}, place)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed on this machine")
def test_the_tab_key_in_zsh(place: Path, tmp_path: Path) -> None:
    settings = 'unset zle_bracketed_paste; setopt interactive_comments; PS1="ready$ "\n'
    (tmp_path / ".zshrc").write_text(script_of(place, "zsh") + settings)
    require_completed(["zsh", "-d", "-i"], {"ZDOTDIR": str(tmp_path)}, place)
