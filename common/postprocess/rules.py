"""Post-processing: named, ordered, pure text rules that fix what a model wrote and leave good text unchanged."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

from common.core.errors import UserError
from common.data.dialogue import TAG, repair_tags, visible
from common.runs.candidates import Candidate

Rule = Callable[[str], str]


@dataclass(frozen=True)
class PostprocessConfig:
    """The rules that run on a prediction, and their bounds."""

    rules: tuple[str, ...] = ("nfc", "tag_repair", "whitespace", "remove_repetition", "limit_length")
    """Names of `RULES`, applied from left to right."""
    repetition_words: int = 3
    """A span of at least this many words that directly follows itself is a repetition; at least 1."""
    max_characters: int = 300
    """Longer text is cut to whole sentences within this length; at least 1. 95 % of real summaries are under 144."""
    min_characters: int = 0
    """The prediction is the first candidate of at least this length after the rules, else the longest; 0: the first."""


_BOUNDS = ("repetition_words", "max_characters")
"""Settings of rules. `min_characters` is not one of them, because it selects among candidates."""


# --- characters and spaces ---


def nfc(text: str) -> str:
    """Return the text in Unicode NFC, without invisible characters (zero-width, BOM, control)."""
    return visible(text)


def whitespace(text: str) -> str:
    """Return the text on one line: single spaces, none at the ends and none before . , ? !

    "3 .5" and " .NET" stay.
    """
    text = " ".join(text.split())
    return re.sub(r" +(?=[.,?!]+(?:[^.,?!0-9A-Za-z]|$))", "", text)


# --- speaker tags ---

_CASE = "에게서|에게|에서|에|께서|께|한테서|한테|으로부터|로부터|으로서|로서|으로써|로써|으로|로|부터|까지|이랑|랑|처럼|마저|조차"
_PARTICLE = re.compile(
    rf"(?P<tag>{TAG.pattern})\s+"
    rf"(?P<particle>(?:{_CASE})(?:는|도|만|의)?|은|는|을|를|과의|와의|과는|와는|과도|와도|과|와|이|가|의|도|만)"
    r"(?P<rest>(?=[\s.,?!)\]\"'’”…:;]|$)\s*(?P<next>\S*))"
)
# A predicate in plain form ("늦었다", "온다", "없다") has ㄴ, ㅄ or ㅆ at the end of its second-last syllable; a noun
# such as "바다" does not.
_FINAL_CONSONANTS = frozenset({4, 18, 20})


def _is_predicate(word: str) -> bool:
    word = word.rstrip(".?!…\"'”’")
    return (
        len(word) >= 2
        and word[-1] == "다"
        and "가" <= word[-2] <= "힣"
        and (ord(word[-2]) - 0xAC00) % 28 in _FINAL_CONSONANTS
    )


_NUMERAL_OR_UNIT = re.compile(
    r"[0-9]|(?:한|두|세|네|다섯|여섯|일곱|여덟|아홉|열|스무|스물|서른|마흔|쉰|[일이삼사오육칠팔구십백천]+)"
    r"(?:살|세|명|개|년|달|번|시간|가지|원|달러)|(?:원|명|개|년|살|세|번|달러|시간|이틀|사흘|나흘|하루)(?:\W|$|[이가을를은는의도만에])"
)
_KEEP_APART: Mapping[str, Callable[[str], bool]] = {
    "이": lambda word: not (TAG.match(word) or _is_predicate(word)),
    "가": lambda word: not word,
    "의": lambda word: not word,
    "도": lambda word: not word or re.match(r"[0-9]|단위|차원|교육청|의회|대표", word) is not None,
    "만": lambda word: not word or _NUMERAL_OR_UNIT.match(word) is not None,
    "은": lambda word: re.match(r"반지|목걸이|귀걸이|팔찌|메달|수저|숟가락|젓가락|식기", word) is not None,
}
"""Particles that are also words ("이 문제", "만 20세", "은 반지") → test of the next word: true keeps the particle apart."""


def _attach(match: re.Match[str]) -> str:
    keep_apart = _KEEP_APART.get(match["particle"])
    if keep_apart and keep_apart(match["next"]):
        return match[0]
    return match["tag"] + match["particle"] + match["rest"]


def tag_repair(text: str) -> str:
    """Return the text with complete tags and the particle joined to them: "# Person1 # 은" → "#Person1#은".

    Tags are repaired as `dialogue.repair_tags` does, and never invented. A particle is joined only when it stands
    alone as a word. 이 also means "this": it is joined before another tag or a plain predicate ("#Person1# 이 늦었다"),
    and kept apart before anything else ("#Person1# 이 문제를", "#Person1# 이 문제를 제기했다": both readings are possible). 가 and
    의 are kept apart at the end of the text; 도 and 만 there and before a number or unit ("만 20세"); 은 before things made
    of silver ("은 반지").
    """
    repaired = repair_tags(text)
    while True:
        joined = _PARTICLE.sub(_attach, repaired)
        if joined == repaired:
            return joined
        repaired = joined


# --- repetition ---

_WORD = re.compile(r"\S+\s*")
_CLOSERS = "\"'”’)]」』》"
_SHORT_LOOP = 4


def _key(word: str) -> str:
    return word.strip().rstrip(".,?!…" + _CLOSERS) or word.strip()


def _ends_sentence(word: str) -> bool:
    return word.strip().rstrip(_CLOSERS).endswith((".", "?", "!"))


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


# --- length ---

_QUOTED = re.compile(
    r"\"[^\"]*\"|“[^”]*”|‘[^’]*’|「[^」]*」|『[^』]*』|《[^》]*》|\([^()]*\)|(?<![A-Za-z0-9])'[^']*'(?![A-Za-z])"
)
_STOP = re.compile(rf"(?P<mark>[.?!。！？]+)[{re.escape(_CLOSERS)}]*(?=(?P<gap>\s*)(?P<next>\S*))")
_ABBREVIATION = re.compile(
    r"(?:^|[^A-Za-z])(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Inc|Ltd|Co|Corp|No|vs|etc|Mt|Gen|Rep|Sen|[A-Za-z]|(?:[A-Za-z]\.)+[A-Za-z])$"
)
_QUOTING = re.compile(r"(?:이?라고|이?라는|이?라며|이?라면서|하고|하며|라던|고\b)")


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
        if match.group().endswith(tuple(_CLOSERS)) and _QUOTING.match(following):
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


_CLAUSE = re.compile(
    r"(?:(?<![0-9]),|(?:지만|으며|하며|되며|면서|는데|은데|인데|으나|니까|므로|[아어해여워와]서|려고|도록|거나|다가|자마자|으면|하면|다면|"
    r"(?<![다라냐자광창사중최참경신재보장])고(?!\s+(?:있|싶|계시|말))),?)(?=\s)"
)


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


# --- by name ---

RULES: Mapping[str, Callable[[PostprocessConfig], Rule]] = {
    "nfc": lambda config: nfc,
    "whitespace": lambda config: whitespace,
    "tag_repair": lambda config: tag_repair,
    "remove_repetition": lambda config: lambda text: remove_repetition(text, config.repetition_words),
    "limit_length": lambda config: lambda text: limit_length(text, config.max_characters),
}
"""Every rule by name, with the settings that it takes from the config."""


def pipeline(names: Sequence[str], **settings: Any) -> Rule:
    """Return one rule that applies the named rules in this order; `settings` are the bounds of `PostprocessConfig`.

    Raises UserError for an unknown rule, an unknown setting or a bound below 1.
    """
    if unknown := sorted(set(settings) - set(_BOUNDS)):
        raise UserError(
            f"postprocess: unknown setting {', '.join(unknown)}; choose from {', '.join(_BOUNDS)}."
        )
    if unknown := [name for name in names if name not in RULES]:
        raise UserError(
            f"postprocess: unknown rule {', '.join(unknown)}; choose from {', '.join(sorted(RULES))}."
        )
    config = PostprocessConfig(rules=tuple(names), **settings)
    for name in _BOUNDS:
        if getattr(config, name) < 1:
            raise UserError(f"postprocess: {name} is {getattr(config, name)}; it must be 1 or more.")
    chosen = [RULES[name](config) for name in config.rules]

    def run(text: str) -> str:
        for rule in chosen:
            text = rule(text)
        return text

    return run


def get_rule(config: PostprocessConfig) -> Rule:
    """Return the config's rules as one rule. Raises UserError as `pipeline` does."""
    return pipeline(config.rules, **{name: getattr(config, name) for name in _BOUNDS})


