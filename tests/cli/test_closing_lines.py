"""Commands end with what was made, where, how long it took and the usual next command, and no line is too wide."""

import re
from pathlib import Path

import pytest

from common.core import terminal
from tests.cli.test_terminal import cells, in_terminal, plain

RUN = "--run=exp002"
CLOSING = (
    (("use", "--competition=talk"), r"talk is now the active competition\. Next: make exp=exp002 train"),
    (("leaks",), r"Compared in \d+ s; nothing was written\. Next: make exp=exp002 train"),
    (("stats",), r"Chart: outputs/talk/stats\.png, made in \d+ s\. Next, the ids of copies: make leaks"),
    (("note", RUN, "--text=wider"), r"outputs/talk/exp002/note\.txt: note saved\. Next, to see .*: make runs"),
    (("archive", RUN), r"exp002 archived: outputs/talk/archived/exp002, \d+ files, .*, verified, in \d+ s\. Next: make "
                       r"runs To move it back: make restore run=exp002"),
    (("restore", RUN), r"exp002 restored: outputs/talk/exp002, \d+ files, .*, verified, in \d+ s\. Next: make "
                       r"runs To move it back: make archive run=exp002"),
    (("export", RUN), r"outputs/talk/exported/exp002\.zip: 7 files of exp002, .*, written in \d+ s\. Next, on the other "
                      r"machine: make import from=exp002\.zip"),
    (("import", "--from=outputs/talk/exported/exp002.zip", "--as=exp002-b"),
     r"outputs/talk/exp002-b: 7 files imported and verified in \d+ s\. Next: make score pred=exp002-b"),
    (("leaderboard", "--html"), r"outputs/talk/page\.html: \d+ runs, \d+ submissions, .*, written in \d+ s\. Next: open the file "
                                r"in a browser; it needs no network\."),
    (("report", "exp002"), r"outputs/talk/report-exp002\.html: exp002, .*, written in \d+ s\. Next: open the file in a browser"),
    (("list",), r"exp002 .* Next: make exp=exp002 train$"),
    (("runs",), r"disk: .* free Next: make results$"),
    (("results",), r"Next: make submit$"),
    (("score", "--predictions=exp001"), r"Next: make submit$"),
    (("score", "--predictions=outputs/talk/exp001/dev/predictions.csv"), r"Next: make submit$"),
    (("compare", "--a=exp001", "--b=exp002"), r"Next: make submit$"),
    (("submit", "--force"), r"Next: upload the CSV, then: make lb id="),
    (("leaderboard",), r"final picks: .*Next: make leaderboard html=1$"),
    (("pick",), r"Next: make pick id=ID$"),
    (("watch", "exp001", "--run=exp001-new"), r"no training has begun here\. Next: make exp=exp001 train run=exp001-new"),
    (("new", "exp015", "--from=exp001"), r"experiments/exp015 is a copy of exp001\. Next: change its config\.py and "
                                         r"README\.md, then: make smoke exp=exp015"),
)  # fmt: skip


def test_commands_say_what_comes_next_in_lines_that_fit(repository: Path) -> None:
    for words, wanted in CLOSING:
        text = plain(in_terminal(repository, 80, words))
        for line in text.splitlines():
            assert cells(line) <= 80 or line.startswith("make "), (words, line)
        assert re.search(wanted, " ".join(text.split())), (words, text)


def test_a_command_to_copy_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    prose = "Compared in 12 s; nothing was written. Next: "
    command = "make exp=exp002 train comp=dialogue_summarization"
    assert terminal.fitted(prose + command) == f"{prose.strip()}\n{command}"
    assert terminal.fitted("Next: make leaks") == "Next: make leaks"
    several = f"{prose}{command}. It takes a while; " + "word " * 20
    assert all(cells(line) <= 60 for line in terminal.fitted(several).splitlines())


def test_prose_is_translated_before_it_is_broken_into_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(terminal, "translated", lambda text: f"[{text}]")
    terminal.say("word " * 20)
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0][0], lines[-1][-1], len(lines)) == ("[", "]", 2)
