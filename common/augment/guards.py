"""Check the products of every method: pure functions that return "" or "reason: what was found"."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le

from common.augment.products import Product, exchange, speakers, spoken
from common.core.ranges import Share
from common.data import near_copies
from common.data.dialogue import TAG, Turn, clean, parse
from common.data.near_copies import CopyIndex, grams
from common.data.rows import Row

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_BARE = re.compile(
    r"person\s*[0-9]|phone\s?number|date\s?of\s?birth|passport\s?number|card\s?number|person\s?name|car\s?number",
    re.IGNORECASE,
)
_LOOP = re.compile(r"(.{2,30}?)\1{3,}|(.)\2{11,}", re.DOTALL)
_HANGUL = re.compile("[가-힣ㄱ-ㆎ]")  # "ㅋㅋ" is Korean too
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class GuardConfig:
    """Limits for a product compared with its parent; the competition sets the limit for dev, test and other folds."""

    lowest_similarity: Share = 0.05
    """Minimum similarity to the parent (`near_copies.similarity`), 0 to 1; below it the product tells another story."""
    highest_similarity: Share = 0.95
    """Maximum similarity to the parent, 0 to 1; above it the product is a copy."""
    lowest_rouge: Share = 0.3
    """Minimum ROUGE-L F1 against the parent on morphemes (whitespace words in other languages), 0 to 1."""
    shortest: Annotated[float, Ge(0), Le(100)] = 0.5
    """Minimum length in characters, relative to the parent's."""
    longest: Annotated[float, Gt(0), Le(100)] = 2.0
    """Maximum length in characters, relative to the parent's."""
    hangul_loss: Share = 0.1
    """Maximum drop, from the parent, of the share of Hangul among the letters, 0 to 1."""
    duplicate: Share = 0.9
    """Similarity from which the second of two new rows is rejected, 0 to 1."""


@dataclass(frozen=True)
class Case:
    """A product, its parent, and how similar they are."""

    parent: Row
    """The parent with cleaned texts."""
    product: Product
    similarity: float
    """Similarity of the dialogues, in [0, 1]: `near_copies.similarity`."""
    rouge: float
    """ROUGE-L F1 of the dialogues' words without speaker prefixes, in [0, 1]."""


Guard = Callable[[Case, GuardConfig], str]


def cases(parents: list[Row], products: list[Product], *, morphemes: bool) -> list[Case]:
    """Return each product with its parent, texts cleaned, similarity and ROUGE computed; `morphemes` for Korean.

    Raises UserError as `rouge.corpus` does.
    """
    clean_parents = [Row(p.id, clean(p.dialogue), tuple(map(clean, p.summaries)), p.topic) for p in parents]
    clean_products = [
        Product(clean(p.dialogue), tuple(map(clean, p.summaries)), p.removed, p.exchanged) for p in products
    ]
    if not products:
        return []
    from common.rouge import corpus  # with numpy, without which many commands start

    scores = corpus(
        [spoken(product.dialogue) for product in clean_products],
        [[spoken(parent.dialogue)] for parent in clean_parents],
        "korouge",
        tokenizer="mecab" if morphemes else None,
    ).per_example["rougeL"]
    return [
        Case(
            parent,
            product,
            near_copies.similarity(grams(parent.dialogue), grams(product.dialogue)),
            float(score),
        )
        for parent, product, score in zip(clean_parents, clean_products, scores, strict=True)
    ]


def problem(case: Case, config: GuardConfig) -> str:
    """Return the reason of the first guard that rejects the product, "" if none does."""
    return next((reason for guard in GUARDS if (reason := guard(case, config))), "")


def blank(case: Case, _: GuardConfig) -> str:
    """Reject an empty dialogue, an empty summary, and turns that lost all their words."""
    if not case.product.dialogue.strip():
        return "blank: the dialogue is empty"
    if not case.product.summaries or not all(text.strip() for text in case.product.summaries):
        return "blank: a summary is empty"
    had = sum(not turn.text for turn in parse(case.parent.dialogue))
    has = sum(not turn.text for turn in parse(case.product.dialogue))
    return f"blank: {has} turns without words, {had} in the parent" if has > had else ""


