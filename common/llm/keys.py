"""Read the API key from the environment or .env, and redact it from everything that is shown or stored."""

import functools
import io
import os
import re

from dotenv import dotenv_values

from common.core.errors import UserError
from common.core.files import read_regular, root
from common.llm.config import LOOPBACK, LLMConfig, key_variable

REDACTED = "[key]"
"""Replaces the key where a server sent it back."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # a bearer token by RFC 6750, section 2.1
_PART = 12  # first characters of a key; enough to recognize a truncated one
_PERCENT = "%(?:25){0,3}"
_AMPERSAND, _HASH, _SEMICOLON = (rf"(?:{c}|{_PERCENT}{ord(c):02x})" for c in "&#;")
_ENTITY = rf"{_AMPERSAND}(?:amp{_SEMICOLON}){{0,3}}{_HASH}"
_BACKSLASHES = rf"(?:\\|{_PERCENT}5c){{0,8}}"
_MOST_DOTENV = 1 << 20  # bytes
_SHORTEST = 8  # characters; a shorter key would match ordinary text


def read_key(config: LLMConfig) -> str:
    """Return the API key from the environment variable `config.key_name`, else from the repository's .env file.

    Returns "" if no key is needed (key_name "" or base_url "loopback:"). Raises UserError if the key is missing or
    malformed; the message never contains it.
    """
    name = key_variable(config)
    if not name or config.base_url.strip() == LOOPBACK:
        return ""
    key, place = read_secret(name)
    if not key:
        raise UserError(
            f"llm: there is no API key: {name} is neither in the environment nor in {root() / '.env'}. "
            f'Add the line {name}=… to that file (git ignores it), or send no key: args="--key-name=".'
        )
    if not _TOKEN.fullmatch(key):
        raise UserError(
            f"llm: the key {name} in {place} contains a character that keys do not have; allowed are ASCII letters, digits and "
            "-._~+/=. Copy the key again."
        )
    if len(key) < _SHORTEST:
        raise UserError(
            f"llm: the key {name} in {place} has {len(key)} characters, too few for a key; copy it again. "
            "For a server that needs no key set key_name= (empty)."
        )
    return key


def read_secret(name: str) -> tuple[str, str]:
    """Return the stripped value of an environment variable, else of that entry in .env, and the name of its source.

    The value is "" if both are missing. Raises UserError if .env cannot be read.
    """
    key = os.environ.get(name, "").strip()
    return (key, "the environment") if key else (_dotenv(name), ".env")


def _dotenv(name: str) -> str:
    path = root() / ".env"
    try:
        text = read_regular(path, _MOST_DOTENV).decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"{path}: cannot be read ({reason}); it should contain lines like {name}=…") from None
    return (dotenv_values(stream=io.StringIO(text), interpolate=False).get(name) or "").strip()


@functools.lru_cache(maxsize=4)
def _pattern(key: str) -> re.Pattern[str]:
    """Return a pattern for the key or its first characters, also if escaped repeatedly for JSON, HTML or a URL."""
    units = []
    for letter in key:
        code = ord(letter)
        numbers = f"{_PERCENT}{code:02x}|u00{code:02x}|{_ENTITY}(?:0*{code}|x0*{code:x}){_SEMICOLON}"
        units.append(letter if letter.isalnum() else f"{_BACKSLASHES}(?:{re.escape(letter)}|{numbers})")
    sure, rest = units[:_PART], units[_PART:]
    # Nested from the inside out, so that it matches as much of the rest as there is.
    tail = ""
    for unit in reversed(rest):
        tail = f"(?:{unit}{tail})?"
    return re.compile("".join(sure) + tail, re.IGNORECASE)


def redact(text: str, key: str) -> str:
    """Return the text with the key, escaped, truncated or not, replaced by REDACTED."""
    return _pattern(key).sub(REDACTED, text) if key else text
