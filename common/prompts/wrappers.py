"""Take off what is written around a whole answer: labels, quotes, fences, JSON, XML and HTML, a bullet, a heading."""

import json
import re
from collections.abc import Callable
from typing import Any

# --- labels and introductions ---

_ABOUT = (
    r"(?:이|본|위|해당|다음|주어진|아래|제공된|제시된|요청하신|최종|간단한|간략한|짧은|핵심|전체|한국어|[한두세1-3]\s?(?:줄|문장)|"
    r"대화문|대화|회의|통화|상담|내용|글|the|this|an?|brief|short|concise|final|korean|one[- ]sentence|dialogue|dialog|"
    r"conversation)(?:의|을|를|에\s?대한|['’]s)?\s*"
)
_WHAT = r"(?:요약문|요약본|요약|정리|summary|tl;?dr)"
_REPLY = r"(?:(?:최종|final|my)\s*)?(?:정답|답변|응답|답|출력|answer|response|output)"
_OF = r"(?:\s*(?:결과|내용|문|of\s+(?:the|this)\s+(?:dialogue|dialog|conversation)))?"
_FOLLOWS = r"(?:입니다|이에요|예요|(?:은|는|하면)\s*(?:다음과\s?같(?:습니다|아요|다|음))?|\s+is)?"
_BOLD = r"(?:\*\*|__)?"
_TITLE = rf"(?:(?:{_ABOUT}){{0,5}}{_WHAT}{_OF}|{_REPLY})"
_SYMBOL = "(?:[\u2600-\u27bf\U0001f300-\U0001faff]\ufe0f?\\s*)?"
_LABEL = re.compile(
    rf"\A(?:\#{{1,6}}\s*)?{_SYMBOL}(?P<bold>\*{{1,3}}|_{{1,2}})?\s*{_SYMBOL}[\[<【(〈\"'“]?\s*{_TITLE}{_FOLLOWS}(?:\s?\([^()\n]{{1,12}}\))?\s*[\]>】)〉\"'”]?\s*"
    r"(?:(?(bold)(?:(?P=bold)\s*[:：]|[:：]\s*(?P=bold))|[:：])|(?(bold)(?P=bold))(?:\s*\n|\s+[-–—]\s))\s*"
    rf"|\A(?:[\[<【]\s*{_TITLE}\s*[\]>】]|\*\*{_TITLE}\*\*)(?=[\s#\"'“*])\s*",
    re.IGNORECASE,
)
_YES = r"(?:(?:네|예|물론(?:입니다|이죠|이에요)?|알겠습니다|좋습니다|sure|certainly|of course|okay|ok)[,.!]*\s*)?"
_TILL_COLON = r"[^\n:：.!?]"
_INTRODUCTION = re.compile(
    # "다음은 …의 대화를 요약한 내용입니다:", "Here is a summary of …:"
    rf"\A{_YES}(?:다음은|아래는|이하는|여기|here(?:['’]s| is| are)|below is|the following is)\s{_TILL_COLON}{{0,80}}"
    rf"(?:요약|정리|summar){_TILL_COLON}{{0,40}}(?:[:：]|[.]?[ ]*\n)\s*"
    # "이 대화를 한 문장으로 요약하면 다음과 같습니다:", "네, 요약해 드리겠습니다.\n"
    rf"|\A{_YES}(?:{_ABOUT}){{0,5}}(?:(?:한|두|세)\s?(?:문장|줄)(?:으)?로\s*)?(?:요약|정리){_TILL_COLON.replace('.', '#.')}{{0,20}}"
    r"(?:(?:같습니다|같아요|입니다|하면|하자면|했습니다|드립니다|드릴게요|드리겠습니다|하겠습니다)\s*[:：]"
    r"|(?:같습니다|입니다|드립니다|드릴게요|드리겠습니다|하겠습니다)[.]?[ ]*\n)\s*"
    rf"|\A{_YES}(?:{_ABOUT}){{0,5}}(?:은|는)?\s*다음과\s?같이\s(?:요약|정리)(?:됩니다|할\s?수\s?있습니다|했습니다|하겠습니다)\s*(?:[:：]|[.]?[ ]*\n)\s*",
    re.IGNORECASE,
)
# A plan in plain words, then a label of its own line for the answer.
_PLAN = re.compile(
    rf"\A(?:\#{{1,6}}\s*)?{_BOLD}(?:생각|사고\s?과정|추론|분석|thought|thinking|reasoning|analysis){_BOLD}\s*(?:[:：]|\n).*\n"
    rf"(?=(?:\#{{1,6}}\s*)?{_BOLD}[\[<【]?(?:최종\s*)?(?:요약문|요약|답변|답|(?:final\s+)?(?:summary|answer))[\]>】]?{_BOLD}\s*[:：\n])",
    re.IGNORECASE | re.DOTALL,
)  # fmt: skip

