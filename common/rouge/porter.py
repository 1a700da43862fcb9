"""Stem English words by Porter's algorithm with NLTK's extensions, as both reference packages do for ``use_stemmer``.

It is implemented here so that scoring does not need NLTK.
"""

from collections.abc import Sequence

_IRREGULAR = {
    "skies": "sky", "sky": "sky", "dying": "die", "lying": "lie", "tying": "tie", "news": "news",
    "innings": "inning", "inning": "inning", "outings": "outing", "outing": "outing",
    "cannings": "canning", "canning": "canning", "howe": "howe",
    "proceed": "proceed", "exceed": "exceed", "succeed": "succeed",
}  # fmt: skip

# (ending, replacement): the first matching ending decides, even if the measure then forbids its replacement.
_STEP_2 = (
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"),
    ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"),
    ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"),
    ("iviti", "ive"), ("biliti", "ble"), ("fulli", "ful"),
)  # fmt: skip
_STEP_3 = (
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
)  # fmt: skip
_STEP_4 = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
)  # fmt: skip


def _shape(word: str) -> str:
    """Return a string as long as the word: "v" for vowels, "c" for the rest; y is a vowel after a consonant."""
    shape: list[str] = []
    for letter in word:
        vowel = letter in "aeiou" or (letter == "y" and bool(shape) and shape[-1] == "c")
        shape.append("v" if vowel else "c")
    return "".join(shape)


def _measure(stem: str) -> int:
    """Return Porter's m: how many times a run of vowels is followed by a run of consonants."""
    return _shape(stem).count("vc")


def _ends_short(stem: str) -> bool:
    """Return whether Porter's *o holds, or the stem is one of NLTK's two-letter vowel-consonant words.

    Porter's *o: the stem ends in consonant, vowel, and a consonant other than w, x, y.
    """
    shape = _shape(stem)
    return (shape.endswith("cvc") and stem[-1] not in "wxy") or shape == "vc"


def _replace_first(word: str, rules: Sequence[tuple[str, str]]) -> str:
    for ending, replacement in rules:
        if word.endswith(ending):
            stem = word.removesuffix(ending)
            return stem + replacement if _measure(stem) > 0 else word
    return word


def _plural(word: str) -> str:
    if word.endswith("ies"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


def _past_and_progressive(word: str) -> str:
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for ending in ("ed", "ing"):
        if word.endswith(ending):
            stem = word.removesuffix(ending)
            if "v" in _shape(stem):
                break
    else:
        return word
    if stem.endswith(("at", "bl", "iz")):
        return stem + "e"
    shape = _shape(stem)
    if len(stem) > 1 and stem[-1] == stem[-2] and shape[-1] == "c":
        return stem if stem[-1] in "lsz" else stem[:-1]
    return stem + "e" if _measure(stem) == 1 and _ends_short(stem) else stem


def _final_y(word: str) -> str:
    stem = word[:-1]
    if word.endswith("y") and len(stem) > 1 and _shape(stem)[-1] == "c":
        return stem + "i"
    return word


def _double_suffix(word: str) -> str:
    while word.endswith("alli") and _measure(word[:-4]) > 0:
        word = word[:-2]
    for ending, _ in _STEP_2:
        if word.endswith(ending):
            return _replace_first(word, _STEP_2)
    if (
        word.endswith("logi") and _measure(word[:-3]) > 0
    ):  # the l counts as part of the stem, so that "geologi" qualifies
        return word[:-1]
    return word


def _long_suffix(word: str) -> str:
    for ending in _STEP_4:
        if word.endswith(ending):
            stem = word.removesuffix(ending)
            allowed = _measure(stem) > 1 and (ending != "ion" or stem[-1] in "st")
            return stem if allowed else word
    return word


def _final_e_and_l(word: str) -> str:
    if word.endswith("e"):
        stem = word[:-1]
        measure = _measure(stem)
        if measure > 1 or (measure == 1 and not _ends_short(stem)):
            word = stem
    if word.endswith("ll") and _measure(word[:-1]) > 1:
        word = word[:-1]
    return word


def porter_stem(word: str) -> str:
    """Return the stem of one word in lower case.

    Any Unicode text is accepted; letters outside a-z count as consonants.
    Source: Porter 1980, "An algorithm for suffix stripping", with the deviations that NLTK calls NLTK_EXTENSIONS.
    """
    original_length = len(word)
    word = word.lower()
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if original_length <= 2:
        return word
    for step in (_plural, _past_and_progressive, _final_y, _double_suffix):
        word = step(word)
    word = _replace_first(word, _STEP_3)
    return _final_e_and_l(_long_suffix(word))
