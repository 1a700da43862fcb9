"""Read the names of an experiment's settings from the source of its config.py, without importing it.

Standard library only, and fast enough to answer each press of the Tab key.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

_PLAIN = re.compile(r"[\w.,:/+-]+")


@dataclass(frozen=True)
class SettingSource:
    """What the source says about a setting."""

    default: str
    """Its default as the command line takes it; "" when that is not a plain value."""
    values: tuple[str, ...]
    """Values that can be named: true and false, and those of a choice that is written in the class itself."""


@dataclass(frozen=True)
class _Files:
    """The code that config files import from, and what was already parsed of it."""

    root: Path
    trees: dict[Path, ast.Module]

    def tree(self, path: Path) -> ast.Module:
        if path not in self.trees:
            try:
                self.trees[path] = ast.parse(path.read_bytes())
            except (OSError, SyntaxError, ValueError):
                self.trees[path] = ast.Module([], [])
        return self.trees[path]

    def imported(self, module: str) -> Path:
        place = self.root.joinpath(*module.split("."))
        file = place.with_suffix(".py")
        return file if file.is_file() else place / "__init__.py"


def settings_in(path: Path, root: Path, name: str = "Config") -> dict[str, SettingSource]:
    """Return dotted name → source of every setting of a config class; nothing for what cannot be read.

    `root`: the folder that has `common/`, where nested classes are imported from.
    """
    files = _Files(root, {})
    found = _class(files, path, name)
    return dict(_fields(files, *found, {}, "")) if found else {}


def short_names(dotted: dict[str, SettingSource]) -> dict[str, SettingSource]:
    """Return the settings by the shortest name that the command line accepts, with hyphens."""
    last = [name.rsplit(".", 1)[-1] for name in dotted]
    return {
        (short if last.count(short) == 1 else name).replace("_", "-"): known
        for (name, known), short in zip(dotted.items(), last, strict=True)
    }


def _class(files: _Files, path: Path, name: str) -> tuple[Path, ast.ClassDef] | None:
    """Return a class and the file that defines it; imports are followed."""
    for node in ast.walk(files.tree(path)):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return path, node
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("common."):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _class(files, files.imported(node.module), alias.name)
    return None


def _fields(
    files: _Files, path: Path, found: ast.ClassDef, given: dict[str, ast.expr], prefix: str
) -> list[tuple[str, SettingSource]]:
    """Return the settings of a class; `given`: the defaults that the outer class passes to it."""
    settings = []
    for node in found.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        name = node.target.id
        default = given.get(name, node.value)
        nested = _class(files, path, node.annotation.id) if isinstance(node.annotation, ast.Name) else None
        if nested and any("dataclass" in ast.unparse(each) for each in nested[1].decorator_list):
            keywords = default.keywords if isinstance(default, ast.Call) else []
            inner = {each.arg: each.value for each in keywords if each.arg}
            settings += _fields(files, *nested, inner, f"{prefix}{name}.")
        else:
            settings.append((prefix + name, SettingSource(_text(default), _choices(node.annotation))))
    return settings


def _text(default: ast.expr | None) -> str:
    if isinstance(default, ast.Tuple):
        items = [_text(item) for item in default.elts]
        return ",".join(items) if all(items) else ""
    try:
        value = ast.literal_eval(default) if default else ""
    except ValueError:
        return ""
    text = str(value).lower() if isinstance(value, bool) or value is None else str(value)
    return text if _PLAIN.fullmatch(text) else ""


def _choices(annotation: ast.expr) -> tuple[str, ...]:
    values: tuple[str, ...] = ()
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name) and node.id == "bool":
            values += ("true", "false")
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
            values += tuple(
                each.value
                for each in ast.walk(node.slice)
                if isinstance(each, ast.Constant) and isinstance(each.value, str)
            )
    return values
