"""Find the name that a mistyped one most likely means (standard library only: make.py uses this before setup)."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable


def likely(name: str, known: Iterable[str], *, last: Collection[str] = ()) -> list[str]:
    """Return the known names that a mistyped one may mean, best first; [] when none is similar.

    Names that begin with what was typed are the only suggestions when there are some. Case is ignored. Names in `last`
    come last.
    """
    names = list(dict.fromkeys(known))
    typed = name.casefold()
    begins = [one for one in names if typed and one.casefold().startswith(typed)]
    folded = {one.casefold(): one for one in reversed(names)}
    similar = begins or [folded[one] for one in difflib.get_close_matches(typed, folded, len(folded) or 1)]
    return sorted(similar, key=lambda one: one in last)


def did_you_mean(name: str, known: Iterable[str], *, last: Collection[str] = ()) -> str:
    """Return " Did you mean NAME?" with the best suggestion, as the end of a message; "" when no name is similar."""
    found = likely(name, known, last=last)
    return f" Did you mean {found[0]}?" if found else ""
