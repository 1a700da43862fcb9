"""Find what a server reports as an error: its words, its codes and the parameters that it names."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["quota", "busy", "request", "context", "key", "forbidden", "missing", "filtered", "failed", ""]

_MESSAGES = ("message", "msg", "error_msg", "error_message", "errorMessage", "status_msg", "detail", "description",
             "title", "reason")  # fmt: skip
_CODES = ("code", "type", "status", "status_code", "statusCode", "error_code", "errorCode", "error_type", "http_code",
          "httpCode", "reason")  # fmt: skip
_NUMBER = re.compile(r"(?<![0-9.])(?:40[0-9]|41[0-9]|42[0-9]|50[0-9]|52[0-9])(?![0-9.])")
_PLACES = ("error", "errors", "detail", "details", "base_resp", "innererror", "metadata")
_STATUS: dict[Kind, int] = {
    "quota": 402, "busy": 429, "request": 400, "context": 400, "key": 401, "forbidden": 403, "missing": 404,
    "filtered": 400, "failed": 503, "": 0,
}  # fmt: skip


@dataclass(frozen=True)
class ServerError:
    """An error as a server reports it."""

    message: str
    """The server's own words, not shortened."""
    codes: tuple[str, ...] = ()
    """Codes and types, such as "insufficient_quota" or "429"."""
    parameters: tuple[str, ...] = ()
    """Names in fields that say which parameter is wrong."""

    @property
    def status(self) -> int:
        """The HTTP status that the error stands for: the number it names, else what its words say, else 0."""
        number = _NUMBER.search(" ".join(self.codes)) or (not self.kind and _NUMBER.search(self.message))
        return int(number[0]) if number else _STATUS[self.kind]

    @property
    def kind(self) -> Kind:
        """What the codes say, or the message where they say nothing more precise than "bad request"; "" if unknown."""
        codes, words = _kind(" ".join(self.codes)), _kind(self.message)
        return (
            words
            if not codes or (codes == "request" and words in ("context", "filtered", "quota"))
            else codes
        )


# Tried in this order. Spaces, hyphens and underscores are taken out of the text before.
_KINDS: tuple[tuple[Kind, str], ...] = (
    ("context", r"contextlength|context(?:window|size|limit)|maximumcontext|maxcontext|maxmodellen|toomanytokens|prompt(?:is)?too(?:long|large)|"
                r"input(?:is)?too(?:long|large)|stringabovemaxlength|컨텍스트|입력이너무|토큰수를?초과"),
    ("filtered", r"contentfilter|contentpolicy|contentmanagementpolicy|datainspectionfailed|moderationblocked|유해한?콘텐츠"),
    ("quota", r"insufficient(?:quota|balance|funds|credit)|billing|payment|outofcredit|nocredit|credits?(?:balance|(?:has|have|are|is)?(?:been)?exhausted|limit)|"
              r"credits|balanceis|accountbalance|(?:no|out)(?:of)?quota|accountdeactivated|arrears|prepaid|topup|recharge|subscription|trial(?:has|period)?(?:ended|expired|over)|spendinglimit|hardlimit|perday|perweek|permonth|"
              r"(?:daily|weekly|monthly)[a-z]{0,12}(?:limit|quota)|(?:limit|quota)[a-z]{0,20}(?:today|thismonth)|"
              r"잔액|크레딧|소진|결제|충전|요금제|미납|구독|(?:일일|하루|주간|월간|이번달|이달의?)[가-힣]{0,6}(?:한도|사용량|할당량)|포인트가?부족"),
    ("busy", r"ratelimit|toomanyrequests|throttl|resourceexhausted|quota|perminute|persecond|concurren|tryagain|slowdown|"
             r"한도|할당량|요청이너무많|잠시후"),
    ("key", r"unauthori[sz]ed|unauthenticated|authentication|invalid[a-z]{0,10}(?:api)?key|(?:incorrect|missing|wrong|expired|no)(?:an)?apikey|apikey(?:is)?(?:not|invalid)|인증"),
    ("forbidden", r"permission|forbidden|accessdenied|notallowed|unsupportedcountry|권한"),
    ("missing", r"notfound|doesnotexist|nosuchmodel|unknownmodel|찾을수없|존재하지않"),
    ("request", r"badrequest|invalid(?:request|argument|parameter|value|input|type)|unsupported|notsupported|unrecognized|unprocessable|validation|"
                r"notpermitted|missingrequired|잘못된(?:요청|파라미터|매개변수)|지원하지않"),
    ("failed", r"overload|unavailable|servererror|internal|timeout|timedout|badgateway|upstream|capacity|engine|busy|서버오류|과부하"),
)  # fmt: skip
_WAITING_HELPS = re.compile(
    r"perminute|persecond|permin|\((?:tpm|rpm)\)|(?:retry|tryagain)(?:in|after)[0-9]+(?:m(?!o)|s)|잠시후|분당|초당"
)
_LONGEST_PAUSE = 600.0  # seconds; a server that asks for more than that will not answer during this run
_CERTAIN = re.compile(
    r"insufficientquota|insufficientbalance|insufficientfunds|billing[a-z]*(?:limit|notactive)|paymentrequired"
)


