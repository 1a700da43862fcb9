"""List experiments and read their title, model and needs without importing them."""

import ast
from dataclasses import dataclass
from typing import Any

from common.core.errors import UserError
from common.core.files import root, shown
from common.core.messages import brief
from common.core.mistyped import did_you_mean
from common.core.paths import EXPERIMENT


@dataclass(frozen=True)
class Experiment:
    """The constants TITLE, MODEL and NEEDS of an experiment's config.py."""

    name: str
    title: str
    model: str
    needs: str


def experiments() -> list[str]:
    """Return the sorted names of all experiments: the folders of experiments/ with a config.py."""
    found = (path.parent.name for path in (root() / "experiments").glob("exp*/config.py"))
    return sorted(name for name in found if EXPERIMENT.fullmatch(name))


def require_experiment(name: str) -> str:
    """Return the name. Raises UserError that lists the experiments when there is none with this name."""
    if not EXPERIMENT.fullmatch(name):
        raise UserError(
            f"experiment {brief(name)}: wanted exp and three digits, as in exp002. {_known(name)}"
        )
    if not (root() / "experiments" / name / "config.py").is_file():
        raise UserError(f"experiment {brief(name)} does not exist. {_known(name)}")
    return name


def _known(name: str) -> str:
    there = experiments()
    hint = did_you_mean(name, there) if any(sign.isdigit() for sign in name) else ""
    listed = f"There are {', '.join(there) or 'none'}; start one with: make new exp=exp0NN from=exp002"
    return f"{hint} {listed}".lstrip()


def describe(name: str) -> Experiment:
    """Return title, model and needs of an experiment without importing it. Raises UserError when one is missing."""
    path = root() / "experiments" / name / "config.py"
    constants: dict[str, Any] = {}
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{shown(path)}: not valid Python ({error}); fix that line.") from error
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            constants |= {
                target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)
            }
    missing = [key for key in ("TITLE", "MODEL", "NEEDS") if not isinstance(constants.get(key), str)]
    if missing:
        raise UserError(f'{shown(path)}: needs a line {missing[0]} = "…", which make list prints.')
    return Experiment(name, constants["TITLE"], constants["MODEL"], constants["NEEDS"])
