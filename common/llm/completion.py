"""Read the body of a response: the answer in it, in any form that servers use, or the error that it reports."""

import json
from typing import Any

from common.llm.cache import Stored
from common.llm.config import LLMConfig
from common.llm.endings import ending
from common.llm.keys import redact
from common.llm.refusals import Target, TransientError, quoted, status_error
from common.llm.server_errors import ServerError, parse, reported

_UNKNOWN = -1  # stands for a token count that the server did not send
_FINISH = 40  # characters of a finish_reason that are kept
_TEXTS = ("text", "output_text", "input_text", "markdown", "")
_CALLS = ("tool_use", "tool_call", "function_call", "tool-call")


def read(status: int, headers: dict[str, str], content: bytes, target: Target, config: LLMConfig) -> Stored:
    """Return the answer in a response, the key redacted; a token count that the server did not send is -1.

    A response that a content filter blocked is an answer without text, because only its request is concerned.
    Raises TransientError when the body is not a complete chat completion, and as `status_error` does for an error, which
    a server may also report in a body with status 200.
    """
    if not 200 <= status < 300:
        error = parse(content)
        if status in (400, 403, 422) and error.kind == "filtered":
            return _filtered(error)
        raise status_error(status, headers, error, target, config)
    try:
        value = json.loads(content)
        found = reported(value)
        if found is None:
            stored = _answer(value, target.key)
    except (ValueError, RecursionError):
        said = quoted(content.decode("utf-8", "replace"), target.key)
        raise TransientError("broken", f"the body is not JSON{said and f': {said}'}", charged=True) from None
    except (KeyError, IndexError, TypeError, AttributeError):
        said = quoted(content.decode("utf-8", "replace"), target.key)
        raise TransientError("broken", f"the body is not a chat completion: {said}", charged=True) from None
    if found is not None:
        if found.kind == "filtered":
            return _filtered(found)
        raise status_error(found.status, headers, found, target, config)
    if ending(stored.finish) == "interrupted":
        raise TransientError("broken", f"the server ended the answer early ({stored.finish})", charged=True)
    return stored


def _filtered(error: ServerError) -> Stored:
    reason = next((code for code in error.codes if ending(code) == "filtered"), "content_filter")
    return Stored("", reason[:_FINISH], _UNKNOWN, _UNKNOWN)


def _answer(value: Any, key: str) -> Stored:
    """Return the answer. Raises TypeError and similar errors if the value is not a chat completion."""
    choice = _choice(value)
    message = choice.get("message")
    if message is None:
        message = {"content": choice["text"]}
    content = message.get("content", message.get("text"))
    text, finish = _text(content), _finish(value, choice)
    if not text.strip():
        refusal = message.get("refusal") or _part(content, "refusal")
        if isinstance(refusal, str) and refusal.strip():
            text, finish = refusal, "refusal"
        elif message.get("tool_calls") or message.get("function_call") or _part(content, "type") in _CALLS:
            finish = "tool_calls"
    usage = value.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    prompt = _count(counts.get("prompt_tokens", counts.get("input_tokens")))
    completion = _count(counts.get("completion_tokens", counts.get("output_tokens")))
    # JSON can escape a lone surrogate, which cannot be stored as UTF-8.
    text, finish = (part.encode("utf-8", "replace").decode("utf-8") for part in (text, finish))
    return Stored(redact(text, key), redact(finish[:_FINISH], key), prompt, completion)


def _choice(value: Any) -> dict[str, Any]:
    """Return the first choice: the one with the lowest index, in whatever order they are listed."""
    choices = [choice for choice in value["choices"] if isinstance(choice, dict)]
    if not choices:
        raise IndexError("choices")

    def index(choice: dict[str, Any]) -> int:
        number = choice.get("index")
        return number if isinstance(number, int) else 0

    return min(choices, key=index)


def _finish(value: dict[str, Any], choice: dict[str, Any]) -> str:
    for holder, name in (
        (choice, "finish_reason"), (choice, "finishReason"), (value, "finish_reason"), (choice, "stop_reason"),
        (value, "stop_reason"), (value, "done_reason"),
    ):  # fmt: skip
        if isinstance(reason := holder.get(name), str) and reason.strip():
            return reason.strip()
        if isinstance(reason, dict) and isinstance(reason.get("type"), str):
            return str(reason["type"])
    details = value.get("incomplete_details")
    if value.get("status") == "incomplete" or choice.get("truncated") is True:
        return str(details.get("reason") or "incomplete") if isinstance(details, dict) else "incomplete"
    return ""


def _part(content: Any, name: str) -> Any:
    """Return the value of a field in the first part of the content that has it."""
    parts = content if isinstance(content, list) else [content]
    return next((part[name] for part in parts if isinstance(part, dict) and part.get(name)), None)


def _text(content: Any) -> str:
    """Return the text of a message's content: a text, a part, or parts in any depth; thoughts are left out.

    Raises TypeError for anything else.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part) for part in content)
    if not isinstance(content, dict):
        raise TypeError("content")
    kind = content.get("type") or ""
    if kind not in _TEXTS or content.get("thought") is True:
        return ""
    if "text" in content:
        return _text(content["text"])
    return _text(content.get("content", content.get("value")))


def _count(value: Any) -> int:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9
    return value if good else _UNKNOWN