def _squeezed(text: str) -> str:
    return re.sub(r"[\s_\-'’\"`.]+", "", text.lower())


def _kind(text: str) -> Kind:
    squeezed = _squeezed(text)
    return next((kind for kind, pattern in _KINDS if re.search(pattern, squeezed)), "")


def no_waiting_helps(error: ServerError, status: int, waits: float) -> bool:
    """Return whether an error says that a quota, credit or balance is used up, which no pause of minutes restores.

    `waits` is what the server asks to wait, in seconds; 0 if it does not ask. A limit for each minute is no such error,
    even where its text points to a page about billing; and of a failed server (5xx) only the codes count.
    """
    if _CERTAIN.search(_squeezed(" ".join(error.codes))):
        return True
    words = _squeezed(" ".join((*error.codes, error.message)))
    soon = 0 < waits <= _LONGEST_PAUSE or _WAITING_HELPS.search(words)
    return error.kind == "quota" and status < 500 and not soon


def _inner(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield an object and the objects that it reports its errors in, outermost first."""
    yield value
    for name in _PLACES:
        held = value.get(name)
        for one in held[:8] if isinstance(held, list) else [held]:
            if isinstance(one, dict):
                yield from _inner(one)


def find(value: Any) -> ServerError:
    """Return the error in a parsed body of any form; its message is the whole body if no field of it is a message."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return ServerError(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    objects = list(_inner(value))
    said = [
        text
        for one in reversed(objects)  # the innermost is the most precise
        for name in ("error", *_MESSAGES)
        if isinstance(text := one.get(name), str)
        and text.strip()
        and not (name == "reason" and len(objects) > 1)
    ]
    codes = [
        str(code)
        for one in objects
        for name in _CODES
        if isinstance(code := one.get(name), int | str) and not isinstance(code, bool) and len(str(code)) < 80
    ]
    named = [str(name) for one in objects if isinstance(name := one.get("param"), str)]
    for one in objects:
        place = one.get("loc")
        if isinstance(place, list) and place:
            named += [str(part) for part in place[1:] or place if isinstance(part, str)]
            if said and isinstance(one.get("msg"), str):
                said = [f"{'.'.join(map(str, place))}: {one['msg']}", *(s for s in said if s != one["msg"])]
    message = said[0] if said else json.dumps(value, ensure_ascii=False)
    return ServerError(message, tuple(codes), tuple(named))


def parse(content: bytes) -> ServerError:
    """Return the error in a body; a body that is not JSON is its own message."""
    text = content.decode("utf-8", "replace")
    try:
        return find(json.loads(text)) if text.strip() else ServerError("")
    except (ValueError, RecursionError):
        return ServerError(text)


def _says(value: Any) -> bool:
    """Return whether a field "error" reports one; servers also send null, false, "" and objects of empty fields."""
    if isinstance(value, dict):
        return any(value.values())
    return bool(value)


def reported(value: Any) -> ServerError | None:
    """Return the error that a body with HTTP status 200 reports; None if it looks like an answer, or like neither."""
    if not isinstance(value, dict):
        return None
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if _says(value.get("error")) or value.get("object") == "error":
        return find(value)
    if isinstance(first, dict) and _says(first.get("error")):
        return find(first)
    told = [value.get(name) for name in (*_MESSAGES, "errors", "base_resp")]
    if not choices and any(_says(one) and (isinstance(one, str | list) or one is told[-1]) for one in told):
        return find(value)
    return None
