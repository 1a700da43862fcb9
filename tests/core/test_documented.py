"""Every setting is described by its value, its range and the docstring under its field."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Le, Len

from common.augment.settings import AUGMENT_METHODS, settings
from common.core.config import leaves
from common.core.documented import Setting, first_sentence, groups
from common.core.ranges import Seed
from common.runs.experiments import experiments
from common.runs.start import config_of

Width = Annotated[int, Ge(1)]
"""A width, which the type describes."""


@dataclass(frozen=True)
class Inner:
    """Inner settings. Not shown."""

    rate: Annotated[float, Gt(0), Le(1)] = 1
    """How fast. The rest is
    on another line."""
    names: Annotated[tuple[str, ...], Len(1, 3)] = ("a", "b")


@dataclass(frozen=True)
class Outer:
    """Settings of the test."""

    seed: Seed = 3
    width: Width = 4
    mode: Literal["fast", "slow"] = "fast"
    """Speed."""
    inner: Inner = Inner(rate=0.5)
    """Not a setting itself."""
    limit: Annotated[int, Ge(1)] | None = None
    switch: bool = field(default=True)
    """On or off, e.g. in tests."""


def test_values_ranges_and_docstrings() -> None:
    own, inner = groups(Outer())
    assert (own.name, own.about, inner.name, inner.about) == (
        "",
        "Settings of the test",
        "inner",
        "Inner settings",
    )
    assert own.settings[1:] == (
        Setting("width", 4, "a whole number of at least 1", "A width, which the type describes."),
        Setting("mode", "fast", "fast or slow", "Speed."),
        Setting("limit", None, "a whole number of at least 1 or none", ""),
        Setting("switch", True, "true or false", "On or off, e.g. in tests."),
    )
    assert own.settings[0].meaning.startswith(
        "A seed that every library accepts"
    )  # of a type from another module
    assert inner.settings == (
        Setting(
            "inner.rate", 0.5, "a number above 0 and at most 1", "How fast. The rest is on another line."
        ),
        Setting("inner.names", ["a", "b"], "1 to 3 texts separated by commas", ""),
    )


def test_first_sentences() -> None:
    assert first_sentence("How fast. The rest.") == "How fast"
    assert first_sentence("On or off, e.g. in tests.") == "On or off, e.g. in tests"
    assert first_sentence("") == ""


@pytest.mark.parametrize("name", [*experiments(), *AUGMENT_METHODS])
def test_every_setting_of_the_repository_is_listed_and_has_a_docstring(name: str) -> None:
    config = settings(name) if name in AUGMENT_METHODS else config_of(name).Config()
    found = [setting for group in groups(config) for setting in group.settings]
    assert {setting.name for setting in found} == set(leaves(config))
    assert [setting.name for setting in found if not setting.meaning or not setting.wanted] == []
    assert [group.name for group in groups(config) if not group.about] == []
