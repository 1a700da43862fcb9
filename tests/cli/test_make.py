"""`make …` as a user opens it: every setting arrives as it is, and none is run."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import REPOSITORY
from tests.support.commands import Ended, failed, files, make

NASTY = [
    "x; touch PWNED",
    "$(shell touch PWNED)",
    "$(touch PWNED)",
    "`touch PWNED`",
    '" ; touch PWNED ; "',
    "--help",
]


def test_make_lists_every_target(repository: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"(?m)^([a-z-]+):(?!=)", makefile)
    [phony] = re.findall(r"(?m)^\.PHONY: (.*)$", makefile)
    assert sorted(targets) == sorted(phony.split())
    for ended in (make(repository), make(repository, "help")):
        assert ended.returncode == 0
        lines = [line.split() for line in ended.stdout.splitlines()]
        assert [line[:2] for line in lines] == [["make", target] for target in targets]
        assert all(len(line) > 3 for line in lines)


def test_make_says_what_is_missing(repository: Path) -> None:
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
        failed(make(repository, target), message, code=2)
    failed(make(repository, "new", "exp=exp014"), "from= is missing", code=2)


@pytest.mark.parametrize("way", ["command line", "environment"])
def test_make_runs_nothing_that_a_setting_holds(repository: Path, way: str) -> None:
    def ended(text: str) -> Ended:
        return (
            make(repository, "train", f"exp={text}")
            if way == "command line"
            else make(repository, "train", exp=text)
        )

    with ThreadPoolExecutor(4) as pool:
        for text, result in zip(NASTY, pool.map(ended, NASTY), strict=True):
            assert result.returncode == (0 if text == "--help" else 2), result
            assert "Traceback" not in result.stderr
            if text != "--help":
                assert f"error: experiment {text!r}: wanted exp and three digits" in result.stderr
    assert not list(repository.rglob("PWNED"))


def test_make_passes_every_setting_on_as_it_is(repository: Path) -> None:
    nasty = "a b'c\"$(touch PWNED)$$HOME;x"
    results = [
        make(repository, "score", f"pred={nasty}"),
        make(repository, "train", "exp=exp001", f"run={nasty}"),
        make(repository, "use", f"comp={nasty}"),
        make(repository, "train", "exp=exp001", "args=--seed $(touch PWNED)"),
        make(repository, "submit", f"blend={nasty}"),
    ]
    for ended in results:
        assert ended.returncode == 2, ended
        assert len(re.findall("(?m)^error: ", ended.stderr)) == 1
        assert "Traceback" not in ended.stderr
    for ended in results[:3]:
        assert "touch PWNED" in ended.stderr
    assert not list(repository.rglob("PWNED"))


def test_make_takes_words_in_any_order_and_off_means_off(repository: Path) -> None:
    before = files(repository)
    for words in (
        ("exp=exp001", "train"),
        ("train", "exp=exp001", "restart=0"),
        ("train", "exp=exp001", "restart="),
    ):
        ended = make(repository, *words)
        assert ended.returncode == 0, ended
        assert "is already trained; add restart=1" in ended.stderr
    assert files(repository) == before
