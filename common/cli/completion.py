"""Complete the command line of make: targets, their settings, known values, and the experiment's settings in args="--…".

`make completion` prints a shell function, which calls `common/cli/make.py .complete` at each press of the Tab key.
Standard library only.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.core.config_source import SettingSource, settings_in, short_names
from common.core.language import translated

SHELLS = {"bash": "~/.bashrc", "zsh": "~/.zshrc"}
"""Shell → the file with its settings."""
_EXPERIMENT = re.compile(r"exp[0-9]{3}")
_RUN = re.compile(r"(exp[0-9]{3})(-[a-z0-9][a-z0-9_.]{0,79})?")
_SAFE = re.compile(r"[\w.,:=/+-]+")
"""Text that a shell takes as it is; nothing else is offered."""
_OF_THE_REPORT = {"candidates": SettingSource("4", ()), "recombined": SettingSource("24", ())}


@dataclass(frozen=True)
class Known:
    """What there is to complete."""

    root: Path
    """The repository: experiments, competitions, outputs, submissions."""
    code: Path
    """The folder of common/."""
    takes: Mapping[str, Sequence[str]]
    """Target → names of its settings."""
    values: Callable[[str, str], Sequence[str]]
    """Target and setting → every value, where these are few; else nothing."""


@dataclass(frozen=True)
class Word:
    """A word of a command line."""

    start: int
    raw: str
    """The word with its quotes, as it was typed."""
    text: str
    quote: str = ""
    """The quote that is still open; "" when none is."""


def script(shell: str, root: Path, make: Path) -> str:
    """Return the script for a shell of SHELLS; its last line says how to install it. `make`: the path of make.py."""
    text = make.with_name(f"completion.{shell}").read_text(encoding="utf-8")
    for mark, path in (("@ROOT", root), ("@SCRIPT", make)):
        text = text.replace(mark, shlex.quote(str(path)))
    return text.replace("@INSTALL", translated(f"To install it, add this line to {SHELLS[shell]}:"))


def words(line: str) -> list[Word]:
    """Return the words of an unfinished command line; the last one is being typed, and may be empty."""
    found, start, text, quote = list[Word](), -1, "", ""
    escaped = False
    for place, sign in enumerate(line):
        if start < 0 and not sign.isspace():
            start = place
        if escaped:
            text, escaped = text + sign, False
        elif sign == "\\" and quote != "'":
            escaped = True
        elif sign == quote:
            quote = ""
        elif quote:
            text += sign
        elif sign in "'\"":
            quote = sign
        elif not sign.isspace():
            text += sign
        elif start >= 0:
            found.append(Word(start, line[start:place], text))
            start, text = -1, ""
    start = len(line) if start < 0 else start
    return [*found, Word(start, line[start:], text, quote)]


def completed(line: str, known: Known, breaks: str | None = None) -> list[str]:
    """Return every text that can stand for the last word of a command line that ends at the cursor.

    `breaks`: the characters at which bash begins a new word (COMP_WORDBREAKS); it then replaces only what follows.
    """
    *before, typed = words(line)
    partial, options = _options([word.text for word in before[1:]], typed.text, known)
    if not typed.raw.endswith(partial):
        return []
    kept = typed.raw[: len(typed.raw) - len(partial)]
    found = sorted({option for option in options if option.startswith(partial) and _SAFE.fullmatch(option)})
    if breaks is None:
        return [kept + option for option in found]
    start = _start_in_bash(typed, breaks)
    return [(kept + option)[start:] for option in found]


def _start_in_bash(typed: Word, breaks: str) -> int:
    """Return where in the word the text begins that bash replaces."""
    if typed.quote:
        return typed.raw.rindex(typed.quote) + 1
    return max((typed.raw.rfind(sign) + 1 for sign in breaks), default=0)


def _options(before: Sequence[str], text: str, known: Known) -> tuple[str, list[str]]:
    """Return the end of the text that is completed, and everything that could stand there."""
    targets = [word for word in before if word in known.takes]
    given = dict(word.split("=", 1) for word in before if "=" in word)
    if text.startswith("-") or any(re.match("-[Cf]|--(directory|file|makefile)", word) for word in before):
        return text, []
    name, equals, value = text.partition("=")
    if not equals:
        return text, list(_names(targets, given, text, known))
    if name == "args":
        *_, last = re.split(r"\s", value)
        return last, list(_arguments(targets, given, last, known))
    return value, [
        each for target in targets or _taking([name], known) for each in _values(target, name, given, known)
    ]


def _taking(names: Sequence[str], known: Known) -> list[str]:
    return [target for target, takes in known.takes.items() if all(name in takes for name in names)]


def _names(targets: Sequence[str], given: Mapping[str, str], text: str, known: Known) -> Iterator[str]:
    """Yield settings with "=" that the targets on the line take, or targets when there is none yet; else the other kind."""
    if "help" in targets:
        yield from (target for target in known.takes if target not in targets)
        return
    takers = targets or _taking(list(given), known)
    takes = dict.fromkeys(name for target in takers for name in known.takes[target])
    own = [f"{name}=" for name in takes if name not in given]
    others = [target for target in takers if not targets] or [t for t in known.takes if t not in targets]
    first, second = (own, others) if targets else (others, own)
    yield from first
    if text == "exp" and not targets and "exp" not in given:
        first = []  # most commands begin with exp=; the fourth letter of export makes the choice
    both = not targets and "exp=".startswith(text)  # so that export does not hide it
    if text and (both or not any(option.startswith(text) for option in first)):
        yield from second


def _values(target: str, name: str, given: Mapping[str, str], known: Known) -> Iterator[str]:
    """Yield the values of a setting that are known."""
    yield from known.values(target, name)
    if (name == "exp" and target != "new") or (target, name) == ("new", "from"):
        yield from _experiments(known.root)
    elif name == "comp":
        yield from (path.parent.name for path in known.root.glob("competitions/*/competition.toml"))
    elif name == "blend":
        yield from (path.stem for path in known.root.glob("submissions/*.toml"))
    elif name == "id":
        yield from _ids(known.root, given.get("comp", ""))
    elif name == "method":
        yield from _methods(known.code)
    elif name in ("run", "from-trial", "pred", "a", "b", "folder"):
        for folder in _runs(known.root, given.get("comp", "*"), archived=target == "restore"):
            if name == "folder":
                yield folder.relative_to(known.root).as_posix()
            elif name == "from-trial" or folder.name.startswith(given.get("exp", "")):
                yield folder.name


def _experiments(root: Path) -> Iterator[str]:
    for path in root.glob("experiments/exp*/config.py"):
        if _EXPERIMENT.fullmatch(path.parent.name):
            yield path.parent.name


def _runs(root: Path, competition: str, *, archived: bool) -> Iterator[Path]:
    if competition != "*" and not re.fullmatch(r"\w+", competition):
        return
    for path in root.glob(f"outputs/{competition}/{'archived/' if archived else ''}exp*"):
        if _RUN.fullmatch(path.name) and path.parts[len(root.parts) + 1] != "smoke":
            yield path


def _ids(root: Path, competition: str) -> Iterator[str]:
    try:
        lines = (root / "submissions" / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if (
            isinstance(entry, dict)
            and "csv_sha256" in entry
            and competition in ("", entry.get("competition"))
        ):
            yield str(entry.get("id", ""))


def _methods(code: Path) -> Iterator[str]:
    """Yield the methods of make augment: the keys of ABOUT in common/augment/settings.py."""
    for node in ast.parse((code / "common/augment/settings.py").read_bytes()).body:
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.value, ast.Dict)
            and ast.unparse(node.target) == "ABOUT"
        ):
            yield from (str(ast.literal_eval(key)) for key in node.value.keys if key)


def _arguments(targets: Sequence[str], given: Mapping[str, str], text: str, known: Known) -> Iterator[str]:
    """Yield what may stand in args: --name=, and with it the default or each choice.

    Because no --name= is ever alone, bash does not close the quote behind it.
    """
    settings = dict[str, SettingSource]()
    for target in targets:
        settings |= _settings(target, given, known)
    name = text[2:].partition("=")[0]
    for each, source in settings.items():
        yield f"--{each}="
        if each == name or sum(other.startswith(name) for other in settings) == 1:
            yield from (f"--{each}={value}" for value in source.values or (source.default or "VALUE",))


def _settings(target: str, given: Mapping[str, str], known: Known) -> dict[str, SettingSource]:
    if target == "blend-report":
        return _OF_THE_REPORT
    if target == "augment":
        path = known.code / "common/augment/settings.py"
        method = "".join(part.capitalize() for part in given.get("method", "").split("_"))
        own = settings_in(path, known.code, f"{method}Config") if method else {}
        rest = {
            name: each
            for name, each in settings_in(path, known.code, "AugmentConfig").items()
            if name != "method"
        }
        return short_names({**{f"method.{name}": each for name, each in own.items()}, **rest})
    experiment = given.get("exp", "")
    if "args" not in known.takes[target] or not _EXPERIMENT.fullmatch(experiment):
        return {}
    return short_names(settings_in(known.root / "experiments" / experiment / "config.py", known.code))
