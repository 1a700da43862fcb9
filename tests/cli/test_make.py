"""`make …` as a user opens it: every setting arrives as it is, none is run, and none is dropped."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from common.cli import make as settings_of_make
from common.cli.targets import TARGETS
from tests.support import REPOSITORY
from tests.support.commands import Ended, failed, files, make

NASTY = [
    "x; touch PWNED",
    "$(shell touch PWNED)",
    "$(touch PWNED)",
    "`touch PWNED`",
    '" ; touch PWNED ; "',
    "--help",
    "-h",
    "--",
]


def together(repository: Path, *commands: tuple[str, ...], **variables: str) -> list[Ended]:
    """Run several `make` at once: starting one takes a while."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda words: make(repository, *words, **variables), commands))


def help_lines() -> dict[str, str]:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([a-z-]+):.*?## (.*)$", makefile))


def test_the_makefile_has_the_targets_that_make_py_declares() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"(?m)^([a-z-]+):(?!=)", makefile)
    phony = re.findall(r"(?m)^\.PHONY: (.*)$", makefile)
    assert sorted(targets) == sorted(phony[-1].split()) == sorted(TARGETS) == sorted(help_lines())


def test_the_help_names_exactly_the_settings_that_a_target_takes() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    [known] = re.findall(r"(?m)^SETTINGS := (.*)$", makefile)
    assert set(known.split()) == {name for target in TARGETS for name in settings_of_make.settings(target)}
    for target, line in help_lines().items():
        shown, colon, _ = line.partition(": ")
        given = re.sub(r'"[^"]*"', "", shown) if colon else ""
        assert set(re.findall(r"([a-z-]+)=", given)) == set(settings_of_make.settings(target)), target
        required = re.findall(r"([a-z-]+)=", re.sub(r"\[[^][]*(\[[^][]*\][^][]*)*\]", "", given))
        assert set(required) - {"id"} == set(TARGETS[target].needs.split()) - {"id"}, target


def test_make_says_what_is_missing(repository: Path) -> None:
    wanted = {
        "train": "exp= is missing; for example: make train exp=exp002",
        "infer": "exp= is missing; for example: make infer exp=exp002",
        "new": "exp= is missing; for example: make new exp=exp015 from=exp002",
        "data": "comp= is missing; for example: make data comp=",
        "use": "comp= is missing; for example: make use comp=",
        "score": "pred= is missing; for example: make score pred=exp002",
        "lb": "id= is missing; for example: make lb id=ID",
        "docs": 'q= is missing; for example: make docs q="Qwen2.5 generation config"',
    }
    for target, message in wanted.items():
        failed(make(repository, target), message, code=2)
    failed(make(repository, "new", "exp=exp015"), "from= is missing", code=2)


def test_make_runs_nothing_that_a_setting_holds(repository: Path) -> None:
    ended = together(repository, *(("train", f"exp={text}") for text in NASTY))
    for text, result in zip(NASTY, ended, strict=True):
        failed(result, f"error: experiment {text!r}: wanted exp and three digits", code=2)
    assert not list(repository.rglob("PWNED"))


def test_a_value_is_never_taken_for_an_option(repository: Path) -> None:
    commands = {
        ("train", "exp=exp001", "run=--smoke"): "run='--smoke': wanted exp001",
        ("use", "comp=--help"): "no competition '--help'",
        ("leaderboard", "comp=--json"): "no competition '--json'",
        ("score", "pred=--help"): "--help: not there",
        ("compare", "a=--json", "b=--help"): "--json: not there",
        ("merge", "run=--help"): "run '--help': wanted an experiment",
        ("new", "exp=--help", "from=exp001"): "experiment '--help'",
        ("smoke", "exp=--help"): "experiment '--help'",
        ("track", "folder=--help"): "--help: not there, not a run folder",
        ("lb", "id=--help", "public=3"): "nothing was submitted yet",
        ("data", "comp=talk", "from=--help"): "--help: not there",
        ("submit", "blend=--force"): "submissions/--force.toml: file not found",
        ("submit", "jobs=--force"): "jobs='--force': wanted a whole number from 1 to 1,024",
        ("augment", "method=--help"): "--help",
    }
    for result, message in zip(together(repository, *commands), commands.values(), strict=True):
        assert (result.returncode, result.stdout) == (2, ""), result
        assert message in result.stderr
        assert "Traceback" not in result.stderr


