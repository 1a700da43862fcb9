"""Korean particles that agree with the sound of the word before them, and the plain style of sentences."""

import re
from collections.abc import Collection

# Final sound of the Korean reading of a digit (영 일 이 삼 사 오 육 칠 팔 구): "" vowel, "ㄹ", or another consonant "C".
_DIGITS = dict(zip("0123456789", ("C", "ㄹ", "", "C", "", "", "C", "ㄹ", "ㄹ", ""), strict=True))
TAGS = {  # how a reader says the tag: 전화번호, 주소, 생년월일, 여권번호, 카드번호, 이름, 이메일, 차량번호, 주민번호
    "PhoneNumber": "",
    "Address": "",
    "DateOfBirth": "ㄹ",
    "PassportNumber": "",
    "CardNumber": "",
    "PersonName": "C",
    "Email": "ㄹ",
    "CarNumber": "",
    "SSN": "",
}
_LETTERS = {"L": "ㄹ", "M": "C", "N": "C", "R": "ㄹ"}  # 엘 엠 엔 알; the other capitals end in a vowel
_PARTICLE = re.compile(r"\[([가-힣]+)/([가-힣]+)\]")

PARTICLES = frozenset((
    "과/와", "아/야", "으로/로", "은/는", "을/를", "이/가", "이가/가", "이고/고", "이고요/고요", "이구나/구나",
    "이나/나", "이네요/네요", "이는/는", "이던/던", "이라/라", "이라고/라고", "이라는/라는", "이라도/라도",
    "이라며/라며", "이라면/라면", "이라서/라서", "이랑/랑", "이면/면", "이야/야", "이에요/예요", "이요/요",
    "이지만/지만",
))  # fmt: skip
"""The pairs that a marker may hold, the form after a consonant first."""

_FORMAL = re.compile(r"(\S*)([가-힣])니다(?=[.?!]|$)")
_VERBS_IN_I = frozenset((
    "들", "받아들", "거두어들", "줄", "붙", "덧붙", "높", "보", "모", "쓰", "놓", "쌓", "끓", "먹", "속", "움직", "기울",
    "망설",
))  # fmt: skip
"""Words that become a verb with 이다 (받아들이다); after any other word 입니다 is the copula."""
_ADJECTIVES = ("필요하", "가능하", "충분하", "부족하", "좋", "싶", "같", "많", "듯하")  # take no ㄴ
_CODAS = {"ㄴ": 4, "ㄹ": 8, "ㅂ": 17, "ㅄ": 18, "ㅆ": 20}


def final_sound(text: str) -> str:
    """Return the final sound of the last word as it is read aloud: "" for a vowel, "ㄹ", or "C" for another consonant.

    Raises ValueError when the text ends in something with no known reading.
    """
    text = text.rstrip("'\")’” ")
    tag = re.search(r"#([A-Za-z]+)(\d*)#$", text)
    if tag:
        return _DIGITS[tag[2][-1]] if tag[2] else TAGS[tag[1]]
    last = text[-1:]
    if "가" <= last <= "힣":
        coda = (ord(last) - ord("가")) % 28
        return "" if coda == 0 else "ㄹ" if coda == 8 else "C"
    if last.isdigit():
        tail = re.search(r"(\d)(0*)$", text)
        assert tail is not None
        return "C" if tail[2] else _DIGITS[tail[1]]  # 십 백 천 만 all end in a consonant
    if last == "%":
        return ""
    if "A" <= last <= "Z":
        return _LETTERS.get(last, "")
    raise ValueError(f"no reading for the end of {text[-12:]!r}")


def agree(text: str) -> str:
    """Return the text with every marker `[은/는]`, consonant form first, replaced by the form that its word takes.

    `[으로/로]` also takes the vowel form after ㄹ (서울로). Raises ValueError as `final_sound` does.
    """

    def choose(match: re.Match[str]) -> str:
        sound = final_sound(text[: match.start()])
        vowel_form = sound == "" or (sound == "ㄹ" and match[1].startswith("으로"))
        return match[2] if vowel_form else match[1]

    # Right to left is not needed: a marker never follows another directly, so earlier text is final.
    return _PARTICLE.sub(choose, text)


def plain(text: str) -> str:
    """Return the text with every sentence in plain style (한다, 받는다, 이다) instead of formal style (합니다, 받습니다, 입니다)."""

    def conjugate(match: re.Match[str]) -> str:
        word, syllable = match[1], match[2]
        if syllable == "습":  # 받습니다, 있습니다, 했습니다
            bare = (ord(word[-1]) - ord("가")) % 28 in (_CODAS["ㅄ"], _CODAS["ㅆ"]) or word.endswith(
                _ADJECTIVES
            )
            return word + ("다" if bare else "는다")
        stem = chr(ord(syllable) - _CODAS["ㅂ"])  # 합니다, 삽니다, 입니다
        if stem == "이" and word not in _VERBS_IN_I:
            return word + "[이다/다]"
        if word + stem == "아니" or (word + stem).endswith(_ADJECTIVES):
            return word + stem + "다"
        return word + chr(ord(stem) + _CODAS["ㄴ"]) + "다"

    return agree(_FORMAL.sub(conjugate, text))


def two_sentences(text: str, names: Collection[str]) -> str:
    """Return a formal sentence as two (…합니다. #Person2#는 …), where its second clause has a topic of its own.

    `names` are the speakers' names. A text that has no such clause, or two sentences already, comes back as it is.
    """
    who = "|".join(
        ["#Person[0-9]#", "[두세네] (?:사람|식구|이웃)", "가족", "기사", *map(re.escape, sorted(names))]
    )
    clauses = re.fullmatch(
        rf"([^.?]*?(?:{who})(?:[은는] |[이가] )[^.?]*?)([가-힣])(지만|[고며자]),? ((?:{who})[은는] [^.?]*\.)",
        text,
    )
    if clauses is None or clauses[2] in "다라냐자려혼의각":  # 간다고, 가라며, 혼자: no clause ends here
        return text
    start, stem, link, rest = clauses.groups()
    if link == "며" and stem == "으":
        start, stem = start[:-1], start[-1]
    coda = (ord(stem) - ord("가")) % 28
    formal = chr(ord(stem) - coda + _CODAS["ㅂ"]) + "니다" if coda in (0, _CODAS["ㄹ"]) else stem + "습니다"
    return f"{start}{formal}. {'하지만 ' if link == '지만' else ''}{rest}"
