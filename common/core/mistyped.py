"""Find the name that a mistyped one most likely means (standard library only: make.py uses this before setup)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable


def likely(name: str, known: Iterable[str], *, last: Collection[str] = ()) -> list[str]:
    """Return the known names that a mistyped one may mean, best first; [] when none is similar.

    Names with the same numbers come first: exp1 means exp001. Then names that begin with what was typed are the only
    suggestions when there are some. A name that differs in digits alone is another name: exp009 does not mean exp001.
    Case is ignored. Names in `last` come last.
    """
    names = list(dict.fromkeys(known))
    typed = name.casefold()
    same = [one for one in names if _without_zeros(one.casefold()) == _without_zeros(typed)]
    begins = [one for one in names if typed and one.casefold().startswith(typed) and one not in same]
    folded = {one.casefold(): one for one in reversed(names) if not _other_digits(typed, one.casefold())}
    similar = [*same, *begins] or [
        folded[one] for one in difflib.get_close_matches(typed, folded, len(folded) or 1)
    ]
    return sorted(similar, key=lambda one: one in last)


def _without_zeros(name: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", name)


def _other_digits(name: str, known: str) -> bool:
    """Return whether two different names are equal except for their digits, such as exp009 and exp001."""
    return name != known and re.sub(r"\d", "0", name) == re.sub(r"\d", "0", known)


def did_you_mean(name: str, known: Iterable[str], *, last: Collection[str] = ()) -> str:
    """Return " Did you mean NAME?" with the best suggestion, as the end of a message; "" when no name is similar."""
    found = likely(name, known, last=last)
    return f" Did you mean {found[0]}?" if found else ""
