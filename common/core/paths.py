"""Return the paths of runs, merged models and converted models, and define the names that runs may have."""

import os
import re
from pathlib import Path

from common.core.errors import UserError
from common.core.files import root
from common.core.messages import brief

EXPERIMENT = re.compile(r"exp[0-9]{3}")
RUN_NAME = re.compile(r"exp[0-9]{3}(-[a-z0-9][a-z0-9_.]{0,79})?")
_BEGIN = re.compile(r"(exp[0-9]{3})(?![0-9])[^a-z0-9]*", re.IGNORECASE)
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
        raise UserError(f"run {brief(run)}: {wanted_run(run)}.")
    return outputs(competition) / run


def wanted_run(run: str, experiment: str = "") -> str:
    """Return which names a run may have, in place of this invalid one, and a similar name that is valid.

    `experiment`: the experiment that the run must belong to; "" for any.
    """
    begin = _BEGIN.match(run)
    own = experiment or (begin[1].lower() if begin else "exp002")
    rest = re.sub(r"[^a-z0-9_.]+", "_", run[begin.end() if begin else 0 :].lower()).strip("_.")[:80]
    name = f"{own}-{rest}" if rest and (begin or experiment) else f"{own}-seed2"
    form = 'NAME has 1 to 80 of the characters a-z, 0-9, "_" and ".", and begins with a letter or digit'
    if experiment:
        return f"wanted {experiment} or {experiment}-NAME, as in {name}; {form}"
    return f"wanted an experiment or a variant of one (EXPERIMENT-NAME), as in {own} or {name}; {form}"
