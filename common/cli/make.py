"""Turn the settings of a make command (`make train exp=exp002`) into the arguments of `python -m common`.

The Makefile runs this file as a script, also before anything is installed, so it uses only the standard library. Make
passes the names of the variables on its command line in KDS_GIVEN, its targets in KDS_GOALS, and each setting's value in
an environment variable of the setting's name.
"""

from __future__ import annotations

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # end without a traceback, also while importing

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING or __package__:
    from common.cli.targets import OPTIONS, SWITCHES, TARGETS
else:  # a script: common/ cannot be imported before anything is installed
    from targets import OPTIONS, SWITCHES, TARGETS


_OF_MAKE = ("PYTHON", "VENV")
_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
_ON, _OFF = ("1", "true", "yes"), ("0", "false", "no", "")


def settings(target: str) -> list[str]:
    """Return the names of the settings that a target takes; the most important ones come first."""
    known = TARGETS[target]
    return f"{known.argument} {known.takes} {known.before} {known.private}".split()


def words(target: str, given: Mapping[str, str]) -> list[str]:
    """Return the command line after `python -m` for a target with these settings.

    A value is always part of its option (--run=VALUE) or follows "--", so no value is taken for an option.
    SystemExit with a message of one line when a setting is missing or its value cannot be used.
    """
    known = TARGETS[target]
    for name in known.needs.split():
        if not given.get(name):
            choices = f" (one of {known.choices})" if known.choices else ""
            _stop(f"{name}= is missing{choices}; for example: make {target} {known.example}")

    def options(names: str) -> list[str]:
        return [word for name in names.split() for word in _option(name, given.get(name, ""))]

    argument = given.get(known.argument, "")
    before, after = (known.before, known.takes) if known.before else (known.takes, "")
    command = [known.module, target] if known.module == "common" else [known.module]
    return [*command, *options(before), *(["--", argument] if argument else []), *options(after)]


def _option(name: str, value: str) -> list[str]:
    if name in SWITCHES:
        if value.lower() not in _ON + _OFF:
            _stop(f"{name}={_shown(value)}: wanted {', '.join(_ON)} to switch it on, or 0, false, no.")
        return [f"--{name}"] if value.lower() in _ON else []
    if name == "args":
        try:
            return shlex.split(value)
        except ValueError:
            _stop(
                f"args={_shown(value)}: a quote is not closed, or a backslash is the last character; "
                "put a value with spaces in quotes: args=\"--model 'my models/kobart'\"."
            )
    return [f"--{OPTIONS.get(name, name)}={value}"] if value else []


def require_known(goals: Sequence[str], names: Sequence[str]) -> None:
    """Stop with a message of one line (SystemExit) when no goal takes one of the variables of make's command line."""
    goals = [goal for goal in goals if goal in TARGETS]
    taken = list(dict.fromkeys(name for goal in goals for name in settings(goal)))
    everything = sorted({name for target in TARGETS for name in settings(target)})
    listed = f"takes {' '.join(f'{name}=' for name in taken)}" if taken else "takes no settings"
    for name in names:
        if name in (*taken, *_OF_MAKE):
            continue
        unknown = name not in everything
        close = unknown and [m for some in (taken, everything) for m in _likely(name, some)]
        hint = f" Did you mean {close[0]}=?" if close else ""
        found = f"there is no setting {_shown(name)}=" if unknown else f"takes no {name}="
        _stop(f"make {' '.join(goals)}: {found}.{hint} It {listed}.")


def _require_target(name: str) -> None:
    if name not in TARGETS:
        close = _likely(name, TARGETS)
        hint = f" Did you mean make {close[0]}?" if close else ""
        _stop(f"there is no target {_shown(name)}.{hint} Run make to list all targets.")


def _require_environment() -> None:
    """Stop with a message of one line (SystemExit) when this Python cannot even start the command.

    `make doctor` does not set up anything, so it may run in a Python that is too old or has no packages.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 (make runs this file in any Python)
        version = sys.version.split()[0]
        sys.exit(
            _fitted(f"wrong: Python is {version}, wanted 3.11 or newer. Run: make PYTHON=python3.12 setup")
        )
    missing = [name for name in ("click", "annotated_types", "filelock") if find_spec(name) is None]
    if missing:
        sys.exit(_fitted(f"missing: {sys.executable} has no {', '.join(missing)}. Run: make setup"))


def _shown(value: str) -> str:
    """Return a value for a message: quoted when it has unusual characters, at most 60 characters."""
    text = value if len(value) <= 60 else value[:59] + "…"
    return text if text.isprintable() and text and " " not in text else repr(text)


def _stop(message: str) -> NoReturn:
    _find_common()
    from common.core.terminal import error_line

    sys.stderr.write(error_line(message) + "\n")
    sys.exit(2)


def _fitted(message: str) -> str:
    """Return the message in the user's language, with lines that fit the terminal behind stderr."""
    _find_common()
    from common.core.terminal import fitted

    return fitted(message, sys.stderr)


