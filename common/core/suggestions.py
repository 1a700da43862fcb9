"""Find the settings that a mistyped name most likely means."""

import difflib
import re
from collections.abc import Collection, Iterator

MOST = 3
"""Most names that a message suggests."""
_LONGEST = 60
"""Most characters of a mistyped name that are compared; comparing takes quadratic time."""
_SIMILAR = 0.6
_ABBREVIATION = 2
"""Least length of an abbreviation such as lr."""
_MARGIN = 3
"""Difference of kinds beyond which a name is not worth suggesting beside a better one."""
_UNLIKE = 7.0


def nearest(name: str, known: Collection[str]) -> list[str]:
    """Return at most MOST of the dotted names that are most like a mistyped one, the most similar first.

    The kinds of likeness, in this order: the same without dots, hyphens and case; the name of a group; swapped letters or one
    wrong letter in five; a beginning or an end; the initials (lr for learning_rate); a shared word; any other misspelling.
    """
    wanted = _plain(name[:_LONGEST])
    if not wanted:
        return []
    ranked = sorted((_rank(wanted, key), place, key) for place, key in enumerate(known))
    best = ranked[0][0] if ranked else _UNLIKE
    last = min(int(best) + _MARGIN + 1, _UNLIKE) if best else 0.1
    return [key for rank, _, key in ranked if rank < last][:MOST]


def _rank(wanted: str, key: str) -> float:
    """Return how unlike a dotted name is, 0 to _UNLIKE: the number of its kind of likeness, plus the share of other letters."""
    return min(_ranks(wanted, _plain(key), [_plain(part) for part in key.split(".")]))


def _ranks(wanted: str, whole: str, parts: list[str]) -> Iterator[float]:
    last = parts[-1]
    words, own = set(last.split("_")), set(wanted.split("_"))
    similarity = max(difflib.SequenceMatcher(None, wanted, text).ratio() for text in (last, whole))
    rest = 0.99 * (1 - similarity)
    yield 0 if whole == wanted or last == wanted else _UNLIKE
    yield 1 if wanted in parts[:-1] else _UNLIKE
    swapped = sorted(wanted) in (sorted(last), sorted(whole))
    yield 2 if swapped else 2 + rest if similarity >= 0.8 else _UNLIKE
    long = len(wanted) > _ABBREVIATION
    ends = last.startswith(wanted) or last.endswith(wanted) or wanted.endswith(f"_{last}")
    yield 3 + rest if long and ends else _UNLIKE
    initials = "".join(word[:1] for word in last.split("_"))
    yield 4 + rest if len(wanted) >= _ABBREVIATION and wanted == initials else _UNLIKE
    yield 5 + rest if {word for word in own & words if len(word) > _ABBREVIATION} else _UNLIKE
    yield 6 + rest if similarity >= _SIMILAR else _UNLIKE


def _plain(name: str) -> str:
    return re.sub(r"[-.\s_]+", "_", name.casefold()).strip("_")
