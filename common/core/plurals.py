"""Write "1 row is" where a message was built as "1 rows are": only finished English texts are corrected (standard library only).

Messages are recognized by their literal text when they are translated, so they cannot choose between two nouns themselves.
"""

from __future__ import annotations  # common/cli/make.py imports this file in any Python

import re
from functools import cache

_NOUNS = (
    "answers|arguments|attempts|bytes|calls|candidates|cells|characters|columns|cores|CSVs|days|dialogues|digits|examples|"
    "experiments|faults|fields|files|folds|GPUs|groups|ids|images|layers|letters|levels|lines|machines|members|messages|"
    "methods|minutes|models|names|ones|others|parents|parts|picks|points|predictions|processes|references|requests|results|"
    "rows|runs|samples|seconds|settings|shares|steps|submissions|summaries|tensors|texts|threads|times|tokens|trials|turns|"
    "uploads|utilities|values|votes|warnings|weights|words|entries"
)
_KINDS = (
    "other|older|newer|earlier|later|new|more|different|final|missing|empty|unknown|dev|test|train|training|predicted|"
    "recombined|reference|CPU|code|added|newest|prompt|completion|tested|printable"
)
_VERBS = {
    "are": "is", "were": "was", "have": "has", "get": "gets", "lack": "lacks", "need": "needs", "differ": "differs",
    "count": "counts", "form": "forms", "take": "takes", "do": "does", "stand": "stands", "belong": "belongs",
}  # fmt: skip
_LABELS = (
    "line|row|record|process|rank|gpu|cuda|part|round|step|epoch|run|seed|version|python|number|candidate|column|page|level|"
    "turn|person|batch|node|port|fold|trial"
)
"""Words that a number may name: "line 1 has", "GPU 1 runs"."""
_SINGULAR = {"others": "other", "ones": "one", "processes": "process", "bytes": "byte"}


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Return what finds "1 of 3 rows are", "and 1 are" and "1 rows are"; few messages need it, so it is compiled late."""
    start, kinds, verbs = r"(?<![\w.,:/%+=\"'-])", rf"(?:(?:{_KINDS}) )*", rf"(?P<verb>{'|'.join(_VERBS)})\b"
    of = r"(?: of [\w.-]+| in [\w.-]+)?"
    return (
        re.compile(rf"{start}(?P<head>1 of [\d,]+ {kinds}(?:{_NOUNS}){of}) {verbs}"),
        re.compile(rf"(?<![01] )(?P<head>and 1) {verbs}"),
        re.compile(
            rf"(?P<before>(?i:\b(?:{_LABELS})) )?{start}1 (?P<kinds>{kinds})(?P<noun>{_NOUNS})\b(?P<of>{of})(?: {verbs})?"
        ),
    )


def agreed(text: str) -> str:
    """Return an English text with the noun and the verb after "1" in the singular; what stands in quotes is not changed."""
    if not re.search(r"(?<!\d)1 ", text):
        return text
    parts = re.split(r"(\"[^\"\n]*\"|(?<!\w)'[^'\n]*')", text)
    return "".join(part if place % 2 else _agreed(part) for place, part in enumerate(parts))


def _agreed(text: str) -> str:
    of_several, alone, one = _patterns()
    text = re.sub(r"\b([Tt]here) are (?=1 )", r"\1 is ", text)
    for pattern in (of_several, alone):
        text = pattern.sub(lambda found: f"{found['head']} {_VERBS[found['verb']]}", text)
    return one.sub(_one, text)


def _one(found: re.Match[str]) -> str:
    if found["before"]:
        return found[0]
    verb = f" {_VERBS[found['verb']]}" if found["verb"] else ""
    return f"1 {found['kinds']}{_singular(found['noun'])}{found['of']}{verb}"


def _singular(noun: str) -> str:
    if noun in _SINGULAR:
        return _SINGULAR[noun]
    return f"{noun[:-3]}y" if noun.endswith("ies") else noun[:-1]
