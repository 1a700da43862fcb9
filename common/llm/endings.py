"""Read why a server ended an answer: servers name the same reasons differently."""

import re
import unicodedata
from typing import Literal

Ending = Literal["complete", "cut off", "filtered", "tool call", "interrupted", "unknown"]

# Tried in this order: "incomplete" contains "complete", and "stop_length" is not a stop.
_WORDS: tuple[tuple[Ending, str], ...] = (
    ("filtered", r"filter|safety|refus|block|prohibit|recitation|moderat|sensitive|spii|guardrail|violat|harm|toxic|policy|censor"),
    ("tool call", r"tool|function"),
    ("cut off", r"length|max|limit|truncat|incomplete|exceed|(?<!stop )tokens|context|window|overflow|partial|pause|budget|\bcut"),
    ("interrupted", r"error|abort|cancel|fail|timeout|timed|interrupt|insufficient|preempt|disconnect|unavailable|shutdown"),
    ("complete", r"stop|\beos|\bend|complete|done|finish|success|\bnone\b|\bnull\b|unspecified|\bstp\b"),
)  # fmt: skip


def ending(reason: str) -> Ending:
    """Return the kind of a finish_reason, in any spelling ("length", "MAX_TOKENS", "maxOutputTokens", "eos_token").

    No reason ("") counts as complete. A reason that is not known is "unknown"; the answer is used, with a warning.
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", reason))
    words = re.sub(r"[^a-z0-9]+", " ", words.lower()).strip()
    if not words:
        return "complete" if not reason.strip() else "unknown"
    return next((kind for kind, pattern in _WORDS if re.search(pattern, words)), "unknown")


def unfinished(reason: str) -> str:
    """Return the fault, in Korean, of an answer that the server did not end as complete; "" if it is complete."""
    kind = ending(reason)
    reason = "".join(
        letter if letter.isprintable() else " " for letter in reason
    )  # it is shown on a terminal
    if kind == "cut off":
        return f"답이 길이 제한에 걸려 끝까지 쓰이지 않음({reason}; 더 짧게 써야 함)"
    if kind == "filtered":
        return f"답이 서버의 필터에 막힘({reason})"
    if kind == "tool call":
        return f"답을 쓰지 않고 도구를 부름({reason})"
    return f"답이 도중에 끊김({reason})" if kind == "interrupted" else ""
