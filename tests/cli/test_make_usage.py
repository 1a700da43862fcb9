"""A wrong value that make passes on is reported as the setting that the user typed."""

from pathlib import Path

import pytest

from common.cli import make as makefile
from common.core.make_args import TAKING_ARGS, where_options_go
from common.core.make_usage import SETTINGS
from tests.support.commands import failed, make


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("lb id=abc public=abc", "public='abc': wanted a number from 0 to 100. See: make help lb"),
        ("lb id=abc private=101", "private='101': wanted a number from 0 to 100. See: make help lb"),
        ("score pred=none.csv split=tset", "split='tset': wanted dev or test. See: make help score"),
        ("train exp=exp001 gpus=0", "gpus='0': wanted a whole number from 1 to 1,024. See: make help train"),
        ("submit stale=yes", "stale='yes': wanted stop or ok. See: make help submit"),
        ("augment method=turn_drop n=many", "n='many': wanted a whole number"),
        ("blend-report args=--candidates=x", "Invalid value for '--candidates'"),
        ("blend-report args=--candidates=x", "See: make help blend-report"),
    ],
)
def test_a_wrong_value_is_named_as_the_setting_of_make(repository: Path, words: str, message: str) -> None:
    ended = make(repository, *words.split())
    failed(ended, message, code=2)
    assert "python -m common" not in ended.stderr
    assert ended.stderr.count("\n") == 2  # the second line is of make


def test_the_settings_are_those_of_make() -> None:
    assert {option: name for name, option in makefile.OPTIONS.items()} == SETTINGS


def test_the_targets_that_pass_options_on_are_those_of_make() -> None:
    takes_args = {
        name
        for name, target in makefile.TARGETS.items()
        if target.module == "common" and "args" in target.takes
    }
    assert takes_args == set(TAKING_ARGS)


@pytest.mark.parametrize(
    ("goal", "message", "expected"),
    [
        ("train", "leave --sharding at none.", True),
        ("infer", "lower --shots or --max-tokens, or choose another --model.", True),
        ("", "leave --sharding at none.", False),
        ("submit", "leave --sharding at none.", False),
        ("train", "run: make exp=exp002 train", False),
        ("train", 'raise it with args="--epochs 3" or --x', False),
        ("train", "torch is not installed; run: .venv/bin/pip install -e '.[train]' --upgrade", False),
        ("train", "the header has 'a--b'", False),
    ],
)
def test_an_option_in_a_message_comes_with_the_place_where_make_takes_it(
    monkeypatch: pytest.MonkeyPatch, goal: str, message: str, expected: bool
) -> None:
    monkeypatch.setenv("KDS_GOALS", goal)
    assert bool(where_options_go(message)) is expected


def test_a_stage_says_where_make_takes_an_option(repository: Path) -> None:
    ended = make(repository, "train", "exp=exp002", "args=--dry-run")
    failed(ended, 'leave --dry-run out. With make, options go in args="…".', code=2)