def apply(config: PostprocessConfig, text: str) -> str:
    """Return the text after the config's rules. Raises UserError as `pipeline` does."""
    return get_rule(config)(text)


def prediction(config: PostprocessConfig, texts: Sequence[str]) -> str:
    """Return the predicted text of a dialogue from its candidate texts, best first, after the config's rules.

    Raises UserError as `pipeline` does, and when `min_characters` is below 0 or above the maximum of `limit_length`.
    """
    least = config.min_characters
    if least < 0 or ("limit_length" in config.rules and least > config.max_characters):
        raise UserError(
            f"postprocess: min_characters is {least}; wanted 0 to max_characters ({config.max_characters})."
        )
    return long_enough(list(map(get_rule(config), texts if least else texts[:1])), least)


def best_texts(config: PostprocessConfig, candidates: Mapping[str, Sequence[Candidate]]) -> dict[str, str]:
    """Return the predicted text of every id, post-processed. Raises UserError as `prediction` does."""
    return {name: prediction(config, [one.text for one in group]) for name, group in candidates.items()}


def long_enough(texts: Sequence[str], least: int) -> str:
    """Return the first text of at least this many characters, else the longest (the first one on a tie)."""
    return next((text for text in texts if len(text) >= least), max(texts, key=len))


def recorded(settings: Mapping[str, Any]) -> PostprocessConfig:
    """Return the config that a run folder recorded as `postprocess.…` settings.

    A setting missing in the record did not exist when the run was made, and gets its default.
    """
    found = {name.removeprefix("postprocess."): value for name, value in settings.items()}
    known = {field.name: found[field.name] for field in fields(PostprocessConfig) if field.name in found}
    return PostprocessConfig(**known | {"rules": tuple(found["rules"])})


def apply_recorded(settings: Mapping[str, Any]) -> Rule:
    """Return the rules that a run folder recorded as `postprocess.…` settings. Raises UserError as `pipeline` does."""
    return get_rule(recorded(settings))
