"""The default settings of every experiment and augmentation method, for tests that try all of them."""

from importlib import import_module
from typing import Any

import pytest

from common.augment.settings import AUGMENT_METHODS
from common.augment.settings import settings as augment_settings
from common.runs import experiments


def configs() -> dict[str, Any]:
    """Return the default settings of every experiment and of every augmentation method by name."""
    found = {name: import_module(f"experiments.{name}.config").Config() for name in experiments.experiments()}
    return found | {name: augment_settings(name) for name in AUGMENT_METHODS}


CONFIGS = configs()
each = pytest.mark.parametrize("name", list(CONFIGS))