def dialogue_tags(case: Case, _: GuardConfig) -> str:
    """Reject a dialogue whose tags differ from the parent's beyond the declared changes."""
    wanted = case.product.expected(case.parent.dialogue)
    wanted.subtract(case.product.removed)
    return _difference("tags", wanted, Counter(TAG.findall(case.product.dialogue)))


def summary_tags(case: Case, _: GuardConfig) -> str:
    """Reject a summary whose tags differ from the parent's, and another number of summaries."""
    if len(case.product.summaries) != len(case.parent.summaries):
        return f"summary_tags: {len(case.product.summaries)} summaries, {len(case.parent.summaries)} wanted"
    for before, after in zip(case.parent.summaries, case.product.summaries, strict=True):
        if reason := _difference("summary_tags", case.product.expected(before), Counter(TAG.findall(after))):
            return reason
    return ""


def _difference(name: str, wanted: Counter[str], found: Counter[str]) -> str:
    kinds = sorted(tag for tag in {*wanted, *found} if wanted[tag] != found[tag])
    return f"{name}: {kinds[0]} {found[kinds[0]]} times, wanted {wanted[kinds[0]]}" if kinds else ""


def broken_tags(case: Case, _: GuardConfig) -> str:
    """Reject remains of a tag: a text has more "#" or tag names outside tags than the parent's."""
    for before, after in _texts(case):
        rest_before, rest_after = TAG.sub(" ", before), TAG.sub(" ", after)
        for what, count in (("#", _hashes), ("the name of a tag", _names)):
            if count(rest_after) > count(rest_before):
                return f"broken_tag: {what} outside a tag"
    return ""


def _hashes(text: str) -> int:
    return sum(text.count(sign) for sign in "#＃")


def _names(text: str) -> int:
    return len(_BARE.findall(text))


def turns(case: Case, _: GuardConfig) -> str:
    """Reject a dialogue whose number of turns or order of speakers differs from the parent's beyond the declared changes."""
    before = parse(exchange(case.parent.dialogue) if case.product.exchanged else case.parent.dialogue)
    after = parse(case.product.dialogue)
    wanted = len(before) - len(case.product.removed)
    if len(after) != wanted:
        return f"turns: {len(after)}, wanted {wanted}"
    if not _speak_in_order(before, after):
        return "turns: the speakers come in another order"
    return ""


def _speak_in_order(before: tuple[Turn, ...], after: tuple[Turn, ...]) -> bool:
    """Return whether the speakers of `after` are a subsequence of those of `before`."""
    queue = iter(speakers(before))
    return all(speaker in queue for speaker in speakers(after))


def length(case: Case, config: GuardConfig) -> str:
    """Reject a text that is much shorter or longer than the parent's."""
    for place, (before, after) in enumerate(_texts(case)):
        ratio = len(after) / max(1, len(before))
        if not config.shortest <= ratio <= config.longest:
            return f"{'summary_length' if place else 'length'}: {ratio:.2f} of the parent's"
    return ""


def hangul(case: Case, config: GuardConfig) -> str:
    """Reject a text that switched to another language: its share of Hangul is much lower than the parent's."""
    pairs = _texts(case)
    pairs[0] = (spoken(case.parent.dialogue), spoken(case.product.dialogue))
    for before, after in pairs:
        was, now = hangul_share(before), hangul_share(after)
        if now < was - config.hangul_loss:
            return f"hangul: {now:.0%} of the letters, {was:.0%} in the parent"
    return ""


def hangul_share(text: str) -> float:
    """Return the share of Hangul among the letters outside tags, in [0, 1]; 1.0 for a text without letters."""
    letters = [letter for letter in TAG.sub(" ", text) if letter.isalpha()]
    return sum(bool(_HANGUL.match(letter)) for letter in letters) / len(letters) if letters else 1.0


def script(case: Case, _: GuardConfig) -> str:
    """Reject broken characters, and scripts other than Hangul and Latin that the parent's texts do not contain."""
    known = set().union(*(_scripts(before) for before, _ in _texts(case))) | {"HANGUL", "LATIN"}
    new = sorted(set().union(*(_scripts(after) for _, after in _texts(case))) - known)
    return f"script: {new[0].lower()} letters" if new else ""


