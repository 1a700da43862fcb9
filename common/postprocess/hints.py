"""Count what costs score in predictions and name the rule that repairs it, before anyone trains another model."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

from common.data.dialogue import visible
from common.data.repairs import ESCAPED, HTML, odd_tag
from common.postprocess.tags import parted_particle


def _decomposed(text: str) -> str | None:
    return None if unicodedata.is_normalized("NFC", text) else ""


def _invisible(text: str) -> str | None:
    return None if text.isascii() or visible(text) == unicodedata.normalize("NFC", text) else ""


def _lines(text: str) -> str | None:
    return "" if len(text.strip().splitlines()) > 1 else None


def _escaped(text: str) -> str | None:
    match = ESCAPED.search(text) or HTML.search(text)
    return match[0] if match else None


_KINDS: Mapping[str, tuple[Callable[[str], str | None], str]] = {
    "not in Unicode NFC": (_decomposed, "scored and submitted in NFC; the rule nfc changes the file too"),
    "with invisible characters": (_invisible, "the rule nfc removes them"),
    "with a tag in another form": (odd_tag, "the rule tag_repair repairs it"),
    "with a space between a tag and its particle": (parted_particle, "the rule tag_repair joins them"),
    "with several lines": (_lines, "the rule whitespace joins them"),
    "with escaped characters or HTML": (_escaped, "no rule changes them: fix what wrote the file"),
}
"""Kind → a function that returns the first example in a text ("" for one that cannot be shown), or None; and the remedy."""


def hints(predictions: Mapping[str, str], references: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """Return one line for each kind of oddity in the predictions: how many have it, the first id, and what repairs it.

    With references, a line also says how many of them cannot match because they are not in NFC.
    """
    found = []
    for kind, (example_in, remedy) in _KINDS.items():
        hits = [
            (name, example) for name, text in predictions.items() if (example := example_in(text)) is not None
        ]
        if hits:
            name, example = hits[0]
            first = f"{example[:40]!r} in {name[:40]!r}" if example else f"first {name[:40]!r}"
            found.append(f"{len(hits)} of {len(predictions)} predictions {kind} ({first}): {remedy}.")
    odd = [text for text in chain.from_iterable((references or {}).values()) if _decomposed(text) is not None]
    if odd:
        found.append(
            f"{len(odd)} reference summaries are not in Unicode NFC, so predictions cannot match them: convert the file "
            "(uconv -x any-nfc) or get it again."
        )
    return found