def _find_common() -> None:
    """Make `common.core` importable; this file may run before that package is installed."""
    if str(_ROOT) not in sys.path:
        sys.path.append(str(_ROOT))


def _beside(name: str) -> ModuleType:
    """Return a module of this folder. As common.cli.NAME it would import all commands, and the packages that they need."""
    _find_common()
    if str(_HERE) not in sys.path:
        sys.path.append(str(_HERE))
    return import_module(name)


def _require_encoding() -> None:
    """Choose English, without its arrows, where stdout has no Hangul (an old terminal, PYTHONIOENCODING=ascii)."""
    try:
        "한→…".encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        os.environ["KDS_LANG"] = "en"
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]


def _help(asked: Sequence[str], names: Sequence[str]) -> NoReturn:
    """Print the list of all targets, or the settings of each target that was asked for, and exit."""
    for goal in asked:
        _require_target(goal)
    require_known(asked or ["help"], names)
    _require_encoding()
    shown = _beside("make_help")
    lines = shown.read((_ROOT / "Makefile").read_text(encoding="utf-8"))
    if not asked:
        sys.stdout.write(shown.overview(lines))
    for number, goal in enumerate(asked):
        known = TARGETS[goal]
        text = shown.details(lines[goal], settings(goal), known.needs.split(), known.example)
        sys.stdout.write("\n" * bool(number) + text)
    sys.exit(0)


def _complete(line: str, breaks: str | None) -> None:
    """Print every completion of a command line that ends at the cursor, one in a line; see `common.cli.completion`."""
    completion, explained = _beside("completion"), _beside("make_help")
    takes = {target: settings(target) for target in TARGETS}
    known = completion.Known(
        Path.cwd(),
        _ROOT,
        takes,
        lambda target, name: (name in takes[target] and explained.setting(target, name).values) or (),
    )
    sys.stdout.writelines(f"{text}\n" for text in completion.completed(line, known, breaks))


def _print_completion(shell: str) -> None:
    """Print the script that makes a shell complete the command line of make."""
    scripts = _beside("completion")
    chosen = shell or Path(os.environ.get("SHELL", "")).name
    if chosen not in scripts.SHELLS:
        _stop(f"shell={_shown(chosen)}: wanted bash or zsh; for example: make completion shell=bash")
    sys.stdout.write(scripts.script(chosen, Path.cwd(), Path(__file__).resolve()))


def _likely(name: str, known: Iterable[str]) -> list[str]:
    _find_common()
    from common.core.mistyped import likely

    return likely(name, known)


def main() -> None:
    """Run the target that the argument names. Without an argument explain the goals (help), or check their settings."""
    names = os.environ.get("KDS_GIVEN", "").split()
    goals = os.environ.get("KDS_GOALS", "").split() or ["help"]
    blank = {"text": " "}  # an empty text is given too: it removes the note
    given = {name: os.environ.get(name, "") or blank.get(name, "") for name in names}
    if sys.argv[1:2] == [".complete"]:
        _complete(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
        return
    if sys.argv[1:2] == ["completion"]:
        _print_completion(given.get("shell", ""))
        return
    if len(sys.argv) > 1:
        _require_target(sys.argv[1])
        if sys.argv[1] == "doctor":
            _require_environment()
        for name in TARGETS[sys.argv[1]].private.split():
            if value := given.get(name):
                os.environ[f"KDS_{name.upper()}"] = value
                del os.environ[name]
        command = words(sys.argv[1], {n: v for n, v in given.items() if n in settings(sys.argv[1])})
        if command[0] == "common":  # which accepts signals again once it can end with one line
            signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        os.execv(sys.executable, [sys.executable, "-m", *command])
    if "help" in goals:
        _help([goal for goal in goals if goal != "help"], names)
    require_known(goals, names)
    for goal in goals:
        if goal in TARGETS:
            words(goal, given)


if __name__ == "__main__":
    main()
