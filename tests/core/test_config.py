"""Settings: what the command line says is applied exactly, or refused with what exists."""

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Le
from hypothesis import given
from hypothesis import strategies as st

from common.core.config import override, plain
from common.core.errors import UserError
from common.core.secrets import secret_in


@dataclass(frozen=True)
class Inner:
    learning_rate: float = 1e-3
    steps: int | None = None
    name: str = "adam"


@dataclass(frozen=True)
class Other:
    name: str = "beam"
    tags: tuple[str, ...] = ("a", "b")
    sizes: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Config:
    seed: int = 7
    mixed: bool = False
    mode: Literal["fast", "slow"] = "fast"
    merge: Literal["auto"] | bool = "auto"
    size: Literal["auto"] | Annotated[int, Ge(1), Le(9)] = "auto"
    training: Inner = Inner()
    decoding: Other = Other()


def test_nothing_said_changes_nothing() -> None:
    assert override(Config(), []) == (Config(), {})


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (["--seed", "3"], {"seed": 3}),
        (["--seed=3"], {"seed": 3}),
        (["--seed", "-3"], {"seed": -3}),
        (["--learning-rate", "3e-5"], {"training.learning_rate": 3e-5}),
        (["--learning_rate=1e-6"], {"training.learning_rate": 1e-6}),  # as wandb sweep writes it
        (["--training.learning-rate", "1"], {"training.learning_rate": 1.0}),
        (["--steps", "5", "--steps", "None"], {"training.steps": None}),
        (["--steps=9"], {"training.steps": 9}),
        (["--mixed", "TRUE"], {"mixed": True}),
        (["--mixed=0"], {"mixed": False}),
        (["--merge"], {"merge": True}),
        (["--merge", "no", "--merge", "auto"], {"merge": "auto"}),
        (["--size=3"], {"size": 3}),
        (["--size", "auto"], {"size": "auto"}),
        (["--mode", "slow"], {"mode": "slow"}),
        (["--decoding.name", "greedy=1"], {"decoding.name": "greedy=1"}),
        (["--decoding.name="], {"decoding.name": ""}),
        (["--tags=x, y,"], {"decoding.tags": ("x", "y")}),
        (["--sizes", "3,4"], {"decoding.sizes": (3, 4)}),
        (["--sizes="], {"decoding.sizes": ()}),
        (["--sizes=[]"], {"decoding.sizes": ()}),
        (["--sizes=[3, 4]"], {"decoding.sizes": (3, 4)}),  # as W&B writes a list
        (["--tags=['x', 'y']"], {"decoding.tags": ("x", "y")}),
        (['--tags=["x", "y"]'], {"decoding.tags": ("x", "y")}),
        (["--tags=[x, y]"], {"decoding.tags": ("x", "y")}),
        (["--tags=('x', 'y',)"], {"decoding.tags": ("x", "y")}),
        (["--seed= 3 "], {"seed": 3}),
        (["--learning-rate=.5"], {"training.learning_rate": 0.5}),
        (["--mode= slow"], {"mode": "slow"}),
    ],
)
def test_a_setting_is_applied(words: list[str], changed: dict[str, object]) -> None:
    config, found = override(Config(), words)
    assert found == changed
    expected = plain(Config()) | {n: list(v) if isinstance(v, tuple) else v for n, v in changed.items()}
    assert plain(config) == expected


@pytest.mark.parametrize("name", ["--sede", "--training", "--zzz", "--" + "x" * 5000, "--a\nb", "--"])
def test_an_unknown_setting_gets_one_short_line(name: str) -> None:
    with pytest.raises(UserError) as caught:
        override(Config(), [name, "3"], listing="make settings exp=exp002", options=("restart",))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 250
    assert message.endswith("To list all settings: make settings exp=exp002")


def test_a_mistyped_option_of_the_command_is_suggested_too() -> None:
    with pytest.raises(UserError, match=r"Did you mean --restart\?"):
        override(Config(), ["--restrat"], options=("restart",))


