"""Repair what files write in another way than `#Person1#: text` on its own line: tags, speakers and line breaks."""

import re
import unicodedata

_NAMES = (
    "PhoneNumber",
    "Address",
    "DateOfBirth",
    "PassportNumber",
    "CardNumber",
    "PersonName",
    "Email",
    "CarNumber",
    "SSN",
)
_CANONICAL = {name.lower(): name for name in _NAMES}
_SPACE = r"[^\S\n]{0,3}"
_DIGITS = "[0-9０-９]{1,3}"
_PERSON = "(?i:person)"
_KOREAN = "(?:사람|인물|화자|개인|퍼슨)"
_PERSON_NUMBER = rf"(?:{_PERSON}|{_KOREAN}){_SPACE}{_DIGITS}"
_NAME = "(?:" + "|".join([_PERSON_NUMBER, *(rf"(?i:{name})" for name in _NAMES)]) + ")"
_HASH = "[#＃]"
_OPENS_NEXT = rf"{_SPACE}{_NAME}{_SPACE}{_HASH}"
_EXTRA = rf"(?:{_HASH}{{1,4}}(?!{_SPACE}{_NAME}|[A-Za-z]))?"
_FOREIGN = rf"#[A-Za-z]+[0-9]*#(?!{_NAME}#)"
# "#사람3명" may be a hashtag, so a Korean tag without its closing "#" needs a colon or a particle after it.
_CLOSES = rf"(?={_SPACE}[:：]|(?:은|는|이|가|을|를|과|와|의|도|에게서|에게|한테|께서|께)(?![가-힣]))"

# The regex scans from left to right and consumes the hashes of each tag that it matches, so the "#" that ends one
# tag is never read as the start of the next.
_VARIANT = re.compile(
    rf"(?P<surely>{_HASH}{{1,4}}(?P<a>{_NAME}){_HASH}{_EXTRA})"
    rf"|(?P<foreign>{_FOREIGN})"
    rf"|(?P<spaced>{_HASH}{{1,4}}{_SPACE}(?P<b>{_NAME}){_SPACE}{_HASH}(?!{_OPENS_NEXT}|{_SPACE}{_PERSON_NUMBER}){_EXTRA})"
    rf"|(?P<no_end>{_HASH}{{1,4}}(?:(?P<c>{_PERSON}{_DIGITS})(?![A-Za-z0-9０-９_#＃])|(?P<d>{_KOREAN}{_DIGITS}){_CLOSES}))"
    rf"|(?P<no_start>(?<![A-Za-z0-9_#＃])(?:(?P<e>{_PERSON}{_DIGITS})|(?<![가-힣])(?P<f>{_KOREAN}{_DIGITS}))"
    rf"{_HASH}(?![#＃]|{_SPACE}{_NAME}))"
)
_WIDE_LETTERS = re.compile(rf"(?<=[#＃])[Ａ-Ｚａ-ｚ]+(?={_SPACE}(?:{_DIGITS}|{_HASH}))")
_DIGIT = re.compile("[0-9０-９]+")

# At the start of a line, a number and a colon make a speaker of any of these: "사람2:", "Person 2:", "[Person2]:".
_SPEAKER = (
    rf"(?:{_HASH}{{0,4}}|[\[(<【]){_SPACE}{_PERSON_NUMBER}{_SPACE}"
    rf"(?:[:：]{_HASH}(?!\w)|(?:{_HASH}{{0,4}}|[\])>】]){_SPACE}[:：])"
)
_ODD_SPEAKER = re.compile(rf"(?m)^[^\S\n]*(?!#Person[0-9]{{1,3}}#{_SPACE}[:：])(?P<speaker>{_SPEAKER})")

