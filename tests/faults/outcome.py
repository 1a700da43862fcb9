"""Judge how a command ended."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Kind = Literal["ok", "traceback", "hang", "wrong", "torn", "unclear", "skipped"]
KINDS: tuple[Kind, ...] = ("ok", "traceback", "hang", "wrong", "torn", "unclear", "skipped")
LONGEST_MESSAGE = 500
_ERROR = re.compile(r"(?m)^(?:[\w./]+: )?[eE]rror: |\*\*\* .*(?:Stop\.|$)")


@dataclass(frozen=True)
class Outcome:
    """The result of one try."""

    kind: Kind
    """wrong: another result, and nothing says so; torn: incomplete or left-over files; unclear: a refusal without one
    clear line, or a repair that nothing tells."""
    detail: str = ""
    kills: int = 0
    """Number of kills or signals that reached a running command."""


@dataclass(frozen=True)
class Ended:
    """A command that ended."""

    code: int | None
    """Exit code, negative for the signal that ended it; None when it had to be stopped after the time limit."""
    stdout: str
    stderr: str
    seconds: float

    def tail(self) -> str:
        """Return the end of what it wrote, on one line of at most 300 characters."""
        text = " | ".join(line.strip() for line in (self.stderr or self.stdout).splitlines() if line.strip())
        return text[-300:]


def fault(ended: Ended) -> Outcome | None:
    """Return a hang or a traceback; None when there is neither."""
    if ended.code is None:
        return Outcome("hang", f"no end after {ended.seconds:.0f} s: {ended.tail()}")
    if "Traceback (most recent call last)" in ended.stderr + ended.stdout:
        return Outcome("traceback", ended.tail())
    return None


def success(ended: Ended) -> Outcome | None:
    """Return what went wrong in a command that should have succeeded; None for exit code 0."""
    if found := fault(ended):
        return found
    return None if ended.code == 0 else Outcome("unclear", f"exit code {ended.code}: {ended.tail()}")


def message_fault(stderr: str) -> str:
    """Return what is wrong with the error message on stderr; "" for one clear line.

    Further lines may follow when they are indented, as in the list of all settings, or name a command or an option.
    """
    begins = list(_ERROR.finditer(stderr))
    if len(begins) != 1:
        return f"{len(begins)} error messages, wanted 1"
    line, *more = [text for text in stderr[begins[0].start() :].splitlines() if text.strip()]
    if len(line) >= LONGEST_MESSAGE:
        return f"a message of {len(line)} characters"
    if not all(letter.isprintable() for letter in line):
        return f"unprintable characters in the message: {line[:80]!r}"
    if others := [text for text in more if not (text.startswith(" ") or "make" in text or "--" in text)]:
        return f"more than one line: {others[0][:80]}"
    return ""


def refusal(ended: Ended, codes: Collection[int] = (1, 2), names: Collection[str] = ()) -> Outcome:
    """Judge a command that should have been refused: exit code in `codes`, one clear line, which names one of `names`."""
    if found := fault(ended):
        return found
    if ended.code == 0:
        return Outcome("wrong", f"accepted: {ended.tail()}")
    if ended.code not in codes:
        return Outcome("unclear", f"exit code {ended.code}: {ended.tail()}")
    if problem := message_fault(ended.stderr):
        return Outcome("unclear", f"{problem}: {ended.tail()}")
    if names and not any(name in ended.stderr for name in names):
        return Outcome("unclear", f"the message does not name {sorted(names)[0]}: {ended.tail()}")
    return Outcome("ok", ended.tail())
