"""Fix Korean particles after a speaker tag: their form depends on how its number is pronounced (1 일, 2 이)."""

import re

_PAIRS = (
    ("은", "는"),
    ("이", "가"),
    ("을", "를"),
    ("과", "와"),
    ("이랑", "랑"),
    ("이나", "나"),
    ("이라고", "라고"),
    ("이라는", "라는"),
    ("이라도", "라도"),
    ("이에요", "예요"),
    ("이었다", "였다"),
)
"""(form after a consonant, form after a vowel). Source: 국립국어원, 한글 맞춤법 and 표준국어대사전, entries of the particles."""

_CLOSED = frozenset("013678")  # 영 일 삼 육 칠 팔 end in a consonant; 이 사 오 구 in a vowel
_FORM = {form: pair for pair in _PAIRS for form in pair}
_PARTICLE = re.compile(
    r"(?P<tag>#Person[0-9]*(?P<digit>[0-9])#)"
    rf"(?P<form>{'|'.join(sorted(_FORM, key=len, reverse=True))})"
    r"(?=(?:의|는|도|만|요)?(?![가-힣]))"
)


def fix_particles(text: str) -> str:
    """Return the text with every particle after a #PersonN# tag in the form that fits the number. Idempotent.

    Only whole particles are changed, not longer words that start with the same letters.
    """

    def right(match: re.Match[str]) -> str:
        closed, open_ = _FORM[match["form"]]
        return match["tag"] + (closed if match["digit"] in _CLOSED else open_)

    return _PARTICLE.sub(right, text)
