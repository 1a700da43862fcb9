"""Split Korean summaries into sentences and cut them at a sentence boundary."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from common.core.errors import UserError
from common.data.dialogue import TAG

CLOSERS = "\"'”’)]」』》"

_QUOTED = re.compile(
    r"\"[^\"]*\"|“[^”]*”|‘[^’]*’|「[^」]*」|『[^』]*』|《[^》]*》|\([^()]*\)|(?<![A-Za-z0-9])'[^']*'(?![A-Za-z])"
)
_STOP = re.compile(rf"(?P<mark>[.?!。！？]+)[{re.escape(CLOSERS)}]*(?=(?P<gap>\s*)(?P<next>\S*))")
_ABBREVIATION = re.compile(
    r"(?:^|[^A-Za-z])(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Inc|Ltd|Co|Corp|No|vs|etc|Mt|Gen|Rep|Sen|[A-Za-z]|(?:[A-Za-z]\.)+[A-Za-z])$"
)
_QUOTING = re.compile(r"(?:이?라고|이?라는|이?라며|이?라면서|하고|하며|라던|고\b)")
_CLAUSE = re.compile(
    r"(?:(?<![0-9]),|(?:지만|으며|하며|되며|면서|는데|은데|인데|으나|니까|므로|[아어해여워와]서|려고|도록|거나|다가|자마자|으면|하면|다면|"
    r"(?<![다라냐자광창사중최참경신재보장])고(?!\s+(?:있|싶|계시|말))),?)(?=\s)"
)


def _sentence_ends(text: str) -> Iterator[int]:
    quoted = [match.span() for match in _QUOTED.finditer(text)]
    for match in _STOP.finditer(text):
        before, mark, following = text[: match.start()], match["mark"], match["next"]
        if any(start < match.start() and match.end() < end for start, end in quoted):
            continue
        if not following:
            continue
        # Without a following space, a stop ends a sentence only after a Korean predicate ("했다.그리고"), not in "3.5".
        if not match["gap"] and not (re.search(r"[다요죠까]$", before) and re.match(r"[가-힣#]", following)):
            continue
        if set(mark) == {"."} and (len(mark) > 1 or before[-1:].isdigit() or _ABBREVIATION.search(before)):
            continue
        if match.group().endswith(tuple(CLOSERS)) and _QUOTING.match(following):
            continue
        yield match.end()


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, [] when it is blank; joined with spaces they contain every word.

    A sentence ends at . ? or ! before a space (or directly before the next word after 다, 요, 죠, 까). It does not end
    after a digit ("3.5", "오후 3."), an abbreviation ("Mr.", "U.S.") or an ellipsis, inside quotes or brackets, or at a
    closing quote before 라고, 라며 and the like.
    """
    cuts = [0, *_sentence_ends(text), len(text)]
    parts = (text[start:end].strip() for start, end in pairwise(cuts))
    return [part for part in parts if part]


def _clause_or_word_cut(text: str, limit: int) -> int:
    """Return where to end a sentence that is too long.

    This is after a clause in the second half of the limit, else after a word, else (one very long word) at the limit,
    but never inside a tag.
    """
    window = text[: limit + 1]
    cut = 0
    for match in _CLAUSE.finditer(window):
        if limit // 2 <= match.end() <= limit:
            cut = match.end()
    if cut:
        return cut
    spaces = [match.start() for match in re.finditer(r"\s+", window) if match.start() > 0]
    if spaces:
        return spaces[-1]
    cut = limit
    while cut > 1 and unicodedata.combining(text[cut]):
        cut -= 1
    for tag in TAG.finditer(text):
        if tag.start() < cut < tag.end():
            return tag.start() or tag.end()
    return cut


def limit_length(text: str, max_characters: int) -> str:
    """Return the text in NFC, unchanged if it has at most `max_characters`, else as many whole sentences as fit.

    If not even the first sentence fits, the text ends after a clause (a comma, or -고, -지만, …, if that keeps half of
    the limit), else after a word. The result is never empty for a text with words and never ends inside a tag. It
    exceeds the limit only if the text begins with a tag that is longer than the limit.
    Raises UserError when max_characters is below 1.
    """
    if max_characters < 1:
        raise UserError(f"limit_length: max_characters is {max_characters}; it must be 1 or more.")
    text = unicodedata.normalize("NFC", text)
    if len(text) <= max_characters:
        return text
    text = text.strip() or text[:1]
    if len(text) <= max_characters:
        return text
    whole = max((end for end in _sentence_ends(text) if end <= max_characters), default=0)
    cut = whole or _clause_or_word_cut(text, max_characters)
    return text[:cut].rstrip().rstrip(",") or text[:cut].rstrip()
