"""Write the settings of a trial as the defaults of an experiment: its config.py still reads as one that a person wrote."""

import ast
import importlib.util
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.core.config import check, leaves, plain
from common.core.errors import UserError
from common.core.files import read_json, shown
from common.core.messages import brief
from common.core.paths import RUN_NAME, outputs, run_folder
from common.runs.experiments import require_experiment
from common.runs.record import read_record
from common.runs.start import config_of

WIDTH = 110
"""Longest line of the code."""
SCORED_ON = "dev_rows"
"""Setting that says how a sweep scores its trials; it is not what a trial found."""


@dataclass(frozen=True)
class Found:
    """What a trial changed."""

    run: str
    experiment: str
    changes: dict[str, tuple[Any, Any]]
    """Dotted name → the recipe's value and the trial's, as JSON has them."""

    @property
    def text(self) -> str:
        """The changes on one line: "lora.rank 32 → 16, training.epochs 3.0 → 4.0"."""
        return ", ".join(f"{name} {_shown(old)} → {_shown(new)}" for name, (old, new) in self.changes.items())


def trial_changes(competition: str, run: str) -> Found:
    """Return what a run, such as a trial of a sweep, changed of its experiment's recipe.

    The settings come from the run's folder or, for a trial that another machine trained, from the sweep's report.json.
    Raises UserError when there is neither, or the run has the recipe's settings.
    """
    if not RUN_NAME.fullmatch(run):
        raise UserError(f"from-trial={brief(run)}: wanted the name of a run, as in exp012-sweep_007.")
    experiment = require_experiment(run.split("-")[0])
    recipe = plain(config_of(experiment).Config())
    settings = _recorded(competition, run)
    if settings is None:
        raise UserError(
            f"from-trial={run}: neither {shown(run_folder(competition, run))} nor a sweep of {competition} has its settings; "
            f"wanted a trial that make exp={experiment} sweep-report lists, or any other run (make runs)."
        )
    gone = sorted(set(settings) - set(recipe))
    if gone:
        raise UserError(
            f"from-trial={run}: {experiment} no longer has the setting {gone[0]}; check out the commit that trained the run "
            "(run.json), or edit config.py by hand."
        )
    changes = {
        name: (recipe[name], value)
        for name, value in settings.items()
        if value != recipe[name] and name != SCORED_ON
    }
    if not changes:
        raise UserError(
            f"from-trial={run}: it has the settings of {experiment}; copy that one: make new exp=exp0NN from={experiment}"
        )
    return Found(run, experiment, changes)


def _recorded(competition: str, run: str) -> dict[str, Any] | None:
    """Return the settings of a run by dotted name; those of a trial elsewhere are only the ones that the sweep changed."""
    if config := read_record(run_folder(competition, run)).get("train", {}).get("config"):
        return dict(config)
    for path in sorted((outputs(competition) / "sweeps").glob("*/report.json")):
        for trial in read_json(path).get("trials", []):
            if trial.get("run") == run:
                return dict(trial["settings"])
    return None


def with_defaults(source: str, changes: Mapping[str, Any], where: str) -> str:
    """Return the source of a config.py with other defaults in its class Config.

    `changes`: dotted name → value. Only the values change, and arguments are added: comments and the rest stay.
    Raises UserError, which names `where`, for a default that is not written as a value or a call of a dataclass.
    """
    for name, value in changes.items():
        source = _changed(source, name.split("."), _code(value), f"{where}: {name}")
    return source


def _changed(source: str, path: list[str], code: str, where: str) -> str:
    """Return the source with one default changed."""
    wrong = UserError(f"{where} cannot be changed where it stands; edit that file by hand, to {code}.")
    tree = ast.parse(source)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Config"]
    fields = [node for one in classes for node in one.body if isinstance(node, ast.AnnAssign)]
    found = next((f for f in fields if isinstance(f.target, ast.Name) and f.target.id == path[0]), None)
    if found is None or found.value is None:
        raise wrong
    value: ast.expr = found.value
    for place, part in enumerate(path[1:], 1):
        if not isinstance(value, ast.Call):
            raise wrong
        inner = next((one.value for one in value.keywords if one.arg == part), None)
        if inner is None:
            if place < len(path) - 1:
                raise wrong
            return _with_argument(source, value, part, code)
        value = inner
    if isinstance(value, ast.Call):
        raise wrong
    return _replaced(source, _span(source, value), code)


def _with_argument(source: str, call: ast.Call, name: str, code: str) -> str:
    """Return the source with one more argument of a call; a line that gets too long is broken as ruff breaks it."""
    start, end = _span(source, call)
    text = source[start:end]
    inner = text[:-1].rstrip()
    indent = " " * _indent(source, start)
    if "\n" in text and (inner.endswith(",") or "#" in text):  # each argument has a line of its own
        comma = "" if inner.endswith(",") else ","
        return _replaced(source, (start, end), f"{inner}{comma}\n{indent}    {name}={code},\n{indent})")
    longer = f"{inner}{'' if inner.endswith('(') else ', '}{name}={code})"
    line_start = source.rfind("\n", 0, start) + 1
    rest = source[end : source.find("\n", end)]
    if "\n" not in text and len(source[line_start:start]) + len(longer) + len(rest) <= WIDTH:
        return _replaced(source, (start, end), longer)
    given = [ast.get_source_segment(source, one) or "" for one in (*call.args, *call.keywords)]
    lines = "".join(f"{indent}    {one},\n" for one in (*given, f"{name}={code}"))
    return _replaced(source, (start, end), f"{ast.unparse(call.func)}(\n{lines}{indent})")


def _span(source: str, node: ast.expr) -> tuple[int, int]:
    """Return where a node begins and ends, in characters; ast counts bytes of UTF-8 in a line."""
    lines = source.splitlines(keepends=True)

    def place(line: int, column: int) -> int:
        before = sum(map(len, lines[: line - 1]))
        return before + len(lines[line - 1].encode()[:column].decode())

    assert node.end_lineno is not None and node.end_col_offset is not None
    return place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)


def _indent(source: str, place: int) -> int:
    line = source[source.rfind("\n", 0, place) + 1 :]
    return len(line) - len(line.lstrip(" "))


def _replaced(source: str, span: tuple[int, int], text: str) -> str:
    return source[: span[0]] + text + source[span[1] :]


def _code(value: Any) -> str:
    """Return a value as it is written in the code: a list becomes a tuple, 4.0 stays 4.0, texts have double quotes."""
    if isinstance(value, list):
        return f"({', '.join(map(_code, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, str):
        return f'"{value}"' if '"' not in value and "\\" not in value else repr(value)
    return repr(value)


def _shown(value: Any) -> str:
    return (
        f"{value:.4g}"
        if isinstance(value, float)
        else brief(value, 40)
        if not isinstance(value, str)
        else value
    )


def require_reads_so(source: str, path: Path, wanted: Mapping[str, Any]) -> None:
    """Raise UserError unless a config.py can be loaded, and its Config has these settings (dotted name → JSON value)."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / path.name
        file.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(f"experiments.{path.parent.name}.config", file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up there
        try:
            spec.loader.exec_module(module)
            config = module.Config()
            check(config)
            found = plain(config)
        finally:
            del sys.modules[spec.name]
    different = [name for name in leaves(config) if found[name] != wanted.get(name, found[name])]
    if different:
        raise UserError(f"{shown(path)}: {different[0]} cannot be written there; edit that file by hand.")