MAY_BE_TAG = re.compile(f"{_HASH}|(?:{_PERSON}|{_KOREAN}){_SPACE}{_DIGITS}")
"""What a text without its declared tags must contain before `odd_tag` can find anything; much faster than that."""
ESCAPED = re.compile(r"\\{1,2}(?:r\\{1,2}n|[nrt](?![a-z])|u[0-9a-fA-F]{4}|\")")
"""A line break, tab, quote or code point that was written as a backslash and letters."""
HTML = re.compile(
    r"</?\s*(?:br|p|div|span)\s*(?:/\s*)?>|&(?:[a-zA-Z]{2,8}|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});", re.IGNORECASE
)
"""A piece of HTML: a tag of a web page or a character reference such as "&amp;"."""
_HTML_BREAK = re.compile(r"(?i)<\s*(?:/\s*)?br\s*(?:/\s*)?>")
_ESCAPE = r"(?:\\{1,2}r\\{1,2}n|\\{1,2}[nr])"
_ESCAPES = re.compile(rf"{_ESCAPE}(?:[^\S\n]*{_ESCAPE})*")
_LINE_ENDS = re.compile(rf"[^\S\n]*(?:\Z|\n|{_SPEAKER})")
_SENTENCE_ENDS = tuple('\n.?!…~。！？"”’)]」』')


def _repaired(match: re.Match[str]) -> str:
    if match["foreign"]:
        return match[0]
    return _canonical(next(match[key] for key in "abcdef" if match[key]))


def _canonical(name: str) -> str:
    if known := _CANONICAL.get(name.lower()):
        return f"#{known}#"
    number = _DIGIT.findall(name)[-1]
    return f"#Person{unicodedata.normalize('NFKC', number)}#"


def _narrow(match: re.Match[str]) -> str:
    name = unicodedata.normalize("NFKC", match[0])
    return name if name.lower() in (*_CANONICAL, "person") else match[0]


def repair_tags(text: str) -> str:
    """Return the text with repaired tags: "# Person1 #", "#person1#", "＃Person1＃", "##Person1#", "#Person1은", "#사람1#".

    Only the names that the competition uses are repaired (and the Korean words for "person" with a number), and only
    where the text is unambiguous: a missing "#" is added only to PersonN ("#Email 주소" may be a hashtag),
    "#Person1#Person2#" stays as it is, and a word without any "#" never becomes a tag.
    """
    # A repaired "#" can make the next one unambiguous, so repeat until nothing changes. Ordinary text needs one pass;
    # the limit keeps malicious text from looping.
    for _ in range(16):
        repaired = _VARIANT.sub(_repaired, _WIDE_LETTERS.sub(_narrow, text))
        if repaired == text:
            break
        text = repaired
    return text


def repair_breaks(text: str) -> str:
    """Return the text with line breaks in place of `<br>` and of the characters backslash and n.

    The characters become a line break before a speaker, after the end of a sentence, and at an end of a line. Elsewhere
    they stay, because they may be part of the text ("C:\\new").
    """
    if "<" in text:
        text = _HTML_BREAK.sub("\n", text)
    return _ESCAPES.sub(_break, text) if "\\" in text else text


def _break(match: re.Match[str]) -> str:
    text, start = match.string, match.start()
    before = text[max(0, start - 4) : start].rstrip(" \t")
    after_sentence = before.endswith(_SENTENCE_ENDS) or (not before and start < 4)
    return "\n" if after_sentence or _LINE_ENDS.match(text, match.end()) else match[0]


def repair_speakers(text: str) -> str:
    """Return the text with "#PersonN#:" where a line starts with "사람2:", "Person 2:", "#사람2 :" or "[Person2]:"."""

    def canonical(match: re.Match[str]) -> str:
        return f"{_canonical(match['speaker'])}:"

    return _ODD_SPEAKER.sub(canonical, text)


def odd_tag(text: str) -> str | None:
    """Return the first tag or speaker that is written in another way than #Name#, as it stands in the text; else None."""
    text = _WIDE_LETTERS.sub(_narrow, text)
    odd = next((match[0] for match in _VARIANT.finditer(text) if _repaired(match) != match[0]), None)
    if odd is None and (match := _ODD_SPEAKER.search(text)):
        odd = match["speaker"]
    return odd
