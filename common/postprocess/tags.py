"""Repair speaker tags and the particles that follow them."""

import re
from collections.abc import Callable, Mapping

from common.data.dialogue import TAG
from common.data.repairs import repair_tags

_CASE = "에게서|에게|에서|에|께서|께|한테서|한테|으로부터|로부터|으로서|로서|으로써|로써|으로|로|부터|까지|이랑|랑|처럼|마저|조차"
_PARTICLE = re.compile(
    rf"(?P<tag>{TAG.pattern})\s+"
    rf"(?P<particle>(?:{_CASE})(?:는|도|만|의)?|은|는|을|를|과의|와의|과는|와는|과도|와도|과|와|이|가|의|도|만)"
    r"(?P<rest>(?=[\s.,?!)\]\"'’”…:;]|$)\s*(?P<next>\S*))"
)
# A predicate in plain form ("늦었다", "온다", "없다") has ㄴ, ㅄ or ㅆ at the end of its second-last syllable; a noun
# such as "바다" does not.
_FINAL_CONSONANTS = frozenset({4, 18, 20})
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


def _is_predicate(word: str) -> bool:
    word = word.rstrip(".?!…\"'”’")
    return (
        len(word) >= 2
        and word[-1] == "다"
        and "가" <= word[-2] <= "힣"
        and (ord(word[-2]) - 0xAC00) % 28 in _FINAL_CONSONANTS
    )


def _attach(match: re.Match[str]) -> str:
    keep_apart = _KEEP_APART.get(match["particle"])
    if keep_apart and keep_apart(match["next"]):
        return match[0]
    return match["tag"] + match["particle"] + match["rest"]


def parted_particle(text: str) -> str | None:
    """Return the first tag with a particle that `tag_repair` would join to it, such as "#Person1# 은"; else None."""
    return next((f"{m['tag']} {m['particle']}" for m in _PARTICLE.finditer(text) if _attach(m) != m[0]), None)


def tag_repair(text: str) -> str:
    """Return the text with complete tags and the particle joined to them: "# Person1 # 은" → "#Person1#은".

    Tags are repaired as `repairs.repair_tags` does, and never invented. A particle is joined only when it stands
    alone as a word. 이 also means "this": it is joined before another tag or a plain predicate ("#Person1# 이 늦었다"),
    and kept apart before anything else ("#Person1# 이 문제를", "#Person1# 이 문제를 제기했다": both readings are possible). 가 and
    의 are kept apart at the end of the text; 도 and 만 there and before a number or unit ("만 20세"); 은 before objects
    made of silver ("은 반지").
    """
    repaired = repair_tags(text)
    while True:
        joined = _PARTICLE.sub(_attach, repaired)
        if joined == repaired:
            return joined
        repaired = joined
