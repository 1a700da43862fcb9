"""Hold the conversation of one request: ask the question, then a stricter one that names the fault of a bad answer."""

from collections.abc import Callable, Sequence

from common.llm import checks
from common.llm.cache import Stored
from common.llm.checks import Check, cut_off, leaked_key
from common.llm.config import Request
from common.llm.results import Answer
from common.prompts import Message

Fetch = Callable[[Sequence[Message], bool], Stored | None]
"""(messages, whether this is the stricter question) → the answer, None if there is none."""


def conversation(request: Request, check: Check, fetch: Fetch) -> Answer | None:
    """Return the answer to a request: the first one if it passes the check, else the one to the stricter question.

    Returns None if `fetch` has no answer. `cached` is always True; the caller corrects it.
    """
    first = fetch(request.messages, False)
    if first is None:
        return None
    text, problem = _checked(request, check, first)
    if not problem:
        return Answer(text, "", first.prompt_tokens, first.completion_tokens, True, False)
    second = fetch(checks.stricter(request.messages, text, problem), True)
    if second is None:
        return None
    text, problem = _checked(request, check, second)
    prompt = first.prompt_tokens + second.prompt_tokens
    completion = first.completion_tokens + second.completion_tokens
    return Answer("" if problem else text, problem, prompt, completion, True, True)


def _checked(request: Request, check: Check, stored: Stored) -> tuple[str, str]:
    """Return the tidied text and its problem, "" if it is good."""
    text = checks.tidy(stored.text)
    problem = cut_off(stored.finish) or checks.empty(text) or leaked_key(stored.text) or check(request, text)
    return text, problem