# --- markup ---

_FENCE = re.compile(r"\A(`{3,}|~{3,})[\w+-]*[ \t]*\n(.*?)\n?[ \t]*\1\Z|\A(`{3,})([^`\n]+)\3\Z", re.DOTALL)
_RULE = re.compile(r"\A[-=*_~]{3,}[ ]*\n+|\n[ ]*[-=*_~#]{3,}\Z|[ ]#{3,}\Z|\A(?:\\n)+|(?:\\n)+\Z")
_BULLET = re.compile(r"(?:[-*•·▪◦‣●○■□◆◇❖▶►➤✓✔☞→※]|1[.)]|①)[ \t]+")
_MORE_BULLETS = re.compile(
    r"^\s*(?:[-*•·▪◦‣●○■□◆◇❖▶►➤✓✔☞→※]|[0-9]{1,2}[.)]|[①-⑳])\s|(?<=\s)(?:2[.)]|②)\s", re.MULTILINE
)
_HEADING = re.compile(r"\A#{1,6}[ \t]+(?=[^\n]+\Z)")
_ANSWER = (
    r"(?:[\w-]*summary|answer|final_?answer|final|response|output|result|요약|요약문|요약\s?결과|답변|답)"
)
_HTML = r"(?:html|body|main|article|section|div|p|span|b|strong|i|em|u|pre|code|blockquote|ul|ol|li|h[1-6]|font|center|text|content)"
_ELEMENT = re.compile(
    rf"\A<({_ANSWER}|{_HTML})(?:\s[^<>]*)?>(.*)</\1\s*>\Z|\A\[({_ANSWER}|대화)\](.*)\[/\3\]\Z",
    re.IGNORECASE | re.DOTALL,
)
_ANSWER_TAG = re.compile(rf"[<\[]/?{_ANSWER}[>\]]", re.IGNORECASE)
_HALF_ELEMENT = re.compile(
    rf"\A<{_ANSWER}>|(?<=.)(?:</{_ANSWER}>|\[/{_ANSWER}\])\Z", re.IGNORECASE | re.DOTALL
)
_VOID = re.compile(r"\A<(?:\?xml|!doctype)[^<>]*>|\A<br\s*/?>|<br\s*/?>\Z", re.IGNORECASE)
_MARKED_ANSWER = re.compile(r"<(summary|answer|final_?answer|요약|답변)>", re.IGNORECASE)
_BOXED = re.compile(r"\A\\boxed\{(?:\\text\{)?([^{}]*)\}{1,2}\Z")
_QUOTES = (("**", "**"), ("__", "__"), ("*", "*"), ('"', '"'), ("“", "”"), ("„", "“"), ("'", "'"), ("‘", "’"),
           ("「", "」"), ("『", "』"), ("«", "»"), ("《", "》"), ("〈", "〉"), ("【", "】"), ("[", "]"), ("(", ")"), ("`", "`"), ("$", "$"),
           ("<![CDATA[", "]]>"))  # fmt: skip
_FIELDS = re.compile(
    r"(?:[\w ]*summary(?:[_ ]text)?|최종\s*요약|대화\s*요약|요약문?|요약\s*결과)", re.IGNORECASE
)
_ONLY_FIELD = re.compile(
    r"answer|output|result|response|text|content|final(?:[_ ]answer)?|답변?|결과|내용", re.IGNORECASE
)
_DICTIONARY = re.compile(r"\A\{\s*'([^']{1,40})'\s*:\s*'((?:[^'\\\n]|\\')*)'\s*,?\s*\}\Z")
_LARGEST = 20_000  # characters that are read as JSON; an answer has a few hundred


