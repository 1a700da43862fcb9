"""Examples, and how an undisturbed run on them ends."""

import datasets
import pytest

from common.tokenization.config import LengthConfig
from common.tokenization.examples import training_examples
from common.tokenization.layout import InputTemplate
from tests.support import tiny
from tests.support.fitting import WORDS, ending, train


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> datasets.Dataset:
    cache = tmp_path_factory.mktemp("tokenized")
    return training_examples(
        tiny.rows(24), WORDS, LengthConfig(128), InputTemplate(suffix=(WORDS.eos_token_id,)), cache
    )[0]


@pytest.fixture(scope="session")
def calm(examples: datasets.Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """How an undisturbed run ends."""
    folder = tmp_path_factory.mktemp("calm")
    train(folder, examples)
    return ending(folder)
