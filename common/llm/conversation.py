"""Hold the conversation of one request: ask the question, then a stricter one that names the fault of a bad answer."""

from collections.abc import Callable, Sequence

from common.llm import checks
from common.llm.cache import Stored
from common.llm.checks import Check, leaked_key
from common.llm.config import Request
from common.llm.endings import unfinished
from common.llm.results import Answer
from common.prompts import Message
from common.prompts.cleaning import control_tokens, tidy

_LONGEST = 20_000  # characters of an answer; a paraphrased dialogue has up to about 3,000
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
    if len(stored.text) > _LONGEST:
        return stored.text, f"답이 지나치게 김({len(stored.text)}자)"
    text = tidy(stored.text)
    problem = (
        unfinished(stored.finish)
        or checks.empty(text)
        or leaked_key(stored.text)
        or control_tokens(text)
        or check(request, text)
    )
    return text, problem