def _field(value: Any) -> str | None:
    """Return the text in a JSON value, None if it has none or several that could be meant."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return _field(value[0]) if len(value) == 1 else None
    if not isinstance(value, dict):
        return None
    named = [name for name in value if isinstance(name, str) and _FIELDS.fullmatch(name.strip())]
    if not named and len(value) == 1:
        named = [name for name in value if isinstance(name, str) and _ONLY_FIELD.fullmatch(name.strip())]
    return _field(value[named[0]]) if len(named) == 1 else None


def _without_json(text: str) -> str:
    """Return the text in a JSON value, or in a Python dictionary of one entry, that is the whole answer."""
    if text[:1] not in ("{", "[", '"') or len(text) > _LARGEST:
        return text
    try:
        found = _field(json.loads(text))
    except (ValueError, RecursionError):
        match = _DICTIONARY.match(text)
        found = _field({match[1]: match[2].replace("\\'", "'")}) if match else None
    return text if found is None else found


def _without_markup(text: str) -> str:
    """Return the text without a fence, rules, one element, one bullet, one heading or a block quote around all of it."""
    if (match := _FENCE.match(text)) and "```" not in (inside := match[2] or match[4] or ""):
        text = inside
    text = _RULE.sub("", text).strip()
    if match := _ELEMENT.match(text):
        inside = match[2] if match[1] else match[4]
        name = (match[1] or match[3]).lower()
        if not re.search(rf"[<\[]/?{re.escape(name)}\b", inside, re.IGNORECASE):
            text = inside
    elif len(marked := list(_MARKED_ANSWER.finditer(text))) == 1:
        end = f"</{marked[0][1].lower()}>"
        text = text[marked[0].end() : -len(end)] if text.lower().endswith(end) else text
    if len(_ANSWER_TAG.findall(text)) == 1:
        text = _HALF_ELEMENT.sub("", text)
    text = _VOID.sub("", text).strip()
    if match := _BOXED.match(text):
        text = match[1]
    if (match := _BULLET.match(text)) and not _MORE_BULLETS.search(text[match.end() :]):
        text = text[match.end() :]
    if text.startswith(">") and all(line.startswith(">") for line in text.split("\n")):
        text = "\n".join(line[1:].strip() for line in text.split("\n"))
    return _HEADING.sub("", text).strip()


def _without_quotes(text: str) -> str:
    """Return the text without quotes, brackets or bold marks around all of it."""
    for opening, closing in _QUOTES:
        while len(text) > len(opening + closing) and text.startswith(opening) and text.endswith(closing):
            inside = text[len(opening) : -len(closing)]
            if not _whole(inside, opening, closing):
                break
            text = inside.strip()
    return text


def _whole(inside: str, opening: str, closing: str) -> bool:
    """Return whether the marks around a text belong together: not those of “A” and “B”."""
    if opening == closing:
        core = inside
        while len(core) > 2 * len(opening) and core.startswith(opening) and core.endswith(opening):
            core = core[len(opening) : -len(opening)]
        return opening not in core
    depth = 0
    for mark in re.findall(f"{re.escape(opening)}|{re.escape(closing)}", inside):
        depth += 1 if mark == opening else -1
        if depth < 0:
            return False
    return depth == 0


_STEPS: tuple[Callable[[str], str], ...] = (
    _without_json,
    _without_markup,
    lambda text: _PLAN.sub("", text),
    lambda text: _INTRODUCTION.sub("", text),
    lambda text: _LABEL.sub("", text),
    _without_quotes,
)


def unwrap(text: str) -> str:
    """Return the text after one pass over everything that may surround a whole answer.

    Taken off: a JSON object or string, a plan before a labelled answer, a label or an introduction ("요약:",
    "**요약문**", "다음은 대화의 요약입니다:", "Summary:"), a code fence, an XML or HTML element, a single bullet, a heading,
    quotes and bold marks. Each only if it surrounds all of the text, so nothing inside an answer is lost.
    """
    for step in _STEPS:
        text = step(text).strip()
    return text
