"""Every command with a table, in a real terminal of 80 and 120 columns: no line is wider, and Hangul does not shift a column."""

import os
import pty
import re
import subprocess
import sys
import termios
import unicodedata
from pathlib import Path

import pytest

from tests.support.terminals import shown_on

COMMANDS = {
    "list": ("list",),
    "results": ("results",),
    "results all": ("results", "--all"),
    "submit": ("submit", "--force"),
    "leaderboard": ("leaderboard",),
    "leaderboard all": ("leaderboard", "--all"),
    "leaks": ("leaks",),
    "settings": ("settings", "exp001"),
    "settings of a run": ("settings", "--run", "exp001"),
    "score": ("score", "--predictions", "outputs/talk/exp001/dev/predictions.csv"),
    "score all": ("score", "--all", "--predictions", "outputs/talk/exp001/dev/predictions.csv"),
    "compare": ("compare", "--all", "--a", "outputs/talk/exp001/dev/predictions.csv",
                "--b", "outputs/talk/exp002/dev/predictions.csv"),
}  # fmt: skip
LONG = "아주 긴 한글 제목이 표의 열을 밀어내지 않는지 보려고 붙인 실험 이름, 그리고 조금 더 길게"


def cells(text: str) -> int:
    """The columns that a terminal uses, counted without the library that the tables use."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def in_terminal(repository: Path, columns: int, words: tuple[str, ...], **variables: str) -> str:
    """The output of `python -m common` on a terminal of this width. Fails when the command fails."""
    shown, errors, code = on_terminal(repository, columns, ["-m", "common", *words], "stdout", **variables)
    assert code == 0, errors
    return shown


def on_terminal(
    repository: Path, columns: int, words: list[str], stream: str, **variables: str
) -> tuple[str, str, int]:
    """What Python shows when `stream` is a terminal of this width, what it writes to the other stream, and its exit code."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (50, columns))
    environment = {**os.environ, "KDS_ROOT": str(repository), "TERM": "xterm-256color", **variables}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: slave}
    with subprocess.Popen([sys.executable, *words], cwd=repository, env=environment, **streams) as process:  # type: ignore[call-overload]
        os.close(slave)
        shown = shown_on(master)
        others = [other.decode() for other in process.communicate() if other]
    return shown, "".join(others), process.returncode


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("columns", [80, 120])
def test_no_table_is_wider_than_the_terminal(repository: Path, columns: int) -> None:
    outputs = {name: plain(in_terminal(repository, columns, words)) for name, words in COMMANDS.items()}
    assert "Ledger id" in outputs["submit"]
    config = repository / "experiments" / "exp002" / "config.py"
    config.write_text(
        config.read_text(encoding="utf-8").replace("exp002 of the tests", LONG), encoding="utf-8"
    )
    outputs["list"] = plain(in_terminal(repository, columns, ("list",)))
    assert LONG[:10] in outputs["list"]
    for name, text in outputs.items():
        for line in text.splitlines():
            assert cells(line) <= columns, (name, line)
            assert "\x1b" not in line
    header, rule, *rows = outputs["list"].splitlines()[-5:-1]
    starts = [match.start() for match in re.finditer("─+", rule)]
    assert len(starts) == 5
    for row, needs in zip(rows, ("cpu", "cpu"), strict=True):
        before = row[: row.index(needs, len("exp001"))]
        assert cells(before) == starts[3], (header, row)


def test_a_narrow_terminal_names_the_columns_that_it_leaves_out(repository: Path) -> None:
    text = plain(in_terminal(repository, 80, ("results", "--all")))
    note = " ".join(text[text.index("not shown at 80 columns:") :].split())
    assert note.startswith("not shown at 80 columns: commit, hardware, date")
    for name in ("dev leaderboard", "floor", "over floor"):
        assert name not in note.partition("(")[0].split(": ")[1].split(", ")
    for shown in ("44.69", "46.59", "-1.90"):
        assert shown in text


def test_colours_need_a_terminal_that_wants_them(repository: Path) -> None:
    words = COMMANDS["score"]
    assert "\x1b[31m" in in_terminal(repository, 80, words)
    for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in in_terminal(repository, 80, words, **variables)
    environment = {**os.environ, "KDS_ROOT": str(repository), "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, "-m", "common", *words],
        cwd=repository,
        env=environment,
        capture_output=True,
        check=True,
    )
    assert b"\x1b" not in done.stdout
    assert b"BELOW the floor" in done.stdout


ERRORS = (
    (("settings", "exp0091"), 1, "make new exp=exp0NN from=exp002"),
    (("score", "--an-option-that-nobody-knows-and-longer-than-most"), 2, "python -m common score --help"),
    (("settings", "--run", "exp001-a-variant-that-nobody-has-trained"), 1, ""),
)
LOGGED = """
import logging
from common.core.language import spoken
from common.core.messages import log_to_terminal
with spoken():
    log_to_terminal()
    logging.getLogger("a").info(
        "smoke run: predicted (outputs/talk/exp001/dev/predictions.csv, outputs/talk/exp001/test/predictions.csv). "
        "Next: make exp=exp001 train args=\\"--learning-rate 0.0001 --epochs 3\\" run=exp001-longer-than-before"
    )
"""


@pytest.mark.parametrize("language", ["en", "ko"])
def test_an_error_fits_the_terminal_behind_stderr_and_is_one_line_elsewhere(
    repository: Path, language: str
) -> None:
    for words, wanted, command in ERRORS:
        call = ["-m", "common", *words]
        shown, _, code = on_terminal(repository, 80, call, "stderr", KDS_LANG=language)
        lines = plain(shown).splitlines()
        assert code == wanted
        assert all(cells(line) <= 80 for line in lines), lines
        assert any(command in line for line in lines), lines
        _, whole, _ = on_terminal(repository, 80, call, "stdout", KDS_LANG=language)
        assert whole.count("\n") == 1 and cells(whole) > 80
        assert " ".join(plain(shown).split()) == " ".join(whole.split())


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_log_fits_the_terminal_and_is_one_line_elsewhere(repository: Path, language: str) -> None:
    shown, _, _ = on_terminal(repository, 80, ["-c", LOGGED], "stderr", KDS_LANG=language)
    *prose, command = shown.splitlines()
    assert all(cells(line) <= 80 for line in prose) and len(prose) > 1
    assert command.startswith("make exp=exp001 train args=") and command.endswith("-longer-than-before")
    _, whole, _ = on_terminal(repository, 80, ["-c", LOGGED], "stdout", KDS_LANG=language)
    assert whole.count("\n") == 1
    assert " ".join(shown.split()) == " ".join(whole.split())


def test_disk_use_is_translated_before_it_is_wrapped(repository: Path) -> None:
    for number in range(6):
        folder = repository / "outputs" / "talk" / f"another-folder-{number}"
        folder.mkdir()
        (folder / "file").write_bytes(b"x" * 1000)
    text = plain(in_terminal(repository, 80, ("runs",), KDS_LANG="ko"))
    assert all(cells(line) <= 80 for line in text.splitlines())
    last = " ".join(text[text.index("디스크: ") :].split())
    assert re.fullmatch(
        r"디스크: .* 사용 \(.*another-folder-5 1\.0 kB.*\), .* 남음 다음: make results", last
    ), last