def test_only_the_command_line_of_make_sets(repository: Path) -> None:
    """Variables that a shell or a CI system exports have the same names."""
    environment = {
        "exp": "exp001",
        "comp": "nowhere",
        "force": "1",
        "restart": "1",
        "jobs": "x",
        "n": "x",
        "args": "'",
    }
    missing, listed, done = together(
        repository, ("train",), ("list",), ("train", "exp=exp001"), name="x", split="x", **environment
    )  # fmt: skip
    failed(missing, "exp= is missing", code=2)
    assert listed.returncode == 0, listed
    assert "is already trained" in done.stderr, done
    # What a make that calls this one was given counts: it passes its command line on.
    failed(make(repository, "use", MAKEFLAGS=" -- comp=nowhere"), "no competition 'nowhere'", code=2)


def test_what_a_target_does_not_take_is_refused(repository: Path) -> None:
    commands = {
        (
            "train",
            "exp=exp001",
            "rnu=exp001-a",
        ): "there is no setting rnu=. Did you mean run=? It takes exp= comp=",
        ("submit", "compp=talk"): "Did you mean comp=?",
        ("train", "exp=exp001", "restrat=1"): "Did you mean restart=?",
        ("leaderboard", "run=exp001"): "make leaderboard: takes no run=. It takes comp= all= html=.",
        ("setup", "k=3"): "make setup: there is no setting k=. It takes no settings.",
        ("help", "comp=talk"): "make help: takes no comp=. It takes no settings.",
        ("foo=$(shell touch PWNED)", "list"): "there is no setting foo=",
        ("list", "use", "comp=talk", "method=x"): "make list use: takes no method=. It takes comp=.",
    }
    before = files(repository)
    for result, message in zip(together(repository, *commands), commands.values(), strict=True):
        failed(result, message, code=2)
    assert files(repository) == before
    # A setting counts for every target of the command that takes it.
    both = make(repository, "list", "leaderboard", "comp=talk")
    assert (both.returncode, both.stderr) == (0, "")


@pytest.mark.parametrize("value", ["maybe", "off", "2", "--help"])
def test_a_switch_is_on_or_off(repository: Path, value: str) -> None:
    message = f"restart={value}: wanted 1, true, yes to switch it on, or 0, false, no"
    failed(make(repository, "train", "exp=exp001", f"restart={value}"), message, code=2)


def test_args_are_split_as_a_shell_splits_them(repository: Path) -> None:
    def words(text: str) -> list[str]:
        return settings_of_make.words("blend-report", {"args": text})[2:]

    assert words("--suffix 'a b' --x=\"c d\"") == ["--suffix", "a b", "--x=c d"]
    assert words("--seed 1\n--turn 2\n") == ["--seed", "1", "--turn", "2"]
    assert words("--a '#1' #2 \\$ ''") == ["--a", "#1", "#2", "$", ""]
    ended = make(repository, "train", "exp=exp001", "run=exp001-a", "args=--seed 5\n--trun 7")
    failed(ended, "--trun: no such setting. Did you mean --turn", code=2)
    for text in ("--suffix 'a b", '--a "b', "--a \\"):
        failed(make(repository, "train", "exp=exp001", f"args={text}"), "a quote is not closed", code=2)
    # A word of args that starts like an option of the command belongs to the experiment.
    assert settings_of_make.words("train", {"exp": "exp001", "gpus": "2", "run": "exp001-a", "args": "--gpus 3"}) == ["common", 
        "train", "--gpus=2", "--", "exp001", "--run=exp001-a", "--gpus", "3"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "nodes", ["script.py", "--nnodes=2 script.py", "--nnodes 2", "--nnodes", "--nnodes=", "-m", "--help", "--module", "'", "--node-rank=x", "--nnodes=two"]
)  # fmt: skip
def test_nodes_are_options_of_torchrun(repository: Path, nodes: str) -> None:
    failed(make(repository, "train", "exp=exp001", f"nodes={nodes}"), "nodes", code=2)


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
        ("train", "exp=exp001", "restart=False"),
        ("train", "exp=exp001", "restart="),
    ):
        ended = make(repository, *words)
        assert ended.returncode == 0, ended
        assert "is already trained; add restart=1" in ended.stderr
    assert files(repository) == before


def test_a_mistyped_target_names_the_nearest(repository: Path) -> None:
    failed(
        make(repository, "trian", "exp=exp001"), "there is no target trian. Did you mean make train?", code=2
    )
    failed(make(repository, "x'; touch PWNED; '"), "there is no target", code=2)
    assert not list(repository.rglob("PWNED"))