def _scripts(text: str) -> set[str]:
    """Return the first words of the letters' Unicode names: HANGUL, LATIN, CJK, CYRILLIC …; REPLACEMENT for U+FFFD."""
    return {
        unicodedata.name(letter, "UNNAMED").split()[0]
        for letter in set(text)
        if letter.isalpha() or letter == "\ufffd"
    }


def repetition(case: Case, _: GuardConfig) -> str:
    """Reject a text that repeats a phrase four times in a row (a character twelve times) if the parent's does not."""
    for before, after in _texts(case):
        if _LOOP.search(after) and not _LOOP.search(before):
            return "repetition: a phrase four times in a row"
    return ""


def numbers(case: Case, _: GuardConfig) -> str:
    """Reject a summary whose numbers (times, prices, floors, …) differ from the parent's."""
    for before, after in zip(case.parent.summaries, case.product.summaries, strict=True):
        wanted, found = (Counter(_NUMBER.findall(TAG.sub(" ", text))) for text in (before, after))
        if reason := _difference("summary_numbers", wanted, found):
            return reason
    return ""


def unchanged(case: Case, config: GuardConfig) -> str:
    """Reject a product equal to its parent, or with an almost unchanged dialogue."""
    same = [before == after for before, after in _texts(case)]
    if all(same):
        return "copy: nothing was changed"
    if not same[0] and case.similarity > config.highest_similarity:
        return f"copy: similarity {case.similarity:.3f}"
    return ""


def other_story(case: Case, config: GuardConfig) -> str:
    """Reject a dialogue that shares too few letters or words with the parent's, and so tells another story."""
    if case.similarity < config.lowest_similarity:
        return f"other_story: similarity {case.similarity:.3f}"
    return f"other_story: ROUGE-L {case.rouge:.3f}" if case.rouge < config.lowest_rouge else ""


def _texts(case: Case) -> list[tuple[str, str]]:
    """Return the dialogues and the summaries as (parent's, product's) pairs."""
    summaries = zip(case.parent.summaries, case.product.summaries, strict=True)
    return [(case.parent.dialogue, case.product.dialogue), *summaries]


GUARDS: tuple[Guard, ...] = (
    blank, summary_tags, dialogue_tags, broken_tags, turns, length, hangul, script, repetition, numbers, unchanged,
    other_story,
)  # fmt: skip
"""The guards in their order: summary_tags, which checks the number of summaries, precedes those that pair them."""


def near_forbidden(dialogue: str, forbidden: CopyIndex, near_copy: float) -> str:
    """Reject a near-copy of a dialogue of dev or test; `near_copy` is the competition's threshold."""
    nearest = float(forbidden.similarities(grams(dialogue)).max(initial=0.0))
    return f"near_dev_or_test: similarity {nearest:.3f}" if nearest >= near_copy else ""


def other_fold(
    dialogue: str, fold: int, train: CopyIndex, folds: "npt.NDArray[np.int64]", near_copy: float
) -> str:
    """Reject a near-copy of a train row outside the parent's fold; `folds` holds the fold of every train row."""
    elsewhere = train.similarities(grams(dialogue))[folds != fold]
    nearest = float(elsewhere.max(initial=0.0))
    return f"other_fold: similarity {nearest:.3f}" if nearest >= near_copy else ""


class Duplicates:
    """The accepted dialogues, to find duplicates among new rows."""

    def __init__(self) -> None:
        self.grams: list[frozenset[str]] = []
        self.holders: dict[str, list[int]] = {}

    def duplicate(self, dialogue: str, config: GuardConfig) -> str:
        """Return the reason why the dialogue is a duplicate of an added one, "" if it is not."""
        mine = grams(dialogue)
        shared = Counter(place for gram in mine for place in self.holders.get(gram, ()))
        for place, count in shared.items():
            alike = count / (len(mine) + len(self.grams[place]) - count)
            if alike >= config.duplicate:
                return f"duplicate: similarity {alike:.3f} to a new row"
        return ""

    def add(self, dialogue: str) -> None:
        """Add an accepted dialogue."""
        mine = grams(dialogue)
        for gram in mine:
            self.holders.setdefault(gram, []).append(len(self.grams))
        self.grams.append(mine)
