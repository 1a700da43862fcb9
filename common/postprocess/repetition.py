"""Remove repeated words, phrases and sentences from a summary."""

import re
from collections.abc import Iterator, Sequence

from common.core.errors import UserError
from common.postprocess.sentences import CLOSERS

_WORD = re.compile(r"\S+\s*")
_SHORT_LOOP = 4


def _key(word: str) -> str:
    return word.strip().rstrip(".,?!…" + CLOSERS) or word.strip()


def _ends_sentence(word: str) -> bool:
    return word.strip().rstrip(CLOSERS).endswith((".", "?", "!"))


def _runs(keys: Sequence[str], span: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of every stretch of at least two copies, where each word recurs `span` words later."""
    matched = 0
    for index in range(span, len(keys) + 1):
        if index < len(keys) and keys[index] == keys[index - span]:
            matched += 1
            continue
        if matched >= span:
            yield index - span - matched, index
        matched = 0


def _find_repetition(words: Sequence[str], keys: Sequence[str], n: int) -> tuple[int, int, int] | None:
    """Return start, length and number of copies of the next repetition to remove, or None."""
    # Try the shortest span first, so that a loop becomes one copy, and sentences last, so that no longer loop is split.
    for span in range(1, len(keys) // 2 + 1):
        for start, end in _runs(keys, span):
            copies = (end - start) // span
            if span >= n or copies >= _SHORT_LOOP:
                return start, span, copies
    starts = [index == 0 or _ends_sentence(words[index - 1]) for index in range(len(words) + 1)]
    for span in range(1, min(n, len(keys) // 2 + 1)):
        for start, end in _runs(keys, span):
            for first in range(start, end - 2 * span + 1):
                if starts[first] and starts[first + span] and _ends_sentence(words[first + 2 * span - 1]):
                    return first, span, 2
    return None


def remove_repetition(text: str, n: int = 3) -> str:
    """Return the text with every repetition reduced to one copy.

    A repetition is a span of `n` or more words, or a sentence, that directly follows itself, or a shorter span that
    occurs at least four times in a row. Words are compared without the punctuation after them, and the punctuation of
    the last copy is kept. If the text ends in the middle of a loop, the unfinished copy is removed too. Nothing else
    changes, so words are only removed.
    Raises UserError when n is below 1.
    """
    if n < 1:
        raise UserError(f"remove_repetition: repetition_words is {n}; it must be 1 or more.")
    words = _WORD.findall(text)
    keys = [_key(word) for word in words]
    changed = False
    while found := _find_repetition(words, keys, n):
        start, span, copies = found
        end = start + span * copies
        rest = keys[end:]
        if copies > 2 and len(rest) < span and rest == keys[start : start + len(rest)]:
            del words[end:], keys[end:]
        last = words[end - 1]
        del words[start + span : end], keys[start + span : end]
        words[start + span - 1] = last
        changed = True
    if not changed:
        return text
    lead = text[: len(text) - len(text.lstrip())]
    return lead + "".join(words).rstrip()