def test_the_original_stays_as_it_was() -> None:
    original = Config()
    override(original, ["--learning-rate", "1", "--seed", "2"])
    assert original == Config()


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ["--sede", "3"],
            (
                "--sede",
                "no such setting",
                "mean --seed?",
            ),
        ),
        (["--name", "x"], ("--name", "ambiguous", "--training.name", "--decoding.name")),
        (["--seed"], ("--seed", "no value; wanted --seed VALUE")),
        (["seed=3"], ("'seed=3'", "wanted --name value")),
        (["--seed", "3.5"], ("--seed", "'3.5'", "wanted a whole number")),
        (["--learning-rate", "fast"], ("--learning-rate", "'fast'", "wanted a number")),
        (["--learning-rate", "nan"], ("--learning-rate", "'nan'", "wanted a number")),
        (["--mixed", "maybe"], ("--mixed", "'maybe'", "wanted true or false")),
        (["--merge", "maybe"], ("--merge: found 'maybe', wanted auto or true or false.",)),
        (["--size", "0"], ("--size: found 0, wanted auto or a whole number from 1 to 9.",)),
        (["--size", "none"], ("--size: found 'none', wanted auto or a whole number from 1 to 9.",)),
        (["--mode", "medium"], ("--mode", "'medium'", "wanted fast or slow")),
        (["--steps", "x"], ("--steps", "'x'", "wanted a whole number or none")),
        (["--sizes", "1,x"], ("--sizes", "'1,x'", "wanted whole numbers")),
        (["--training", "x"], ("--training", "no such setting")),
        (["--seed", "1_000"], ("--seed: found '1_000', wanted a whole number",)),
        (["--seed", "３"], ("--seed: found '３', wanted a whole number",)),
        (["--seed", ""], ("--seed: found '', wanted a whole number",)),
        (["--seed", "9" * 5000], (f"--seed: found '{'9' * 38}…, wanted a whole number",)),
        (["--learning-rate", "1e999"], ("--learning-rate: found inf, wanted a number",)),
        (["--learning-rate", "-inf"], ("--learning-rate: found '-inf', wanted a number",)),
        (["--name", "--seed", "3"], ("--name is ambiguous",)),
        (["--decoding.name", "--seed", "3"], ("--decoding.name: no value; wanted --decoding.name VALUE",)),
        (
            ["--decoding.name", "a\x1b[31m"],
            ("--decoding.name: found 'a\\x1b[31m', wanted printable text of at most 1000 characters",),
        ),
        (["--decoding.name", "\udcff"], ("--decoding.name: found '\\udcff', wanted printable text",)),
        (["--decoding.name", "가" * 1001], ("--decoding.name: found '가가가가가가가가가가",)),
        (["--tags=['x', 'y'"], ("--tags: found", "['x', 'y'", "wanted texts separated by commas")),
        (["--tags=[['x']]"], ("--tags: found",)),
        (["--tags", "[" * 5000], (f"--tags: found '{'[' * 38}…, wanted texts",)),
        (["--tags=x,,y"], ("--tags: found 'x,,y', wanted texts",)),
    ],
)
def test_a_wrong_setting_is_named(words: list[str], parts: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        override(Config(), words)
    for part in parts:
        assert part in str(caught.value)


def test_plain_lists_every_leaf_by_its_dotted_name() -> None:
    assert plain(Config()) == {
        "seed": 7,
        "mixed": False,
        "mode": "fast",
        "merge": "auto",
        "size": "auto",
        "training.learning_rate": 1e-3,
        "training.steps": None,
        "training.name": "adam",
        "decoding.name": "beam",
        "decoding.tags": ["a", "b"],
        "decoding.sizes": [1],
    }


@given(
    rate=st.floats(allow_nan=False, allow_infinity=False),
    steps=st.none() | st.integers(-(10**400) + 1, 10**400 - 1),
    mixed=st.booleans(),
    name=st.text().filter(lambda text: text.isprintable() and not secret_in(text)),
)
def test_what_plain_records_can_be_said_again(rate: float, steps: int | None, mixed: bool, name: str) -> None:
    config = Config(mixed=mixed, training=Inner(rate, steps, name))
    words = [f"--{key}={plain(config)[key]}" for key in ("mixed", "training.learning_rate", "training.steps",
                                                         "training.name")]  # fmt: skip
    assert override(Config(), words)[0] == config


def test_a_whole_number_is_a_number_too() -> None:
    assert override(Config(), ["--learning-rate", "1"])[1] == {"training.learning_rate": 1.0}
    assert str(plain(Config(training=Inner(1, None, "x")))["training.learning_rate"]) == "1.0"


@pytest.mark.parametrize("words", [["--mixed"], ["--mixed", "--seed", "8"], ["--seed", "8", "--mixed"]])
def test_a_switch_needs_no_value(words: list[str]) -> None:
    assert override(Config(), words)[0].mixed
    assert not override(Config(), ["--mixed", "false"])[0].mixed


@dataclass(frozen=True)
class Reward:
    """A setting that had another name."""

    sampled: int = 7


@pytest.mark.parametrize("given", ["--drawn", "--reward.drawn"])
def test_an_old_name_of_a_setting_is_answered_with_the_present_one(given: str) -> None:
    with pytest.raises(UserError, match=f"{given} was renamed to --sampled"):
        override(Reward(), [given, "3"])
    with pytest.raises(UserError, match="no such setting"):
        override(Inner(), [given, "3"])
