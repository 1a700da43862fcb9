"""Files, modules, settings and links that the documents and the comments of configuration files name exist.

The log is left out, links apart: its names are those of their time.
"""

import dataclasses
import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from common.augment import __main__ as augment
from common.augment.settings import AUGMENT_METHODS, settings
from common.cli import commands
from tests.project.test_readme import RUN_OPTIONS, links
from tests.support import REPOSITORY

LOG = sorted(REPOSITORY.glob("docs/log/*.md"))
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "docs/decisions/*.md", "experiments/*/README.md", "competitions/*/README.md")
    for path in REPOSITORY.glob(pattern)
)  # fmt: skip
COMMENTED = sorted(
    path
    for pattern in ("Makefile", "*.toml", "*.cfg", "submissions/*.toml", "competitions/*/*.toml", "experiments/*/*.yaml")
    for path in REPOSITORY.glob(pattern)
)  # fmt: skip
FOLDERS = "common|experiments|docs|tests|benchmarks|competitions"
PLACEHOLDER = re.compile(r"[<{$*]|NNN|NAME|ROOM|COMP|CORPUS")
FOREIGN = {"--nnodes", "--rdzv-backend", "--rdzv-endpoint", "--project"}  # of torchrun and wandb
EXAMPLES = {"--name", "--setting", "--help"}  # any setting; the last one lists them


def text_of(path: Path) -> str:
    """The prose and commands of a document without the outputs it shows; of other files the comments."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".md":
        return "\n".join(re.findall(r"(?m)#.*$", text))
    return re.sub(r"(?ms)^```text\n.*?^```", "", text)


def names(paths: list[Path]) -> Any:
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(REPOSITORY)))


def paths_in(text: str) -> list[str]:
    """Paths below the folders of code and documents, placeholders left out."""
    found = re.findall(rf"(?<![\w/.>-])(?:{FOLDERS})/[^\s`'\"()|;,:\]]*", text)
    return [path.rstrip(".") for path in found if not PLACEHOLDER.search(path)]


def dotted_names_in(text: str) -> list[str]:
    """Dotted names of modules and what is in them, written in full or from a room on (`runs.record`)."""
    rooms = "|".join(path.parent.name for path in REPOSITORY.glob("common/*/__init__.py"))
    full = re.findall(r"(?<![\w./-])((?:common|experiments|tests|competitions)(?:\.\w+)+)", text)
    short = [
        f"common.{name}"
        for name in re.findall(rf"`((?:{rooms})(?:\.\w+)+)`", text)
        if not name.endswith(".md")
    ]
    return full + short


def exists(dotted: str) -> bool:
    """Whether a module, or something that a module defines, has this name. Imports nothing."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        stem = REPOSITORY.joinpath(*parts[:count])
        module = next(
            (path for path in (stem / "__init__.py", stem.with_suffix(".py")) if path.is_file()), None
        )
        if module is None:
            continue
        if count == len(parts):
            return True
        defined = rf"(?m)^(def |class |from .*import .*\b|    (?=\w+,$))?{parts[count]}\b"
        return re.search(defined, module.read_text(encoding="utf-8")) is not None
    return False


def leaves(config: Any, prefix: str = "") -> set[str]:
    """Every way to write a setting of a config: the dotted name and its last part."""
    found = set()
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found |= leaves(value, f"{prefix}{field.name}.")
        else:
            found |= {field.name, f"{prefix}{field.name}"}
    return found


@cache
def known_settings() -> frozenset[str]:
    """Settings of experiments and augmentation, options of commands and of scripts; underscores for hyphens."""
    configs = [
        importlib.import_module(f"experiments.{path.parent.name}.config").Config()
        for path in REPOSITORY.glob("experiments/*/config.py")
    ] + [settings(method) for method in AUGMENT_METHODS]
    found = {name for config in configs for name in leaves(config)}
    for command in (*commands.commands.values(), augment.command):
        found |= {option.removeprefix("--") for parameter in command.params for option in parameter.opts}
    for script in (*REPOSITORY.glob("benchmarks/*.py"), *REPOSITORY.glob("competitions/*/generator/*.py")):
        found |= set(re.findall(r'"--([a-z-]+)"', script.read_text(encoding="utf-8")))
    found |= {option.removeprefix("--") for option in {*RUN_OPTIONS, *FOREIGN, *EXAMPLES}}
    return frozenset(name.replace("-", "_") for name in found)


@names([*DOCUMENTS, *COMMENTED])
def test_every_path_exists(path: Path) -> None:
    assert [name for name in paths_in(text_of(path)) if not (REPOSITORY / name).exists()] == []


@names([*DOCUMENTS, *COMMENTED])
def test_every_code_file_named_without_its_folder_exists(path: Path) -> None:
    there = {file.name for folder in FOLDERS.split("|") for file in (REPOSITORY / folder).rglob("*.py")}
    named = re.findall(r"`(\w+\.py)`", text_of(path))
    assert [name for name in named if name not in there] == []


@names([*DOCUMENTS, *COMMENTED])
def test_every_module_exists(path: Path) -> None:
    assert [name for name in dotted_names_in(text_of(path)) if not exists(name)] == []


@names([*DOCUMENTS, *COMMENTED])
def test_every_setting_exists(path: Path) -> None:
    named = re.findall(r"(?<![\w/.-])--([a-z][\w.-]*\w)", text_of(path))
    assert [name for name in named if name.replace("-", "_") not in known_settings()] == []


def headings(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"(?m)^#+ (.+)$", text)
    }


@names([*DOCUMENTS, *LOG])
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for link in links(text):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in headings(target.read_text(encoding="utf-8")), link


def test_what_does_not_exist_is_found() -> None:
    text = "`common/none.py` and `runs.none`, common.core.files.root, `common.core.files.none`, `experiments/expNNN/`"
    assert [name for name in paths_in(text) if not (REPOSITORY / name).exists()] == ["common/none.py"]
    missing = [name for name in dotted_names_in(text) if not exists(name)]
    assert missing == ["common.core.files.none", "common.runs.none"]
    assert {"learning_rate", "training.learning_rate", "lowest_similarity", "recombined"} <= known_settings()
    assert not {"drawn", "fused", "widht"} & known_settings()
