"""Augmented rows of a forbidden model, another competition or near a test row are not used."""

from pathlib import Path

import pytest

from common import augment
from common.augment import making
from common.augment.making import Job
from common.augment.settings import settings as defaults
from common.core.config import override
from common.core.errors import UserError
from common.data.competition_file import load_competition
from tests.support.rules import FAR, SOURCES, forbid, made, new


def job(method: str, *words: str) -> Job:
    config, overrides = override(defaults(method), words)
    return Job(load_competition("talk"), method, method, None, config, overrides)


def test_augmenting_with_a_forbidden_model_is_refused_before_it_is_loaded(repository: Path) -> None:
    forbid(repository, *SOURCES)
    for method in ("back_translation", "paraphrase"):
        with pytest.raises(
            UserError, match=f"augment by {method} for talk: --method.*model someone/dialogsum-m2m"
        ):
            making.augment(job(method, "--model=someone/dialogsum-m2m"))
    assert not (repository / "outputs/talk/augmented").exists()


def test_augmented_rows_of_another_competition_model_or_near_copy_are_not_read(repository: Path) -> None:
    made(repository, new(FAR))
    assert len(augment.read("talk", "swap")) == 1
    made(repository, new(FAR), competition="daily_talk")
    with pytest.raises(
        UserError, match="was made for daily_talk, but talk's entries may learn only from its own rows"
    ):
        augment.read("talk", "swap")
    made(repository, new(FAR), near_copy=0.9)
    with pytest.raises(
        UserError, match=r"made with near_copy 0.9, but talk now has 0.15. Make it again with: make aug"
    ):
        augment.read("talk", "swap")
    forbid(repository, *SOURCES)
    made(repository, new(FAR), config={"method.translator.model": "someone/dialogsum-m2m"})
    with pytest.raises(
        UserError, match=r"rows.csv: --method.translator.model someone/dialogsum-m2m, and talk forbids"
    ):
        augment.read("talk", "swap")
    made(repository, new(FAR), sources={"someone/m2m": ["DialogSum"]})
    with pytest.raises(UserError, match="someone/m2m names DialogSum in its model card"):
        augment.read("talk", "swap")
