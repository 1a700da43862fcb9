"""Settings read from the source of config.py are those that the imported class has."""

import importlib
from pathlib import Path

import pytest

from common.core.config import leaves
from common.core.config_source import SettingSource, settings_in, short_names
from tests.support import REPOSITORY

EXPERIMENTS = sorted(path.parent.name for path in (REPOSITORY / "experiments").glob("exp*/config.py"))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_source_has_the_settings_of_the_class(name: str) -> None:
    path = REPOSITORY / "experiments" / name / "config.py"
    found = settings_in(path, REPOSITORY)
    known = leaves(importlib.import_module(f"experiments.{name}.config").Config())
    assert list(found) == list(known)
    defaults = 0
    for key, source in found.items():
        value = known[key][1]
        if source.default:
            defaults += 1
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            assert source.default in (text, text.lower()), key
        if isinstance(value, bool):
            assert {"true", "false"} <= {*source.values}
        elif source.values and isinstance(value, str):
            assert value in source.values, key
    assert defaults > len(found) * 0.6
    names = short_names(found)
    assert len(names) == len(found)
    assert ("width" in names) == any(key.endswith(".width") for key in found)


def test_an_ambiguous_name_stays_dotted() -> None:
    source = SettingSource("1", ())
    named = short_names({"a.longest": source, "b.longest": source, "b.other_one": source})
    assert list(named) == ["a.longest", "b.longest", "other-one"]


def test_what_cannot_be_read_has_no_settings(tmp_path: Path) -> None:
    path = tmp_path / "config.py"
    assert settings_in(path, REPOSITORY) == {}
    path.write_text("class Config(:\n")
    assert settings_in(path, REPOSITORY) == {}
    path.write_text(
        "from dataclasses import dataclass\nfrom typing import Literal\nfrom common.nowhere import Other\n"
        "@dataclass\nclass Config:\n    a: int = 3\n    b: Other = Other()\n    c: Literal['x', 'y'] = 'x'\n    d: str = 'a b'\n"
    )
    assert settings_in(path, REPOSITORY) == {
        "a": SettingSource("3", ()),
        "b": SettingSource("", ()),
        "c": SettingSource("x", ("x", "y")),
        "d": SettingSource("", ()),
    }
