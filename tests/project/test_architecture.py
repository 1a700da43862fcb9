"""Rules of the repository: light imports, no logic copied a third time, experiments that say what they are."""

import ast
import copy
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from common.runs import experiments
from tests.support import REPOSITORY

EXPERIMENTS = sorted(p.parent for p in (REPOSITORY / "experiments").glob("exp*/config.py"))
LARGE = 12  # lines of code from which a function that occurs a third time belongs into common/
HEAVY = ("torch", "transformers", "datasets", "accelerate", "pandas", "sklearn")


def test_scoring_and_blending_start_without_a_model_library() -> None:
    rooms = ("common.cli", "common.submission.submit", "common.rouge", "common.runs.scoring", "common.submission.leaderboard",
             "common.ensemble", "common.postprocess.rules", "common.data.dialogue", "common.data.rows", "common.runs.record", "common.runs.results", "common.data.folds",
             "common.augment", "common.augment.making")  # fmt: skip
    code = f"import json, sys, {', '.join(rooms)}; print(json.dumps(sorted(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(set(json.loads(ended.stdout)) & set(HEAVY)) == []


class _Normalised(ast.NodeTransformer):
    """Names, attributes, arguments and constants all become one: what is left is the shape of the logic."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name("_", node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        return ast.Attribute(node.value, "_", node.ctx)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant(0)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg("_", None)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        self.generic_visit(node)
        return ast.keyword("_", node.value)


def shapes(source: str) -> dict[str, tuple[str, int]]:
    """Name of every large function -> (its shape, its lines without the docstring)."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        lines = 1 + (body[-1].end_lineno or 0) - body[0].lineno if body else 0
        if lines > LARGE:
            module = ast.Module(copy.deepcopy(body), [])
            found[node.name] = (ast.dump(_Normalised().visit(module)), lines)
    return found


def copies(sources: dict[str, list[str]]) -> list[str]:
    """Large functions that occur in three experiments or more."""
    where: dict[str, set[str]] = defaultdict(set)
    names: dict[str, str] = {}
    for experiment, texts in sources.items():
        for text in texts:
            for name, (shape, _) in shapes(text).items():
                where[shape].add(experiment)
                names[shape] = name
    return [f"{names[s]} in {', '.join(sorted(found))}" for s, found in where.items() if len(found) >= 3]


def test_nothing_large_is_copied_a_third_time() -> None:
    sources = {
        folder.name: [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))]
        for folder in EXPERIMENTS
    }
    assert copies(sources) == [], "promote it into common/"


def test_copies_are_found_under_other_names() -> None:
    lines = "\n".join(f"    total += work(rows[{n}], size={n})" for n in range(LARGE))
    one = f'def load(rows):\n    """One."""\n    total = 0\n{lines}\n    return total\n'
    other = (
        one.replace("load", "read")
        .replace("rows", "items")
        .replace("total", "found")
        .replace("size", "width")
    )
    assert copies({"a": [one], "b": [other], "c": [one.replace("0", "7")]}) != []
    assert copies({"a": [one], "b": [other], "c": [one.replace("+=", "-=")]}) == []
    assert copies({"a": [one], "b": [other, one]}) == []
    short = "def f(x):\n    return x\n"
    assert copies({"a": [short], "b": [short], "c": [short]}) == []


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda folder: folder.name)
def test_every_experiment_says_what_it_is(folder: Path) -> None:
    missing = [
        name for name in ("README.md", "config.py", "train.py", "infer.py") if not (folder / name).is_file()
    ]
    assert missing == []
    about = experiments.describe(folder.name)
    assert about.title.strip()
    assert about.model.strip()
    assert set(about.needs.replace(",", " ").split()) <= {"cpu", "gpu", "hub", "api"}


@pytest.mark.parametrize("folder", EXPERIMENTS, ids=lambda folder: folder.name)
def test_experiments_import_no_other_experiment(folder: Path) -> None:
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            others = [
                m
                for m in modules
                if m.startswith("experiments") and not m.startswith(f"experiments.{folder.name}")
            ]
            assert others == [], path


def test_common_never_imports_experiments_or_competitions() -> None:
    for path in (REPOSITORY / "common").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [m for m in modules if m.split(".")[0] in ("experiments", "competitions")], path
