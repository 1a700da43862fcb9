"""Check the settings that rename, leave out and add parameters of a call: models refuse some of the usual ones."""

import json
import math
import re
from typing import Any, Literal

from common.core.errors import UserError
from common.core.secrets import secret_in

OptionalParameter = Literal["temperature", "frequency_penalty", "stream"]
"""Parameters that a call can do without. Not the limit of tokens: the budget needs it."""

_OWN = ("model", "messages", "max_tokens", "temperature", "frequency_penalty", "stream")
_LIMIT_NAME = re.compile(r"(?=.{1,40}\Z)(?=.*(?:max|limit|tokens|length|predict))[A-Za-z]+(?:_[A-Za-z]+)*")
_LARGEST = 1000  # characters of `extra`
_SECRET_NAME = re.compile(
    r"(?:api|access|secret|private|auth)[_-]?key|(?<![a-z])(?:token|secret|password|passwd|authorization|bearer|credentials?)$",
    re.IGNORECASE,
)


def require_sendable(max_tokens_name: str, extra: str) -> None:
    """Raise UserError if a name cannot be that of the limit, and as `further` does."""
    if not _LIMIT_NAME.fullmatch(max_tokens_name):
        raise UserError(
            f"llm: max_tokens_name is {_name(max_tokens_name)}; wanted the name of the parameter that limits an answer, "
            "for example --max-tokens-name max_completion_tokens"
        )
    further(max_tokens_name, extra)


def further(max_tokens_name: str, extra: str) -> dict[str, Any]:
    """Return the parameters in the setting `extra`; {} if it is empty.

    Raises UserError if it is not a JSON object, repeats a parameter that has a setting of its own, or holds a secret.
    """
    text = extra.strip()
    if not text:
        return {}
    if len(text) > _LARGEST:
        raise UserError(f"llm: extra is too long: {len(text)} characters; wanted at most {_LARGEST}.")
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_object)
        secret = _secret(value)
    except RecursionError:
        raise UserError("llm: extra is nested too deeply.") from None
    except ValueError as error:
        raise UserError(
            f"llm: extra is not JSON ({error}); wanted an object, for example "
            """--extra '{"reasoning_effort": "low"}'"""
        ) from None
    if not isinstance(value, dict):
        raise UserError(
            """llm: extra is JSON but no object; wanted for example '{"reasoning_effort": "low"}'"""
        )
    if secret:
        # Its value is not quoted: it may be the key.
        raise UserError(
            f"llm: extra holds what looks like a secret ({_name(secret)}), and settings are recorded; keys belong into the "
            "environment: --key-name NAME."
        )
    for name in (*_OWN, max_tokens_name):
        if name in value:
            raise UserError(
                f"llm: extra repeats {name}, which has a setting of its own; take it out of extra."
            )
    if "n" in value or "best_of" in value:
        raise UserError(
            "llm: extra asks for several answers to one call, and only one is read; use --samples."
        )
    return value


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name occurs twice")
    return made


def _secret(value: Any, name: str = "") -> str:
    """Return the name under which a value looks like a secret, "" if none does."""
    if isinstance(value, dict):
        if any(secret_in(key) for key in value):
            return "a name"
        return next((found for key, held in value.items() if (found := _secret(held, key))), "")
    if isinstance(value, list):
        return next((found for held in value if (found := _secret(held, name))), "")
    if not isinstance(value, str):
        return ""
    return (name or "a value") if _SECRET_NAME.search(name) or secret_in(value) else ""


def _name(text: str) -> str:
    """Return a parameter's name in quotes; what is no name is not shown, because it may be a key."""
    return repr(text) if re.fullmatch(r"[A-Za-z_ ]{1,40}", text) else "no parameter's name"
