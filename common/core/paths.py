"""Return the paths of runs, merged models and converted models, and define the names that runs may have."""

import os
import re
from pathlib import Path

from common.core.errors import UserError
from common.core.files import root
from common.core.messages import brief

EXPERIMENT = re.compile(r"exp[0-9]{3}")
RUN_NAME = re.compile(r"exp[0-9]{3}(-[a-z0-9][a-z0-9_.]{0,79})?")
MERGED = "merged"
ARCHIVED = "archived"
PREDICTED = "predicted"


def cache_folder() -> Path:
    """Return the folder of converted models: KDS_MODEL_CACHE, or .cache/models in the repository (ignored by git)."""
    override = os.environ.get("KDS_MODEL_CACHE")
    return Path(override).expanduser().resolve() if override else root() / ".cache" / "models"


def merged_folder(competition_name: str, run: str) -> Path:
    """Return the path of a run's merged model: outputs/COMPETITION/merged/RUN."""
    return outputs(competition_name) / MERGED / run


def archived_folder(competition_name: str, run: str) -> Path:
    """Return the folder of an archived run: outputs/COMPETITION/archived/RUN."""
    return outputs(competition_name) / ARCHIVED / run


def predicted_folder(competition: str, name: str, *, smoke: bool = False) -> Path:
    """Return the folder that `make predict` works in until it has written its file: outputs/COMPETITION/predicted/NAME."""
    return outputs(competition, smoke=smoke) / PREDICTED / name


def outputs(competition: str, *, smoke: bool = False) -> Path:
    """Return the folder of a competition's runs; smoke runs have a separate one."""
    return root() / "outputs" / "smoke" / competition if smoke else root() / "outputs" / competition


def run_folder(competition: str, run: str) -> Path:
    """Return the folder of a run, which need not exist. Raises UserError for an invalid run name."""
    if not RUN_NAME.fullmatch(run):
        raise UserError(
            f"run {brief(run)}: wanted an experiment or a variant of one, as in exp002 or exp002-seed2, "
            "with at most 80 characters after the hyphen, each a small letter, a digit, _ or ."
        )
    return outputs(competition) / run
